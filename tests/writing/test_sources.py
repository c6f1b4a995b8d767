from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import pytest
from dicoms import change, draw_balls, make_grid, write_series
from judges import find_errors, needs_judges
from pydicom import Dataset, dcmread

from medunet.algorithms import UNKNOWN, Algorithm
from medunet.errors import ResourceError, SeriesError
from medunet.labels import Mask
from medunet.reading import find_image, read_volume
from medunet.testing.faults import FAULTS
from medunet.writing import Probabilities, Result
from medunet.writing.formats import FORMATS
from medunet.writing.rtstruct import KIND
from medunet.writing.seg import SEG
from medunet.writing.sources import (
    Kind,
    check_same,
    decode_texts,
    fill_unknown,
    find_files,
    find_slices,
    name_equipment,
    share_frame,
)

KINDS = pytest.mark.parametrize("kind", [SEG, KIND])


@KINDS
def test_slices_are_in_the_order_of_the_grid(tmp_path: Path, kind: Kind) -> None:
    grid = make_grid("sagittal")
    write_series(tmp_path, grid)
    headers = find_slices(find_image(tmp_path), kind)
    heights = [header.position @ np.cross(*header.orientation) for header in headers]
    assert np.allclose(np.diff(heights), grid.spacing[2])


@KINDS
def test_a_multiframe_image_is_refused(tmp_path: Path, kind: Kind) -> None:
    fault = next(fault for fault in FAULTS if fault.code == "76")
    fault.make("axial").write(tmp_path)
    with pytest.raises(SeriesError, match=f"a {kind.name} is written for single slices only; choose another format"):
        find_slices(find_image(tmp_path), kind)


def write_frames(folder: Path, edit: Callable[[Dataset], None]) -> Path:
    """A series as one enhanced image, after `edit`."""
    next(fault for fault in FAULTS if fault.code == "76").make("oblique").write(folder)
    (path,) = folder.iterdir()
    dataset = dcmread(path)
    edit(dataset)
    dataset.save_as(path)
    return folder


def turn_frames(dataset: Dataset) -> None:
    """The frames from the last to the first, with their pixels."""
    size = dataset.Rows * dataset.Columns * 2
    pixels = dataset.PixelData
    places = range(dataset.NumberOfFrames - 1, -1, -1)
    dataset.PixelData = b"".join(pixels[size * k : size * (k + 1)] for k in places)
    dataset.PerFrameFunctionalGroupsSequence = [dataset.PerFrameFunctionalGroupsSequence[k] for k in places]


def test_frames_of_one_image_are_told_by_their_place(tmp_path: Path) -> None:
    write_series(tmp_path / "single", make_grid())
    headers, datasets = find_files(find_image(tmp_path / "single"), SEG)
    assert [header.path for header in headers] == [dataset.filename for dataset in datasets]
    for name, edit, step in (("a", lambda _: None, 1), ("b", turn_frames, -1)):
        headers, (dataset,) = find_files(find_image(write_frames(tmp_path / name, edit)), SEG)
        assert [header.frame for header in headers] == list(range(dataset.NumberOfFrames))[::step]


def test_frames_of_two_images_are_refused(tmp_path: Path) -> None:
    (path,) = write_frames(tmp_path, lambda _: None).iterdir()
    dataset = dcmread(path)
    places = [item.PlanePositionSequence[0] for item in dataset.PerFrameFunctionalGroupsSequence]
    step = np.subtract(places[1].ImagePositionPatient, places[0].ImagePositionPatient)
    for place in places:
        place.ImagePositionPatient = list(np.round(np.add(place.ImagePositionPatient, step * len(places)), 6))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.save_as(tmp_path / "second.dcm")
    with pytest.raises(
        SeriesError, match="single slices, or for all frames of one enhanced multi-frame image; choose another"
    ):
        find_files(find_image(tmp_path), SEG)


