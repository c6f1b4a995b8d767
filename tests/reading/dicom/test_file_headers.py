import os
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from counting import Counts
from dicoms import change, make_grid, write_series
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medunet.errors import SeriesError
from medunet.reading import find_series, read_volume, sort_series, stamp_file
from medunet.reading.dicom.elements import PIXELS, read_dataset
from medunet.reading.dicom.file_headers import LARGE, FileHeader, keep_header
from medunet.reading.dicom.series import Series


def keep(path: Path | str) -> FileHeader:
    return FileHeader(str(path), stamp_file(path), keep_header(read_dataset(path)))


def find_one(folder: Path) -> Series:
    (series,) = find_series(folder, keep=True).series
    return series


def test_what_is_kept_is_what_was_parsed() -> None:
    compared = 0
    for path in Path(pydicom.__file__).with_name("data").rglob("*.dcm"):
        try:
            expected = read_dataset(path)
        except (ValueError, InvalidDicomError):
            continue
        header = keep(path)
        if header.kept is None:
            continue
        found = header.open()
        for tag in [tag for tag in expected.keys() if tag not in found]:  # noqa: SIM118 - tags
            assert tag.is_private or tag.group in range(0x6000, 0x6100) or tag == 0x00880200
            assert len(expected.get_item(tag).value) >= LARGE
            del expected[tag]
        for name in PIXELS.values():
            assert found.pop(name, None) == expected.pop(name, None), path
        assert found == expected, path
        assert (found.file_meta, found.original_encoding) == (expected.file_meta, expected.original_encoding)
        assert (found.original_character_set, found.filename) == (expected.original_character_set, str(path))
        described, bare = header.describe(), dcmread(path, stop_before_pixels=True, force=True)
        assert not any(tag in described for tag in PIXELS)
        for name in ("PatientName", "StudyInstanceUID", "SOPInstanceUID", "Rows"):
            assert described.get(name) == bare.get(name), path
        compared += 1
    assert compared > 50


def test_large_values_that_nobody_asks_for_are_left_out(tmp_path: Path) -> None:
    def burden(dataset: pydicom.Dataset, _: int) -> None:
        block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", bytes(LARGE))
        block.add_new(0x11, "LO", "small")
        dataset.add_new(0x60003000, "OW", bytes(LARGE))

    write_series(tmp_path, make_grid())
    change(tmp_path, burden)
    found = find_one(tmp_path).headers[0].open()
    assert [tag in found for tag in (0x00291010, 0x60003000, 0x00291011)] == [False, False, True]
    assert found.PatientID == "PH-T"


def test_slices_share_what_they_agree_in(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    kept = [header.file.kept for header in find_one(tmp_path).headers if header.file]
    first, second = kept[0], kept[1]
    assert first is not None
    assert second is not None
    assert [element.tag for element in first.elements] == [element.tag for element in second.elements]
    pairs = [(a, b) for a, b in zip(first.elements, second.elements, strict=True) if a is not b]
    own = {pydicom.datadict.keyword_for_tag(a.tag) for a, _ in pairs}
    unique = {"SOPInstanceUID", "ImagePositionPatient", "InstanceNumber", "PixelData"}
    assert {"SOPInstanceUID"} <= own <= {*unique, "MediaStorageSOPInstanceUID"}


def test_a_series_is_decoded_from_what_was_kept(tmp_path: Path, counts: Counts) -> None:
    voxels = write_series(tmp_path, make_grid())
    series = find_one(tmp_path)
    counts.clear()
    assert np.array_equal(read_volume(series).voxels[0], voxels)
    assert not counts.take("parse", tmp_path)
    assert np.array_equal(read_volume(find_series(tmp_path).series[0]).voxels[0], voxels)
    assert set(counts.take("parse", tmp_path).values()) == {2}, "once to find it, once to decode it"


@pytest.mark.parametrize("whole", [True, False], ids=["kept", "parsed again"])
def test_a_file_that_changed_since_is_refused(tmp_path: Path, whole: bool) -> None:
    write_series(tmp_path, make_grid())
    (series,) = find_series(tmp_path, keep=whole).series
    change(tmp_path, lambda dataset, _: setattr(dataset, "RescaleIntercept", "-1000"), only=[2])
    os.utime(tmp_path / "0003.dcm", (1e9, 1e9))
    with pytest.raises(SeriesError, match=r"0003\.dcm: it changed after its header was read; try again"):
        read_volume(series)


def test_a_header_can_be_described_when_its_file_is_gone(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    series = find_one(tmp_path / "a")
    shutil.rmtree(tmp_path / "a")
    assert series.headers[0].describe().PatientID == "PH-T"
    with pytest.raises(SeriesError, match="is damaged and can't be read"):
        read_volume(series)


def test_what_is_described_may_be_changed(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    header, other = find_one(tmp_path).headers[:2]
    described = header.describe()
    assert isinstance(described.get_item("Modality"), DataElement)
    described.Modality, described.PixelSpacing = "SEG", [5, 5]
    assert (header.open().Modality, list(other.describe().PixelSpacing)) == ("CT", [1.1, 0.7])
    assert find_one(tmp_path).modality == "CT"


def test_a_deflated_header_is_parsed_again(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())

    def deflate(dataset: pydicom.Dataset, _: int) -> None:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    change(tmp_path, deflate)
    series = find_one(tmp_path)
    assert all(header.file is not None and header.file.kept is None for header in series.headers)
    assert np.array_equal(read_volume(series).voxels[0], voxels)
    assert not any(tag in series.headers[0].describe() for tag in PIXELS)


def test_all_dates_of_a_file_are_its_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    size, date, touched = stamp_file(path)
    path.write_text("two")
    os.utime(path, ns=(date, date))
    assert stamp_file(path)[:2] == (size, date)
    assert stamp_file(path)[2] != touched


def test_slices_are_sorted_once_for_reader_and_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path, make_grid())
    series = find_one(tmp_path)
    headers, grid, notes = sort_series(series)
    monkeypatch.setattr("medunet.reading.dicom.series.stack_headers", None)
    again = sort_series(series)
    assert all(one is other for one, other in zip(headers, again[0], strict=True))
    assert again[1:] == (grid, notes)
    assert read_volume(series).grid is grid
