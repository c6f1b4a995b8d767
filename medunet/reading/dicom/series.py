"""Find the DICOM series of a folder by their headers, and what else lies there."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

from medunet.codes import Code
from medunet.errors import MissingInputError, SeriesError
from medunet.findings import Note, warn
from medunet.geometry import Grid
from medunet.progress import track
from medunet.reading.dicom.claims import note_places
from medunet.reading.dicom.copies import drop_copies
from medunet.reading.dicom.file_headers import FileHeader, stamp_file
from medunet.reading.dicom.headers import Header, sort_headers
from medunet.reading.dicom.images import FoundImage, doubt, note_misfits, part_misfits
from medunet.reading.dicom.objects import LabelFile, Place
from medunet.reading.dicom.phases import Stack, stack_headers
from medunet.reading.dicom.sorting import Sorter

FEWEST_FRAMES = 4
"""Slices that each have a frame of reference of their own, from which on that isn't taken for so many groups."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Series:
    """The files of one image.

    Attributes:
        uid: SeriesInstanceUID.
        modality: CT, PT, MR, ….
        patient_id: PatientID.
        study_uid: StudyInstanceUID.
        frame_of_reference_uid: FrameOfReferenceUID, "" if there is none; of the first slice, where each has its own.
        description: SeriesDescription.
        number: SeriesNumber.
        folder: that holds all of its files.
        files: paths of the slices.
        headers: of its slices, as far as they have a place, along their normal.
        problems: why it makes no volume, as far as that shows in single headers. The first is raised when the series
            is measured or read, so that one odd series doesn't hide the others of a folder.
        notes: what of it was set aside, and what is odd about its files.
        doubtful: files that were set aside and may be slices of it; if it makes no volume, the first is the reason.
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
    number: str = ""
    notes: tuple[Note, ...] = ()
    doubtful: tuple[SeriesError, ...] = ()

    def __repr__(self) -> str:
        return f"Series({self.modality} '{self.description}' of {len(self.files)} files, {self.uid}, {self.folder})"

    @property
    def place(self) -> Place:
        """What labels may name it by."""
        slices = {header.instance_uid: header.position for header in self.headers}
        return Place(self.frame_of_reference_uid, self.study_uid, self.uid, slices)

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


def tabulate_series(found: Iterable[Series], reasons: Mapping[str, str] | None = None) -> str:
    """A table of series, a line for each below the names of its columns: what they are called by people, and UIDs.

    Args:
        found: the series.
        reasons: what stands behind each by its UID, such as why it isn't taken.
    """
    found = list(found)
    lines = [["description", "number", "modality", "slices", "SeriesInstanceUID", "folder"]]
    for item in found:
        cells = item.description, item.number, item.modality, str(len(item.headers) or len(item.files)), item.uid
        lines.append([*(cell or "-" for cell in cells), item.folder])
    if len({item.folder for item in found}) == 1:
        lines = [line[:-1] for line in lines]
    if reasons:
        lines = [
            [*line, reason] for line, reason in zip(lines, ["why", *(reasons[item.uid] for item in found)], strict=True)
        ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "\n  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _move(file: FileHeader | None) -> FileHeader | None:
    return file and replace(file, path=os.path.abspath(file.path))


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What a folder holds.

    Attributes:
        series: images, in the order of their folders and UIDs.
        labels: RTSTRUCT and DICOM SEG files.
        others: path and reason of what was set aside.
        damaged: what can't be read and was set aside too, since no series needs it.
    """

    series: tuple[Series, ...]
    labels: tuple[LabelFile, ...]
    others: tuple[tuple[str, str], ...]
    damaged: tuple[SeriesError, ...] = ()


def find_series(folder: Path | str, *, keep: bool = False) -> Contents:
    """Read the headers of all files below a folder (or of one file) and group them by SeriesInstanceUID.

    Set aside are files that are no DICOM, objects that are no images, localizers, screenshots, and damaged files
    unless their headers say to which series they belong.

    Args:
        folder: a folder, or one file.
        keep: headers are kept whole, so that nobody who reads the series or refers to it parses them again.

    Raises:
        MissingInputError: there is no such path.
    """
    root = Path(folder)
    if not root.exists():
        raise MissingInputError(root, "there is no such file or folder", "check the path", code="path-missing")
    return _group_files(list_files(root), keep)


def find_again(files: Sequence[str], uid: str, notes: Sequence[tuple[Code, str]] = ()) -> Series | None:
    """Read the headers of the files of a series that was found by somebody else, and keep them whole.

    Args:
        files: all of them, in any order.
        uid: SeriesInstanceUID.
        notes: of the series, as pairs of code and text.

    Returns:
        The series, None where the files hold no such one any more.
    """
    found = _group_files(sorted(map(Path, files), key=_list_turns), keep=True).series
    series = next((item for item in found if item.uid == uid), None)
    told = (Note(code, text) for code, text in notes)
    return series and replace(series, notes=tuple(dict.fromkeys((*told, *series.notes))))


def _group_files(paths: Sequence[Path], keep: bool) -> Contents:
    found = Sorter(keep)
    for path in track(paths, "reading headers", len(paths)):
        found.take(path)
    others = found.others
    for uid in [uid for uid, group in found.images.items() if not any(image.can_be_slice for image in group)]:
        others += [(image.path, "a picture without a place in a patient") for image in found.images.pop(uid)]
    series = [_make_series(group, found, uid) for uid, group in found.images.items()]
    return Contents(
        series=tuple(sorted(series, key=lambda item: (item.folder, item.uid))),
        labels=tuple(found.labels),
        others=tuple(others),
        damaged=tuple(found.list_damaged()),
    )