def test_frames_of_their_own_become_one(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    datasets = [dcmread(path) for path in sorted(tmp_path.iterdir())]
    assert share_frame(datasets) == ""
    for number, dataset in enumerate(datasets):
        dataset.FrameOfReferenceUID = f"1.2.{number}"
    assert "of its own" in share_frame(datasets)
    assert {dataset.FrameOfReferenceUID for dataset in datasets} == {"1.2.0"}


def test_a_text_is_decoded_or_left_out(tmp_path: Path) -> None:
    def rename(dataset: Dataset, _: int) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.PatientName = "Müller"

    write_series(tmp_path, make_grid())
    change(tmp_path, rename)
    path = next(tmp_path.iterdir())
    dataset = dcmread(path)
    assert decode_texts(dataset, SEG) == []
    assert str(dataset.PatientName) == "Müller"
    broken = dcmread(path)
    broken.SpecificCharacterSet = "ISO_IR 192"
    assert decode_texts(broken, SEG) == ["PatientName"]
    assert broken.PatientName == broken.PatientID


def test_what_was_read_back_is_compared(tmp_path: Path) -> None:
    mask = draw_balls(make_grid())
    check_same(mask, mask, tmp_path)
    other = Mask("classes", np.zeros_like(mask.voxels), mask.grid, mask.table)
    with pytest.raises(ResourceError, match="differs from what was written"):
        check_same(other, mask, tmp_path)


def test_what_a_header_lacks_is_empty(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    dataset = dcmread(next(tmp_path.iterdir()))
    name = dataset.PatientName
    del dataset.AccessionNumber
    fill_unknown(dataset)
    assert (dataset.AccessionNumber, dataset.PatientName) == ("", name)


def test_equipment_is_told_by_its_weights() -> None:
    (first,) = name_equipment(Algorithm("bundle" * 20, "1.0", "a" * 64), highdicom)
    (again,) = name_equipment(Algorithm("bundle", "1.1", "a" * 64), highdicom)
    (other,) = name_equipment(Algorithm("bundle", "1.1", "b" * 64), highdicom)
    assert name_equipment(UNKNOWN, highdicom) is None
    assert first.DeviceUID == again.DeviceUID != other.DeviceUID
    assert (first.Manufacturer, first.ManufacturerModelName) == ("medunet", ("bundle" * 20)[:64])
    assert again.SoftwareVersions[0] == "1.1"


RESULTS = pytest.mark.parametrize("name", ["seg", "seg-labelmap", "seg-fractional", "rtstruct", "sr", "sc"])


@needs_judges
@RESULTS
def test_where_each_slice_has_a_frame_of_reference_every_result_has_the_first_and_says_so(
    tmp_path: Path, name: str
) -> None:
    write_series(tmp_path / "series", make_grid())
    change(tmp_path / "series", lambda dataset, k: setattr(dataset, "FrameOfReferenceUID", f"1.2.{k + 1}"))
    image, grid = find_image(tmp_path / "series"), read_volume(tmp_path / "series").grid
    maps = np.random.default_rng(0).integers(0, 255, (1, *grid.shape), dtype=np.uint8)
    mask = draw_balls(grid)
    made = Algorithm("finder", "1", "f" * 64)
    FORMATS[name].check(image, mask.table, made)
    result = Result(mask, image, made, {"ct": image}, Probabilities(maps, mask.table.names, exclusive=False))
    FORMATS[name].write(result, tmp_path / "m.dcm")
    sentence = b"Each slice of the source has a FrameOfReferenceUID of its own; this is that of the first one."
    assert sentence in (tmp_path / "m.dcm").read_bytes()
    elements = dcmread(tmp_path / "m.dcm").iterall()
    assert {item.value for item in elements if item.keyword.endswith("FrameOfReferenceUID")} == {"1.2.1"}
    assert find_errors(tmp_path / "m.dcm") - find_errors(tmp_path / "series" / "0001.dcm") == set()


@RESULTS
def test_without_a_frame_of_reference_every_result_is_refused_before(tmp_path: Path, name: str) -> None:
    write_series(tmp_path / "series", make_grid())
    change(tmp_path / "series", lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    table = draw_balls(make_grid()).table
    sentence = rf"0001\.dcm: its header .*Frame ?Of ?Reference ?UID.*; restore the header, or .* than {name}\.$"
    with pytest.raises(SeriesError, match=sentence):
        FORMATS[name].check(find_image(tmp_path / "series"), table, Algorithm("finder", "1", "0"))
