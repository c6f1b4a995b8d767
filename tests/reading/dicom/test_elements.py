import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicoms import draw_balls, make_grid, write_mask, write_series
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medunet.errors import LabelError, SeriesError
from medunet.reading import read_contours, read_volume
from medunet.reading.dicom import elements
from medunet.reading.dicom.elements import MOST_INFLATED, PIXELS, read_begin, read_dataset
from medunet.testing.faults.scans import make_scan, write_dataset

SEQUENCE, ITEM, SEQUENCE_END = b"\x29\0\x10\x10SQ\0\0", b"\xfe\xff\0\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
UNDEFINED = b"\xff" * 4
PIXEL_DATA = b"\xe0\x7f\x10\0OW\0\0"
CUT = {"MR_truncated.dcm", "rtplan_truncated.dcm", "DICOMDIR-nooffset"}
"""Files of pydicom that end before they should, which pydicom doesn't say."""


def test_files_have_the_elements_that_pydicom_finds() -> None:
    compared = 0
    for path in Path(pydicom.__file__).with_name("data").rglob("*"):
        if not path.is_file() or path.read_bytes()[128:132] != b"DICM":
            continue
        expected = dcmread(path, stop_before_pixels=True)
        if path.name in CUT:
            with pytest.raises(ValueError, match="beyond the end of the file"):
                read_dataset(path)
            continue
        found = read_dataset(path)
        for name in PIXELS.values():
            found.pop(name, None)
        assert found == expected, path
        assert found.file_meta == expected.file_meta, path
        assert found.original_character_set == expected.original_character_set, path
        compared += 1
    assert compared > 150


def nest(depth: int) -> bytes:
    value = b""
    for _ in range(depth):
        item = ITEM + struct.pack("<L", len(value)) + value
        value = SEQUENCE + struct.pack("<L", len(item)) + item
    return value


HOSTILE = {
    "sequences without lengths, deep": ((SEQUENCE + UNDEFINED + ITEM + UNDEFINED) * 100_000, "nested deeper than 16"),
    "sequences with lengths, deep": (nest(200), "nested deeper than 16"),
    "items": (SEQUENCE + UNDEFINED + (ITEM + bytes(4)) * 1_000_000 + SEQUENCE_END, "more than 500000 items"),
    "elements": (b"\x29\0\x11\x10LO\0\0" * 5000, "more than 5000 elements"),
    "a private element of 4 GB": (b"\x29\0\x11\x10OB\0\0\xf0\xff\xff\xff", "beyond the end of the file"),
    "an item longer than its sequence": (
        SEQUENCE + struct.pack("<L", 16) + ITEM + struct.pack("<L", 16) + b"\x29\0\x11\x10LO\x08\0abcdefgh",
        "holds|within a sequence",
    ),
    "no item": (SEQUENCE + struct.pack("<L", 8) + b"\x29\0\x11\x10LO\0\0", "what is no item"),
    "an end without a begin": (SEQUENCE_END, "no begin"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_headers_beyond_limits_are_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "MOST_ELEMENTS", 5000)
    body, words = HOSTILE[name]
    write_series(tmp_path, make_grid())
    path = tmp_path / "0003.dcm"
    content = path.read_bytes()
    at = content.index(PIXEL_DATA)
    path.write_bytes(content[:at] + body + content[at:])
    with pytest.raises(SeriesError, match=rf"0003\.dcm: its header can't be read \(.*({words}).*\); restore"):
        read_volume(tmp_path)


def test_sixteen_levels_and_a_long_header_are_read(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    path = tmp_path / "0003.dcm"
    content = path.read_bytes()
    at = content.index(PIXEL_DATA)
    note = b"\x2b\0\x11\x10UT\0\0" + struct.pack("<L", 300_000) + b"long" * 75_000
    path.write_bytes(content[:at] + nest(16) + note + content[at:])
    assert read_dataset(path) == dcmread(path)


def test_pixels_beyond_the_end_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    path = tmp_path / "0003.dcm"
    content = path.read_bytes()
    at = content.index(PIXEL_DATA) + len(PIXEL_DATA)
    path.write_bytes(content[:at] + b"\xf0\xff\xff\xff" + content[at + 4 :])
    with pytest.raises(SeriesError, match="its pixels should end at byte 4294968"):
        read_volume(tmp_path)


def test_what_inflates_without_end_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    path = tmp_path / "0001.dcm"
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    sound = path.read_bytes()
    assert read_dataset(path) == dcmread(path)
    path.write_bytes(sound[:-20])
    with pytest.raises(SeriesError, match="it breaks off, or inflates"):
        read_volume(path)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    meta = sound[: 144 + struct.unpack_from("<L", sound, 140)[0]]
    path.write_bytes(meta + block * (MOST_INFLATED // 2**20 + 1))
    with pytest.raises(SeriesError, match=f"inflates to more than {MOST_INFLATED}"):
        read_volume(path)


def test_contours_go_through_the_same_limits(tmp_path: Path) -> None:
    grid = make_grid()
    path = tmp_path / "rt.dcm"
    write_mask(path, draw_balls(grid).voxels, grid, np.zeros(grid.shape, np.int16))
    assert read_contours(path)
    path.write_bytes(path.read_bytes() + b"\x07\x30\x10\x10\xf0\xff\xff\xff")
    with pytest.raises(LabelError, match="beyond the end of the file"):
        read_contours(path)


def test_of_a_damaged_file_only_elements_with_values_are_taken(tmp_path: Path) -> None:
    """A kind of value that doesn't exist is found out when the value is asked for."""
    item = make_scan().slices[0].dataset
    write_dataset(item, tmp_path / "a.dcm")
    content = (tmp_path / "a.dcm").read_bytes()
    uid = str(item.SeriesInstanceUID).encode()
    at = content.index(b"\x20\x00\x0e\x00UI")
    (tmp_path / "a.dcm").write_bytes(content[: at + 4] + b"UH" + content[at + 6 :])
    dataset = read_begin(tmp_path / "a.dcm")
    assert uid in content
    assert dataset is not None
    assert "SeriesInstanceUID" not in dataset
    assert dataset.Modality == item.Modality