def list_files(root: Path) -> list[Path]:
    """A file itself, or all below a folder but hidden ones, those of a folder before its subfolders, by name.

    Links to folders are followed, and each folder is listed once, so that links which lead back come to an end.
    """
    found = [root] if root.is_file() else []
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found += [Path(folder) / name for name in sorted(names) if not name.startswith(".")]
    return found


def _list_turns(path: Path) -> list[tuple[bool, str]]:
    """The order of `list_files`."""
    *folders, name = path.parts
    return [*((True, folder) for folder in folders), (False, name)]


def _make_series(group: list[FoundImage], found: Sorter, uid: str) -> Series:
    images, misfits, doubtful = part_misfits(group)
    problems = (*found.damaged.get(uid, ()), *_find_problems(images))
    placed = [header for image in images for header in image.headers]
    headers = tuple(sort_headers(placed)) if placed else ()
    files = (image.path for image in images) if problems else (header.path for header in headers)
    folders = {os.path.dirname(image.path) for image in images}
    doubts = [doubt(image) for image in doubtful]
    doubts += [_doubt_file(error) for error in found.unknown if os.path.dirname(error.subject) in folders]
    first = images[0]
    if headers and has_own_frames(images):
        first = next(image for image in images if image.path == headers[0].path)
    return Series(
        uid=first.tags["SeriesInstanceUID"],
        modality=first.tags["Modality"],
        patient_id=first.tags["PatientID"],
        study_uid=first.tags["StudyInstanceUID"],
        frame_of_reference_uid=first.tags["FrameOfReferenceUID"],
        description=first.tags["SeriesDescription"],
        folder=os.path.commonpath(list(folders)),
        files=tuple(dict.fromkeys(files)),
        headers=headers,
        problems=problems,
        number=first.tags["SeriesNumber"],
        notes=_note_aside(images, found, uid, misfits, doubts),
        doubtful=tuple(doubts),
    )


def _doubt_file(error: SeriesError) -> SeriesError:
    found = f"{error.found}, so that its series can't be told"
    return SeriesError(error.subject, found, error.remedy, error.expected, code=error.code)


def _note_aside(
    images: list[FoundImage], found: Sorter, uid: str, misfits: dict[str, str], doubts: list[SeriesError]
) -> tuple[Note, ...]:
    notes = [*note_misfits(found.misfits[uid] | misfits)]
    if count := found.localizers[uid]:
        notes.insert(0, Note("set-aside", f"localizers in the series were set aside: {count}"))
    notes += [Note("set-aside", _tell_aside(error)) for error in doubts]
    if has_own_frames(images):
        said = "each slice has a FrameOfReferenceUID of its own, as some de-identification writes it; the first counts"
        notes.append(Note("frames-differ", said))
    return tuple(notes)


def _tell_aside(error: SeriesError) -> str:
    return f"{error.subject} was set aside: {error.found}"


def has_own_frames(images: Sequence[FoundImage]) -> bool:
    """Whether each image has another frame of reference than all others: then none of them tells anything."""
    frames = {image.tags["SOPInstanceUID"]: image.tags["FrameOfReferenceUID"] for image in images}
    return len(frames) >= FEWEST_FRAMES and len(set(frames.values())) == len(frames) and all(frames.values())


_SHARED: dict[str, Code] = {
    "PatientID": "patients-mixed",
    "StudyInstanceUID": "patients-mixed",
    "Modality": "slices-mixed",
    "FrameOfReferenceUID": "slices-mixed",
}
"""What all files of a series have in common, and the code of one that differs."""


def _find_problems(images: list[FoundImage]) -> tuple[SeriesError, ...]:
    problems = [image.problem for image in images if image.problem is not None]
    own_frames = has_own_frames(images)
    for name, code in _SHARED.items():
        if name == "FrameOfReferenceUID" and own_frames:
            continue
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
        headers, grid, distance = _stack(headers, phase, series)
        if distance > grid.limits.accepted:
            notes += (Note("slices-irregular", f"slices lie up to {distance:.3f} mm off the regular grid"),)
        notes += note_places([header.claims for header in headers], grid.affine, series.modality)
        notes += series.notes
        known[phase] = headers, grid, notes
    return known[phase]


def _stack(headers: Sequence[Header], phase: str | None, series: Series) -> Stack:
    """Slices in order as of `stack_headers`; what was set aside and may be one of them is warned of, or the reason."""
    try:
        stack = stack_headers(headers, phase, series.folder)
    except SeriesError as error:
        if error.code in ("several-phases", "choice-unknown"):
            raise
        raise _blame(error, series) from None
    for item in series.doubtful:
        warn(item.code, series.folder, _tell_aside(item), item.remedy)
    return stack


def _blame(error: SeriesError, series: Series) -> SeriesError:
    """The refusal of what is left of a series, together with what was set aside of it."""
    if series.doubtful:
        first = series.doubtful[0]
        found = f"{first.found}; without it, {error.subject}: {error.found}"
        return SeriesError(first.subject, found, first.remedy, first.expected, code=first.code)
    aside = "; ".join(note.text for note in series.notes if note.code == "set-aside")
    found = f"{error.found} ({aside})" if aside else error.found
    return SeriesError(error.subject, found, error.remedy, error.expected, code=error.code)


def measure_grid(series: Series, phase: str | None = None) -> Grid:
    """The grid of a series, or of one phase of it, from headers (and pixels only where a slice may be a copy).

    Raises:
        SeriesError: the series is irregular.
    """
    return sort_series(series, phase)[1]
