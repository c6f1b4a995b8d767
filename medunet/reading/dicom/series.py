"""Find the DICOM series of a folder by their headers, and what else lies there."""

import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pydicom.errors import InvalidDicomError
from pydicom.uid import (
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

from medunet.codes import Code
from medunet.errors import MissingInputError, SeriesError, independent, refuse_damage
from medunet.findings import Note
from medunet.geometry import ACCEPTED_MM, Grid
from medunet.progress import track
from medunet.reading.dicom.claims import note_places
from medunet.reading.dicom.copies import drop_copies
from medunet.reading.dicom.elements import read_dataset
from medunet.reading.dicom.file_headers import FileHeader, keep_header, stamp_file
from medunet.reading.dicom.frames import PER_FRAME, read_frames
from medunet.reading.dicom.headers import Header, read_header, sort_headers
from medunet.reading.dicom.objects import RTSTRUCT, SEG, LabelFile, describe_labels
from medunet.reading.dicom.phases import stack_headers

NO_IMAGES = {"RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG", "DOC"}
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
LOCALIZER = "a localizer"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
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
        files: paths of the slices.
        headers: of its slices, as far as they have a place, along their normal.
        problems: why it makes no volume, as far as that shows in single headers. The first is raised when the series
            is measured or read, so that one odd series doesn't hide the others of a folder.
        localizers: how many of its files are localizers, which were set aside.
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
    problems: tuple[SeriesError, ...] = ()
    localizers: int = 0

    def __repr__(self) -> str:
        return f"Series({self.modality} '{self.description}' of {len(self.files)} files, {self.uid}, {self.folder})"

    def is_unchanged(self) -> bool:
        """Whether its files are those that were found: none gone, none with another size or date."""
        files = {header.path: header.file for header in self.headers if header.file}
        try:
            return all(path in files and stamp_file(path) == files[path].stamp for path in self.files)
        except OSError:
            return False

    def make_absolute(self) -> "Series":
        """The same series, its files named so that the working directory doesn't matter."""
        if os.path.isabs(self.folder):
            return self
        files = {header.path: _move(header.file) for header in self.headers}
        headers = (
            replace(header, path=os.path.abspath(header.path), file=files[header.path]) for header in self.headers
        )
        folder, paths = os.path.abspath(self.folder), map(os.path.abspath, self.files)
        return replace(self, folder=folder, files=tuple(paths), headers=tuple(headers))


def _move(file: FileHeader | None) -> FileHeader | None:
    return file and replace(file, path=os.path.abspath(file.path))


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What a folder holds.

    Attributes:
        series: images, in the order of their folders and UIDs.
        labels: RTSTRUCT and DICOM SEG files.
        others: path and reason of what was set aside.
    """

    series: tuple[Series, ...]
    labels: tuple[LabelFile, ...]
    others: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    """What is kept of the header of one file, so that a tree of many thousands needs little memory."""

    path: str
    file: FileHeader
    tags: dict[str, str]
    headers: tuple[Header, ...]
    problem: SeriesError | None
    placed: bool


_PLACES = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", PER_FRAME)
_TAGS = ("SeriesInstanceUID", "Modality", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "SeriesDescription")


def find_series(folder: Path | str, *, keep: bool = False) -> Contents:
    """Read the headers of all files below a folder (or of one file) and group them by SeriesInstanceUID.

    Set aside are files that are no DICOM (unless called .dcm), objects that are no images, localizers, and series
    of screenshots.

    Args:
        folder: a folder, or one file.
        keep: headers are kept whole, so that nobody who reads the series or refers to it parses them again.

    Raises:
        MissingInputError: there is no such path.
        SeriesError: a file called .dcm can't be read.
    """
    root = Path(folder)
    if not root.exists():
        raise MissingInputError(root, "there is no such file or folder", "check the path", code="path-missing")
    return _group_files(list_files(root), keep)


def find_again(files: Sequence[str], uid: str, localizers: int = 0) -> Series | None:
    """Read the headers of the files of a series that was found by somebody else, and keep them whole.

    Args:
        files: all of them, in any order.
        uid: SeriesInstanceUID.
        localizers: as of the series.

    Returns:
        The series, None where the files hold no such one any more.

    Raises:
        SeriesError: a file called .dcm can't be read.
    """
    series = _group_files(sorted(map(Path, files), key=_list_turns), keep=True).series
    return next((replace(item, localizers=localizers) for item in series if item.uid == uid), None)


def _group_files(paths: Sequence[Path], keep: bool) -> Contents:
    images: dict[str, list[_Image]] = defaultdict(list)
    labels, others = [], []
    localizers: Counter[str] = Counter()
    for path in track(paths, "reading headers", len(paths)):
        with independent(), refuse_damage(path, SeriesError):
            stamp, dataset = stamp_file(path), _read_dataset(path)
            reason = dataset if isinstance(dataset, str) else _find_reason(dataset)
            if reason in (RTSTRUCT, SEG):
                labels.append(describe_labels(dataset, str(path)))
            elif reason:
                others.append((str(path), reason))
                if reason == LOCALIZER:
                    localizers[str(dataset.get("SeriesInstanceUID"))] += 1
            else:
                group = images[str(dataset.get("SeriesInstanceUID") or "")]
                kept = keep_header(dataset, group[-1].file.kept if group else None) if keep else None
                group.append(_take_image(dataset, FileHeader(str(path), stamp, kept)))
    for uid in [uid for uid, group in images.items() if not any(image.placed for image in group)]:
        others += [(image.path, "a picture without a place in a patient") for image in images.pop(uid)]
    series = [_make_series(group, localizers[uid]) for uid, group in images.items()]
    return Contents(tuple(sorted(series, key=lambda item: (item.folder, item.uid))), tuple(labels), tuple(others))


def list_files(root: Path) -> list[Path]:
    """A file itself, or all below a folder but hidden ones, those of a folder before its subfolders, by name."""
    found = [root] if root.is_file() else []
    for folder, folders, names in os.walk(root):
        folders.sort()
        found += [Path(folder) / name for name in sorted(names) if not name.startswith(".")]
    return found


def _list_turns(path: Path) -> list[tuple[bool, str]]:
    """The order of `list_files`."""
    *folders, name = path.parts
    return [*((True, folder) for folder in folders), (False, name)]


def _read_dataset(path: Path) -> Any:
    """A dataset without pixels, or the reason why the file is set aside."""
    try:
        dataset = read_dataset(path)
    except InvalidDicomError:
        if path.suffix.lower() == ".dcm":
            found = "it is called .dcm but is no DICOM file"
            raise SeriesError(path, found, "restore it or take it away", code="file-damaged") from None
        return "a zip archive, to be unpacked first" if zipfile.is_zipfile(path) else "no DICOM file"
    except (OSError, EOFError, ValueError, RecursionError, AttributeError, NotImplementedError) as error:
        found = f"its header can't be read ({error})"
        raise SeriesError(path, found, "restore the file or take it away", code="file-damaged") from None
    if "DirectoryRecordSequence" in dataset:
        return "a DICOMDIR"
    return dataset


def _find_reason(dataset: Any) -> str:
    """Why an object is no slice of a series; RTSTRUCT or SEG for labels, "" for an image."""
    modality = str(dataset.get("Modality") or "an object")
    if modality in (RTSTRUCT, SEG):
        return modality
    if modality in NO_IMAGES:
        return f"{modality} is no image"
    # To set a slice aside whose header broke off would be to lose it without a word.
    if "Rows" not in dataset and dataset.get("SOPClassUID") not in SLICES:
        return f"{modality} is no image"
    image_type = dataset.get("ImageType") or []
    if "LOCALIZER" in ([image_type] if isinstance(image_type, str) else image_type):
        return LOCALIZER
    return ""


def _take_image(dataset: Any, file: FileHeader) -> _Image:
    headers: tuple[Header, ...] = ()
    problem: SeriesError | None = None
    try:
        headers = read_frames(dataset, file.path) if PER_FRAME in dataset else (read_header(dataset, file.path),)
    except SeriesError as error:
        problem = error
    return _Image(
        path=file.path,
        file=file,
        tags={name: str(dataset.get(name) or "") for name in _TAGS},
        headers=tuple(replace(header, file=file) for header in headers),
        problem=problem,
        placed=dataset.get("SOPClassUID") in SLICES or any(name in dataset for name in _PLACES),
    )


def _make_series(images: list[_Image], localizers: int) -> Series:
    first = images[0]
    problems = _find_problems(images)
    placed = [header for image in images for header in image.headers]
    headers = tuple(sort_headers(placed)) if placed else ()
    files = (image.path for image in images) if problems else (header.path for header in headers)
    return Series(
        uid=first.tags["SeriesInstanceUID"],
        modality=first.tags["Modality"],
        patient_id=first.tags["PatientID"],
        study_uid=first.tags["StudyInstanceUID"],
        frame_of_reference_uid=first.tags["FrameOfReferenceUID"],
        description=first.tags["SeriesDescription"],
        folder=os.path.commonpath([os.path.dirname(image.path) for image in images]),
        files=tuple(dict.fromkeys(files)),
        headers=headers,
        problems=problems,
        localizers=localizers,
    )


_SHARED: dict[str, Code] = {
    "PatientID": "patients-mixed",
    "StudyInstanceUID": "patients-mixed",
    "Modality": "slices-mixed",
    "FrameOfReferenceUID": "slices-mixed",
}
"""What all files of a series have in common, and the code of one that differs."""


def _find_problems(images: list[_Image]) -> tuple[SeriesError, ...]:
    problems = [image.problem for image in images if image.problem is not None]
    for name, code in _SHARED.items():
        odd = next((image.path for image in images if image.tags[name] != images[0].tags[name]), None)
        if odd is not None:
            found = f"its {name} differs from that of {images[0].path} in the same series"
            problems.append(SeriesError(odd, found, "take the file away, or split the series", code=code))
    return tuple(problems)


Sorted = tuple[list[Header], Grid, tuple[Note, ...]]
_SORTED: WeakKeyDictionary[Series, dict[str | None, Sorted]] = WeakKeyDictionary()


def sort_series(series: Series, phase: str | None = None) -> Sorted:
    """Order the slices of a series along their normal and fit its grid; once, however many ask.

    Args:
        series: as found.
        phase: which of its images, where it holds several at the same places.

    Returns:
        Headers in order, grid, and notes of what was repaired or is odd.

    Raises:
        SeriesError: the series is irregular, or holds several images.
    """
    known = _SORTED.setdefault(series, {})
    if phase not in known:
        if series.problems:
            raise series.problems[0]
        headers, notes = drop_copies(series.headers)
        headers, grid, distance = stack_headers(headers, phase, series.folder)
        if distance > ACCEPTED_MM:
            notes += (Note("slices-irregular", f"slices lie up to {distance:.3f} mm off the regular grid"),)
        notes += note_places([header.claims for header in headers], grid.affine, series.localizers)
        known[phase] = headers, grid, notes
    return known[phase]


def measure_grid(series: Series, phase: str | None = None) -> Grid:
    """The grid of a series, or of one phase of it, from headers (and pixels only where a slice may be a copy).

    Raises:
        SeriesError: the series is irregular.
    """
    return sort_series(series, phase)[1]
