from pathlib import Path

import pytest
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage

from medunet.errors import SeriesError
from medunet.findings import Note
from medunet.reading import read_volume
from medunet.reading.dicom.file_headers import FileHeader, stamp_file
from medunet.reading.dicom.images import (
    FoundImage,
    describe_class,
    is_several,
    note_misfits,
    part_misfits,
    take_image,
)


def take(path: Path, **tags: object) -> FoundImage:
    dataset = dcmread(path, stop_before_pixels=True)
    for name, value in tags.items():
        if value is None:
            del dataset[name]
        else:
            setattr(dataset, name, value)
    return take_image(dataset, FileHeader(str(path), stamp_file(path)))


def test_what_is_kept_of_an_image(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    image = take(tmp_path / "0001.dcm")
    assert (len(image.headers), image.problem, image.is_grey, image.has_place, image.can_be_slice) == (
        *(1, None),
        *(True, True, True),
    )
    lost = take(tmp_path / "0001.dcm", ImagePositionPatient=None, ImageOrientationPatient=None)
    assert (lost.headers, lost.has_place, lost.can_be_slice) == ((), False, True)
    assert "ImageOrientationPatient is missing" in str(lost.problem)


@pytest.mark.parametrize(
    ("tags", "misfit", "doubtful"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "a picture in colour", 0),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "Secondary Capture", 0),
        ({"ImagePositionPatient": None, "ImageOrientationPatient": None}, "", 1),
        ({"ImagePositionPatient": None}, "", 0),
    ],
)
def test_what_does_not_belong_to_slices(tmp_path: Path, tags: dict, misfit: str, doubtful: int) -> None:
    write_series(tmp_path, make_grid())
    odd = take(tmp_path / "0001.dcm", SOPInstanceUID="1.2.3", **tags)
    fine = [take(path) for path in sorted(tmp_path.iterdir())]
    slices, misfits, doubts = part_misfits([odd, *fine])
    assert len(doubts) == doubtful
    assert (odd in slices) == (not misfit and not doubtful)
    assert all(misfit in reason and uid == "1.2.3" for uid, reason in misfits.items())
    assert bool(misfits) == bool(misfit)
    # Where all are alike none is odd.
    assert part_misfits([odd, odd]) == ([odd, odd], {}, [])


def add_private(dataset: Dataset, group: int, creator: str, element: int, kind: str, value: object) -> None:
    dataset.private_block(group, creator, create=True).add_new(element, kind, value)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), "a Siemens mosaic"),
        (lambda dataset: add_private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A, "US", 36), "a Siemens mosaic"),
        (
            lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "VFRAME"]),
            "a volume of United Imaging",
        ),
        (lambda dataset: add_private(dataset, 0x0065, "Image Private Header", 0x50, "DS", "24"), "United Imaging"),
        (
            lambda dataset: add_private(dataset, 0x0065, "Image Private Header", 0x51, "SQ", [Dataset(), Dataset()]),
            "United Imaging",
        ),
    ],
)
def test_volumes_in_one_picture_are_named_as_what_they_are(tmp_path: Path, edit: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: edit(dataset))  # type: ignore[operator]
    with pytest.raises(SeriesError, match=words) as refusal:
        read_volume(tmp_path)
    assert refusal.value.code == "encoding-unsupported"


def test_one_image_in_a_mosaic_is_an_image(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: add_private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A, "US", 1))
    assert read_volume(tmp_path).grid.shape == make_grid().shape
    assert [value for value in ("1", "2", "two", b"1", [1], [1, 2], 2) if is_several(value)] == ["2", [1, 2], 2]


def test_classes_have_names() -> None:
    assert describe_class(CTImageStorage) == "an object of the class CT Image Storage"
    assert describe_class("1.2.3") == "an object of the private class 1.2.3"
    assert describe_class("") == "an object of the private class unknown"


def test_a_note_names_five_objects_of_a_kind_and_counts_the_others() -> None:
    misfits = {str(n): "a report" for n in range(7)} | {"x": "a picture"}
    assert note_misfits(misfits) == (
        Note("set-aside", "set aside in the series, a report: 0, 1, 2, 3, 4 and 2 more"),
        Note("set-aside", "set aside in the series, a picture: x"),
    )
    assert note_misfits({}) == ()


def test_a_header_that_broke_off_is_that_of_a_slice(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    path = tmp_path / "0001.dcm"
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    image = take_image(dataset, FileHeader(str(path), stamp_file(path)))
    assert (image.is_grey, image.has_place, image.can_be_slice) == (True, True, True)
