"""What is kept of the header of one file, and which files don't belong among the slices of their series."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from medunet.errors import SeriesError
from medunet.findings import Note
from medunet.reading.dicom.file_headers import FileHeader
from medunet.reading.dicom.frames import PER_FRAME, read_frames
from medunet.reading.dicom.headers import Header, read_header
from medunet.reading.dicom.marks import find_private
from medunet.reading.dicom.slices import is_grey

SLICES = {
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
}
"""Storage classes of images that lie in a patient."""
NAMED = 5
"""Objects of a kind that a note names."""
_PLACES = ("ImagePositionPatient", "ImageOrientationPatient", PER_FRAME)
_TAGS = (
    *("SeriesInstanceUID", "Modality", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "SeriesDescription"),
    *("SeriesNumber", "SOPClassUID", "SOPInstanceUID"),
)


@dataclass(frozen=True, slots=True, eq=False)
class FoundImage:
    """What is kept of the header of one file, so that a tree of many thousands needs little memory.

    Attributes:
        path: of the file.
        file: its header.
        tags: what its series is told by.
        headers: of its slices, as far as they have a place.
        problem: why it has none.
        is_grey: its pixels are single numbers, as far as it says.
        has_place: it says where it lies, rightly or not, or its header broke off.
        can_be_slice: it says that, or is of a class that lies in a patient.
    """

    path: str
    file: FileHeader
    tags: dict[str, str]
    headers: tuple[Header, ...]
    problem: SeriesError | None
    is_grey: bool
    has_place: bool
    can_be_slice: bool


def take_image(dataset: Any, file: FileHeader) -> FoundImage:
    """Take what is kept out of a header.

    Args:
        dataset: as of `read_dataset`.
        file: its file.
    """
    headers: tuple[Header, ...] = ()
    problem: SeriesError | None = None
    try:
        _check_packing(dataset, file.path)
        headers = read_frames(dataset, file.path) if PER_FRAME in dataset else (read_header(dataset, file.path),)
    except SeriesError as error:
        problem = error
    # A header that broke off before its Rows is that of a slice, not of an object without a place.
    has_place = any(name in dataset for name in _PLACES) or "Rows" not in dataset
    return FoundImage(
        path=file.path,
        file=file,
        tags={name: str(dataset.get(name) or "") for name in _TAGS},
        headers=tuple(replace(header, file=file) for header in headers),
        problem=problem,
        is_grey=is_grey(dataset) or not dataset.get("PhotometricInterpretation"),
        has_place=has_place,
        can_be_slice=has_place or dataset.get("SOPClassUID") in SLICES or "PixelSpacing" in dataset,
    )


def _check_packing(dataset: Any, path: str) -> None:
    """Refuse files that hold the slices of a volume in a way of their own, whose headers look like those of one slice.

    Raises:
        SeriesError: it is one of them.
    """
    image_type = dataset.get("ImageType") or []
    words = [image_type] if isinstance(image_type, str) else image_type
    found = next((said for word, said in _PACKED.items() if word in words), "")
    for group, creator, element, said in _PACKED_BY:
        if (value := find_private(dataset, group, creator, element)) is not None and is_several(value):
            found = said
    if found:
        remedy = "export it as single slices, or convert it to NIfTI by dcm2niix"
        raise SeriesError(path, found, remedy, code="encoding-unsupported")


def is_several(value: Any) -> bool:
    """Whether a private element counts more than one, as a number, as text, or as items of a sequence."""
    try:
        return float(value) > 1
    except (TypeError, ValueError):
        return not isinstance(value, str | bytes) and len(value) > 1


MOSAIC = "it is a Siemens mosaic, which holds the slices of a volume side by side in one picture"
UIH = "it is a volume of United Imaging, which holds its slices side by side in one picture"
_PACKED = {"MOSAIC": MOSAIC, "VFRAME": UIH}
"""Values of ImageType."""
_PACKED_BY = (
    (0x0019, "SIEMENS MR HEADER", 0x0A, MOSAIC),
    (0x0065, "Image Private Header", 0x50, UIH),
    (0x0065, "Image Private Header", 0x51, UIH),
)
"""Private elements that count slices: group, creator, element."""


def part_misfits(images: Sequence[FoundImage]) -> tuple[list[FoundImage], dict[str, str], list[FoundImage]]:
    """Tell the slices of a series from what only has its UID: pictures in colour, screenshots, objects without a place.

    Where all are alike there is nothing to tell apart.

    Args:
        images: files of one SeriesInstanceUID.

    Returns:
        The slices, the reason for each UID of an object that is none, and those that may be slices which lost their
        place: the others make a volume without them or not.
    """
    misfits = {}
    grey, coloured = _part(images, lambda image: image.is_grey)
    misfits.update({_name(image): "a picture in colour" for image in coloured})
    fitting, others = _part(grey, lambda image: image.tags["SOPClassUID"] in SLICES)
    misfits.update({_name(image): describe_class(image.tags["SOPClassUID"]) for image in others})
    placed, doubtful = _part(fitting, lambda image: image.has_place)
    return placed, misfits, doubtful


def _part(
    images: Sequence[FoundImage], fits: Callable[[FoundImage], bool]
) -> tuple[list[FoundImage], list[FoundImage]]:
    """Images that fit, and the others; none are others where none fits."""
    fitting = [image for image in images if fits(image)] or list(images)
    return fitting, [image for image in images if not fits(image)] if fits(fitting[0]) else []


def _name(image: FoundImage) -> str:
    return image.tags["SOPInstanceUID"] or Path(image.path).name


def describe_class(uid: str) -> str:
    """A storage class in words."""
    known = UID(uid).name
    return f"an object of the class {known}" if known != uid else f"an object of the private class {uid or 'unknown'}"


def note_misfits(misfits: Mapping[str, str]) -> tuple[Note, ...]:
    """Notes of what was set aside, one for each reason.

    Args:
        misfits: UID of an object to the reason.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for uid, reason in misfits.items():
        by_reason[reason].append(uid)
    return tuple(
        Note("set-aside", f"set aside in the series, {reason}: {list_few(uids)}") for reason, uids in by_reason.items()
    )


def list_few(names: Iterable[str]) -> str:
    """A few names, and how many more there are."""
    first, more = [*names][:NAMED], len([*names]) - NAMED
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")


def doubt(image: FoundImage) -> SeriesError:
    """Why an image of a series is left out that may be one of its slices."""
    found = f"it is {_name(image)} of the series and has neither position nor orientation"
    remedy = "restore the header, or take the file out of the series if it is no slice"
    return SeriesError(image.path, found, remedy, code="place-missing")
