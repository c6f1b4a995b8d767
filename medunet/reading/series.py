"""Find the DICOM series of a folder by their headers, and what else lies there."""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from medunet.errors import MissingInputError, SeriesError
from medunet.geometry import ACCEPTED_MM, Grid
from medunet.progress import track
from medunet.reading.contours import RTSTRUCT, ContourFile, describe_contours
from medunet.reading.headers import Header, fit_grid, order_headers, read_header

NO_IMAGES = {"RTSTRUCT", "RTPLAN", "RTDOSE", "SEG", "SR", "PR", "KO", "REG", "DOC"}


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
        headers: of its slices, as found.
    """

    uid: str
    modality: str
    patient_id: str
    study_uid: str
    frame_of_reference_uid: str
    description: str
    folder: str
    headers: tuple[Header, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the slices."""
        return tuple(header.path for header in self.headers)


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


def find_series(folder: Path | str) -> Findings:
    """Read the headers of all files below a folder (or of one file) and group them.

    Raises:
        MissingInputError: there is no such path.
        SeriesError: a series has files of two patients, or a file that places no pixel.
    """
    root = Path(folder)
    if not root.exists():
        raise MissingInputError(root, "there is no such file or folder", "check the path")
    paths = [root] if root.is_file() else _list_files(root)
    images: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    contours, others = [], []
    for path in track(paths, "reading headers", len(paths)):
        dataset = _read_dataset(path)
        if isinstance(dataset, str):
            others.append((str(path), dataset))
        elif dataset.get("Modality") == RTSTRUCT:
            contours.append(describe_contours(dataset, str(path)))
        elif dataset.get("Modality") in NO_IMAGES or "Rows" not in dataset:
            others.append((str(path), f"{dataset.get('Modality', 'an object')} is no image"))
        elif "LOCALIZER" in (dataset.get("ImageType") or []):
            others.append((str(path), "a localizer"))
        else:
            images[str(dataset.get("SeriesInstanceUID", ""))].append((str(path), dataset))
    series = [_make_series(uid, files) for uid, files in images.items()]
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
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        if path.suffix.lower() == ".dcm":
            raise SeriesError(path, "it is called .dcm but is no DICOM file", "restore it or take it away") from None
        return "no DICOM file"
    except (OSError, EOFError, ValueError, RecursionError, AttributeError, NotImplementedError) as error:
        raise SeriesError(path, f"its header can't be read ({error})", "restore the file or take it away") from None
    if "DirectoryRecordSequence" in dataset:
        return "a DICOMDIR"
    return dataset


def _make_series(uid: str, files: list[tuple[str, Any]]) -> Series:
    first_path, first = files[0]
    for name in ("PatientID", "StudyInstanceUID"):
        for path, dataset in files:
            if dataset.get(name) != first.get(name):
                raise SeriesError(
                    path, f"its {name} differs from that of {first_path} in the same series", "take the file away"
                )
    headers = []
    for path, dataset in files:
        headers.append(read_header(dataset, path))
    parents = {os.path.dirname(path) for path, _ in files}
    return Series(
        uid=uid,
        modality=str(first.get("Modality", "")),
        patient_id=str(first.get("PatientID", "")),
        study_uid=str(first.get("StudyInstanceUID", "")),
        frame_of_reference_uid=str(first.get("FrameOfReferenceUID", "")),
        description=str(first.get("SeriesDescription", "")),
        folder=os.path.commonpath(parents) if parents else "",
        headers=tuple(headers),
    )


def sort_series(series: Series) -> tuple[list[Header], Grid, tuple[str, ...]]:
    """Order the slices of a series along their normal and fit its grid.

    Returns:
        Headers in order, grid, and notes of what was repaired or is odd.

    Raises:
        SeriesError: the series is irregular.
    """
    headers, notes = _drop_copies(order_headers(series.headers))
    grid, distance = fit_grid(headers)
    if distance > ACCEPTED_MM:
        notes += (f"slices lie up to {distance:.3f} mm off the regular grid",)
    return headers, grid, notes


def _drop_copies(headers: list[Header]) -> tuple[list[Header], tuple[str, ...]]:
    """Drop files that repeat another byte for byte."""
    kept: list[Header] = []
    notes: tuple[str, ...] = ()
    for header in headers:
        twin = kept[-1] if kept and kept[-1].instance_uid == header.instance_uid else None
        if twin is not None and Path(twin.path).read_bytes() == Path(header.path).read_bytes():
            notes += (f"{header.path} is a copy of {twin.path} and was left out",)
            continue
        kept.append(header)
    return kept, notes


def measure_grid(series: Series) -> Grid:
    """The grid of a series, from headers alone.

    Raises:
        SeriesError: the series is irregular.
    """
    return sort_series(series)[1]
