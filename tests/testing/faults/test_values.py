import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import apply_modality_lut

from medunet.testing.faults import Edit, Scan, combine, make_scan, places, values


def edit(change: Edit) -> Scan:
    scan = make_scan("oblique")
    change(scan)
    return scan


FOLLOWED = {
    "rescale of each": values.rescale_each,
    "table": values.apply_table,
    "signed": values.store_signed(lambda _: True),
    "overlay": values.overlay_high_bits,
    "padding": values.pad_corners,
    "no preamble": values.change_files(None, values.drop_preamble),
    "of 16 bits in one": combine(values.store_signed(lambda _: True), places.drop_slices(4)),
}
"""Edits after which pydicom, told to take the bits that are stored, still finds the true values."""


@pytest.mark.parametrize("name", FOLLOWED)
def test_files_hold_the_true_values(name: str, tmp_path: Path) -> None:
    scan = edit(FOLLOWED[name])
    scan.write(tmp_path)
    for item in scan.slices:
        dataset = dcmread(tmp_path / item.name, force=True)
        stored = dataset.pixel_array & ((1 << dataset.BitsStored) - 1) if name == "overlay" else dataset.pixel_array
        assert np.allclose(apply_modality_lut(stored, dataset), item.values)


def test_twelve_bits_are_not_extended() -> None:
    scan = edit(values.store_signed(lambda _: True, bits=12))
    for item in scan.slices:
        plain = np.frombuffer(item.dataset.PixelData, "<u2").reshape(item.values.shape)
        assert plain.max() < 1 << 12
        assert np.array_equal(item.stored(), item.values)
        assert item.values.min() < 0


def test_floats_and_colours(tmp_path: Path) -> None:
    scan = edit(values.store_floats)
    scan.write(tmp_path)
    assert np.array_equal(dcmread(tmp_path / "0003.dcm").pixel_array, scan.slices[2].values)
    assert (scan.slices[2].values % 1 == 0.5).all()
    colours = edit(values.become_colour).slices[0].dataset
    colours.save_as(tmp_path / "colour.dcm")
    assert dcmread(tmp_path / "colour.dcm").pixel_array.shape == (36, 32, 3)


@pytest.mark.parametrize(
    ("change", "lying"),
    [
        (values.store_signed(lambda _: False), range(9)),
        (values.store_signed(lambda k: k != 5), [5]),
        (values.lie_about_few, [5]),
    ],
)
def test_slices_that_are_declared_unsigned_hold_negative_values(change: Edit, lying: range | list[int]) -> None:
    scan = edit(change)
    for number, item in enumerate(scan.slices):
        assert item.dataset.PixelRepresentation == int(number not in lying)
        if number in lying:
            assert item.values.min() < 0
            assert not np.array_equal(item.stored(), item.values)
        else:
            assert np.array_equal(item.stored(), item.values)
    if change is values.lie_about_few:
        assert (scan.slices[5].values < 0).sum() == 1


def test_bits_lie_where_the_header_says() -> None:
    scan, clean = edit(values.shift_bits), make_scan("oblique")
    for item, whole in zip(scan.slices, clean.slices, strict=True):
        assert (item.dataset.BitsStored, item.dataset.HighBit) == (12, 15)
        assert np.array_equal(item.stored() >> 4, whole.stored())


def test_lies_about_the_size_of_pixels() -> None:
    scan = edit(values.lie_about_rows)
    assert [item.dataset.Rows for item in scan.slices] == [36] * 5 + [40] + [36] * 3
    assert {len(item.dataset.PixelData) for item in scan.slices} == {36 * 32 * 2}
    short = edit(values.change_pixels([5, 99], lambda content: content[:-600]))
    assert [len(item.dataset.PixelData) for item in short.slices] == [2304] * 5 + [1704] + [2304] * 3


def write(scan: Scan, folder: Path, name: str = "0006.dcm") -> bytes:
    scan.write(folder)
    return (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (values.drop_preamble, lambda content: not content.startswith(bytes(128))),
        (values.nest(200), lambda content: content.count(b"\x09\x00\x01\x10SQ") == 200),
        (values.write_comma, lambda content: b"," in content[content.index(b"\x20\x00\x32\x00DS") :][:60]),
    ],
)
def test_bytes_of_files_are_changed(
    change: Callable[[bytes], bytes], says: Callable[[bytes], bool], tmp_path: Path
) -> None:
    clean = write(make_scan(), tmp_path / "clean")
    scan = make_scan()
    values.change_files([5], change)(scan)
    changed = write(scan, tmp_path / "changed")
    assert says(changed)
    assert not says(clean)
    assert (tmp_path / "changed" / "0001.dcm").read_bytes() == (tmp_path / "clean" / "0001.dcm").read_bytes()
    assert change(b"no such element") in (b"no such element", b"")


def test_nested_sequences_are_sound_dicom(tmp_path: Path) -> None:
    clean = write(make_scan(), tmp_path)
    header = dcmread(io.BytesIO(values.nest(3)(clean)))
    for _ in range(3):
        header = header[0x0009, 0x1001].value[0]
    assert len(header) == 0


def test_other_files_in_the_folder(tmp_path: Path) -> None:
    scan = edit(
        combine(values.write_text("README.txt", "hello"), values.later(values.write_directory), values.hide_name)
    )
    scan.write(tmp_path)
    assert (tmp_path / "README.txt").read_text() == "hello"
    assert "Media Storage Directory" in dcmread(tmp_path / "DICOMDIR").file_meta.MediaStorageSOPClassUID.name
    assert not (tmp_path / "0009.dcm").exists()
    assert not (tmp_path / "LAST").read_bytes().startswith(bytes(128))


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("order", [list, values.shuffle_frames])
def test_frames_have_the_places_and_values_of_their_slices(own: bool, order: Callable, tmp_path: Path) -> None:
    scan = edit(values.pack_frames(order, own_orientation=own, own_rescale=own))
    scan.write(tmp_path)
    (path,) = tmp_path.iterdir()
    whole = dcmread(path)
    shared, frames = whole.SharedFunctionalGroupsSequence[0], whole.PerFrameFunctionalGroupsSequence
    assert whole.NumberOfFrames == len(frames) == 9
    assert ("PlaneOrientationSequence" in shared) != own
    for item, frame, stored in zip(order(scan.slices), frames, whole.pixel_array, strict=True):
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert np.abs(np.array(position, float) - item.position).max() < 1e-9
        rescale = (frame if own else shared).PixelValueTransformationSequence[0]
        assert np.allclose(stored * float(rescale.RescaleSlope) + float(rescale.RescaleIntercept), item.values)


def test_shuffled_frames_are_no_longer_in_order() -> None:
    slices = make_scan().slices
    shuffled = values.shuffle_frames(slices)
    assert shuffled == values.shuffle_frames(slices)
    assert {item.name for item in shuffled} == {item.name for item in slices}
    assert shuffled not in (slices, slices[::-1])
