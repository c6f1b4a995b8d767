"""Find the DICOM series of a folder by their headers, and what else lies there."""

import os
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage

from medunet.errors import MissingInputError, SeriesError, refuse_damage
from medunet.geometry import ACCEPTED_MM, Grid
from medunet.progress import track
from medunet.reading.contours import RTSTRUCT, ContourFile, describe_contours
from medunet.reading.headers import Header, fit_grid, order_headers, read_dataset, read_header

NO_IMAGES = {"RTSTRUCT", "RTPLAN", "RTDOSE", "SEG", "SR", "PR", "KO", "REG", "DOC"}
SLICES = {CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage}
SAME_PLACE_MM = 1e-3
"""Copies of an image have one position, up to the digits in which it was written."""
TILTED_DEGREES = 0.1
"""A stack that leans by more than this is noted; it is exact in any case."""
COPIED = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelData",
)
"""What makes two slices of one place the same image."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The files of one image.

    Attributes:
        uid: SeriesInstanceUID.
        modality: CT, PT, MR, ….
        patient_id: PatientID.
        study_uid: StudyInstanceUID.
        frame_of_reference_uid: FrameOfReferenceUID, "" if there is none.
        description: SeriesDescription.
        folder: that holds all of its files.
        files: paths of the slices, along their normal unless there is a problem.
        headers: of its slices, in the same order; none where there is a problem.
        problem: why it makes no volume, as far as that shows in single headers. It is raised when the series is
            measured or read, so that one odd series doesn't hide the others of a folder.
    """

    uid: str
    modality: str
    patient_id: str
    study_uid: str
    frame_of_reference_uid: str
    description: str
    folder: str
    files: tuple[str, ...]
    headers: tuple[Header, ...]
    problem: SeriesError | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a folder holds.

    Attributes:
        series: images, in the order of their folders and UIDs.
        contours: RTSTRUCT files.
        others: path and reason of what was set aside.
    """

    series: tuple[Series, ...]
    contours: tuple[ContourFile, ...]
    others: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """What is kept of the header of one file, so that a tree of many thousands needs little memory."""

    path: str
    tags: dict[str, str]
    header: Header | SeriesError
    placed: bool


# Enhanced multi-frame images keep their places in functional groups (DICOM PS3.3 C.7.6.16).
_PLACES = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "PerFrameFunctionalGroupsSequence")
_ALIKE = ("Modality", "FrameOfReferenceUID", "EchoTime", "DiffusionBValue", "TemporalPositionIdentifier")
"""Slices that differ in one of these are no single image, even where together they lie on a regular grid."""
_TAGS = ("SeriesInstanceUID", "PatientID", "StudyInstanceUID", "SeriesDescription", *_ALIKE)


def find_series(folder: Path | str) -> Findings:
    """Read the headers of all files below a folder (or of one file) and group them by SeriesInstanceUID.

    Set aside are files that are no DICOM (unless called .dcm), objects that are no images, localizers, and series
    of screenshots.

    Args:
        folder: a folder, or one file.

    Raises:
        MissingInputError: there is no such path.
        SeriesError: a series has files of two patients or studies, or a file called .dcm can't be read.
    """
    root = Path(folder)
    if not root.exists():
        raise MissingInputError(root, "there is no such file or folder", "check the path")
    paths = [root] if root.is_file() else _list_files(root)
    images: dict[str, list[_Image]] = defaultdict(list)
    contours, others = [], []
    for path in track(paths, "reading headers", len(paths)):
        with refuse_damage(path, SeriesError):
            dataset = _read_dataset(path)
            reason = dataset if isinstance(dataset, str) else _find_reason(dataset)
            if reason == RTSTRUCT:
                contours.append(describe_contours(dataset, str(path)))
            elif reason:
                others.append((str(path), reason))
            else:
                image = _take_image(dataset, str(path))
                images[image.tags["SeriesInstanceUID"]].append(image)
    for uid in [uid for uid, group in images.items() if not any(image.placed for image in group)]:
        others += [(image.path, "a picture without a place in a patient") for image in images.pop(uid)]
    series = [_make_series(group) for group in images.values()]
    return Findings(tuple(sorted(series, key=lambda item: (item.folder, item.uid))), tuple(contours), tuple(others))


def _list_files(root: Path) -> list[Path]:
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        found += [Path(folder) / name for name in sorted(names) if not name.startswith(".")]
    return found


def _read_dataset(path: Path) -> Any:
    """A dataset without pixels, or the reason why the file is set aside."""
    try:
        dataset = read_dataset(path, pixels=False)
    except InvalidDicomError:
        if path.suffix.lower() == ".dcm":
            raise SeriesError(path, "it is called .dcm but is no DICOM file", "restore it or take it away") from None
        return "a zip archive, to be unpacked first" if zipfile.is_zipfile(path) else "no DICOM file"
    except (OSError, EOFError, ValueError, RecursionError, AttributeError, NotImplementedError) as error:
        raise SeriesError(path, f"its header can't be read ({error})", "restore the file or take it away") from None
    if "DirectoryRecordSequence" in dataset:
        return "a DICOMDIR"
    return dataset


def _find_reason(dataset: Any) -> str:
    """Why an object is no slice of a series; RTSTRUCT for contours, "" for an image."""
    modality = str(dataset.get("Modality") or "an object")
    if modality == RTSTRUCT:
        return RTSTRUCT
    if modality in NO_IMAGES:
        return f"{modality} is no image"
    # To set a slice aside whose header broke off would be to lose it without a word.
    if "Rows" not in dataset and dataset.get("SOPClassUID") not in SLICES:
        return f"{modality} is no image"
    image_type = dataset.get("ImageType") or []
    if "LOCALIZER" in ([image_type] if isinstance(image_type, str) else image_type):
        return "a localizer"
    return ""


def _take_image(dataset: Any, path: str) -> _Image:
    header: Header | SeriesError
    try:
        header = read_header(dataset, path)
    except SeriesError as error:
        header = error
    return _Image(
        path=path,
        tags={name: str(dataset.get(name) or "") for name in _TAGS},
        header=header,
        placed=dataset.get("SOPClassUID") in SLICES or any(name in dataset for name in _PLACES),
    )


def _make_series(images: list[_Image]) -> Series:
    first = images[0]
    for name in ("PatientID", "StudyInstanceUID"):
        odd = _find_odd(images, name)
        if odd is not None:
            raise SeriesError(
                odd.path, f"its {name} differs from that of {first.path} in the same series", "take the file away"
            )
    files = tuple(image.path for image in images)
    headers: tuple[Header, ...] = ()
    problem = _find_problem(images)
    if problem is None:
        try:
            headers = tuple(order_headers([image.header for image in images if isinstance(image.header, Header)]))
            files = tuple(header.path for header in headers)
        except SeriesError as error:
            problem = error
    return Series(
        uid=first.tags["SeriesInstanceUID"],
        modality=first.tags["Modality"],
        patient_id=first.tags["PatientID"],
        study_uid=first.tags["StudyInstanceUID"],
        frame_of_reference_uid=first.tags["FrameOfReferenceUID"],
        description=first.tags["SeriesDescription"],
        folder=os.path.commonpath([os.path.dirname(image.path) for image in images]),
        files=files,
        headers=headers,
        problem=problem,
    )


def _find_odd(images: list[_Image], name: str) -> _Image | None:
    return next((image for image in images if image.tags[name] != images[0].tags[name]), None)


def _find_problem(images: list[_Image]) -> SeriesError | None:
    for image in images:
        if isinstance(image.header, SeriesError):
            return image.header
    for name in _ALIKE:
        odd = _find_odd(images, name)
        if odd is not None:
            return SeriesError(
                odd.path, f"its {name} differs from that of {images[0].path} in the same series", "split the series"
            )
    return None


def sort_series(series: Series) -> tuple[list[Header], Grid, tuple[str, ...]]:
    """Order the slices of a series along their normal and fit its grid.

    Returns:
        Headers in order, grid, and notes of what was repaired or is odd.

    Raises:
        SeriesError: the series is irregular.
    """
    if series.problem is not None:
        raise series.problem
    headers, notes = _drop_copies(series.headers)
    _check_twins(headers)
    grid, distance = fit_grid(headers)
    if distance > ACCEPTED_MM:
        notes += (f"slices lie up to {distance:.3f} mm off the regular grid",)
    normal = np.cross(grid.affine[:3, 0], grid.affine[:3, 1])
    step = grid.affine[:3, 2]
    leaning = np.degrees(np.arctan2(np.linalg.norm(np.cross(normal, step)), abs(normal @ step)))
    if leaning > TILTED_DEGREES:
        notes += (f"slices are sheared by {leaning:.2f} degrees, which the affine keeps",)
    return headers, grid, notes


def _drop_copies(headers: tuple[Header, ...]) -> tuple[list[Header], tuple[str, ...]]:
    """Drop images that repeat another: same place, same pixels."""
    kept: list[Header] = []
    notes: tuple[str, ...] = ()
    for header in headers:
        twin = kept[-1] if kept else None
        if (
            twin is not None
            and np.linalg.norm(twin.position - header.position) <= SAME_PLACE_MM
            and _hold_same_image(twin, header)
        ):
            notes += (f"{header.path} is a copy of {twin.path} and was left out",)
            continue
        kept.append(header)
    return kept, notes


def _hold_same_image(first: Header, second: Header) -> bool:
    if first.spacing != second.spacing or not np.array_equal(first.orientation, second.orientation):
        return False
    with refuse_damage(second.path, SeriesError):
        one, other = (read_dataset(header.path) for header in (first, second))
        syntaxes = {dataset.file_meta.get("TransferSyntaxUID") for dataset in (one, other)}
        return len(syntaxes) == 1 and all(one.get(name) == other.get(name) for name in COPIED)


def _check_twins(headers: list[Header]) -> None:
    """SOPInstanceUIDs name one image each (DICOM PS3.3 C.12.1); two images of one UID are a mixture."""
    seen: dict[str, Header] = {}
    for header in headers:
        twin = seen.setdefault(header.instance_uid, header) if header.instance_uid else header
        if twin is not header:
            raise SeriesError(
                header.path, f"it shares its SOPInstanceUID with {twin.path}", "take the file away that doesn't belong"
            )


def measure_grid(series: Series) -> Grid:
    """The grid of a series, from headers (and pixels only where two slices have one place).

    Raises:
        SeriesError: the series is irregular.
    """
    return sort_series(series)[1]
