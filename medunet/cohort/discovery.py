"""Find the cases of a path: those of a list, of folders of pictures, or of a tree of DICOM studies.

In such a tree patients are found by their id, channels by modality, labels by what they reference.
"""

import os
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from medunet.cohort.carry import carry_series
from medunet.cohort.cases import (
    Case,
    Channel,
    Cohort,
    LabelSource,
    Missing,
    check_folds,
    check_ids,
    read_cohort,
)
from medunet.cohort.contoured import find_contoured
from medunet.cohort.datasets import NAME, read_dataset
from medunet.cohort.lists import ENDINGS, Tables, read_list, read_tables
from medunet.cohort.picture_folders import find_pictures, hold_pictures
from medunet.cohort.structures import name_cases, name_labels
from medunet.cohort.studies import LIST, Visit, find_visits, take_labels
from medunet.cohort.volume_folders import find_volumes, hold_volumes
from medunet.errors import GeometryError, InputError, LabelError, MissingInputError, SeriesError, independent
from medunet.findings import warn
from medunet.geometry import Grid
from medunet.labels import LabelTable
from medunet.reading import (
    Contents,
    LabelFile,
    Series,
    find_series,
    measure_grid,
    read_contours,
    read_segmentation,
)
from medunet.records import suggest

CHANNELS = {"CT": "ct", "PT": "pet", "MR": "mr"}
"""Modality to name of the channel, in the order in which one becomes the reference."""
OFF_PLANE = 0.1
"""How far, in slices, a point may lie from the slice that its contour belongs to."""
TREE = Tables(cases=".")
"""What is said of a tree of studies that nothing is said of."""


def find_cohort(
    path: Path | str,
    channels: tuple[str, ...] | None = None,
    *,
    objects: bool = False,
    missing: Missing | None = None,
) -> Cohort:
    """Read a `cohort.json` or `dataset.json` (or the folder that holds one), or find the cases of a folder.

    Args:
        path: file (a list may be CSV or JSON lines, too), or folder: of `images/` and `labels/`, or a tree of
            DICOM studies.
        channels: limits the cohort to these, in this order.
        objects: label maps number the objects of the only label.
        missing: what it means that a case has nothing of a label, where the list doesn't say it.

    Returns:
        The cohort, with absolute paths and what a `contoured.json` beside it says; a patient of a tree is a case,
        without a label where no contours fit.

    Raises:
        MissingInputError: there is no DICOM image.
        SeriesError: a patient lacks a channel or has two series of one modality, or images name no patient.
        LabelError: labels belong to nobody's images, or structures are named differently or fit no label.
        InputError: there is no such channel, or two patients would make cases of one id.
        RecordError: a list is wrong.
    """
    path = Path(path)
    if not path.exists():
        raise MissingInputError(path, "there is no such file or folder", "check the path", code="path-missing")
    listed = next((item for item in (path, path / "cohort.json", path / NAME) if item.is_file()), None)
    if listed is not None:
        read = _read_listed(listed, channels, missing)
        found = _number_objects(_limit(read, channels, listed), objects, listed)
    elif hold_pictures(path):
        found = _limit(find_pictures(path, objects=objects), channels, path)
    elif hold_volumes(path):
        found = find_volumes(path, channels, objects=objects)
    else:
        found = _number_objects(_search(path, channels, TREE.model_copy(update={"missing": missing})), objects, path)
    return find_contoured(_say(found, missing), listed or path)


def _read_listed(path: Path, channels: tuple[str, ...] | None, missing: Missing | None) -> Cohort:
    """The cohort of a list; structures that files lack are missing ones where that is said, by it or by `missing`."""
    if path.name == NAME:
        return read_dataset(path.parent)
    if path.suffix.lower() == ".zip":
        found = "it is a zip archive, and its files are needed until training ends"
        raise InputError(path, found, "unpack it first", code="archive-refused")
    if path.suffix.lower() in ENDINGS:
        return read_list(path)
    if path.suffix.lower() != ".json":
        remedy = "give a folder, or a list of cases (cohort.json, CSV, JSON lines)"
        raise InputError(path, "it is a single file, no cohort", remedy, code="list-wrong")
    tables = read_tables(path)
    if tables is None:
        return name_cases(_say(read_cohort(path), missing), path)
    tables = _say(tables, missing)
    place = path.parent / tables.cases
    if not place.exists():
        raise MissingInputError(
            place, f"{path.name} names it, but it isn't there", f"correct cases in {path}", code="path-missing"
        )
    if place.is_file():
        return name_cases(read_list(place, tables), path)
    cohort = _search(place, channels or tables.channels, tables)
    check_folds(cohort, path)
    cohort.label_options.check(cohort.labels, path)
    return cohort


S = TypeVar("S", Cohort, Tables)


def _say(said: S, missing: Missing | None) -> S:
    return said if missing is None else said.model_copy(update={"missing": missing})


def _search(path: Path, channels: tuple[str, ...] | None, tables: Tables) -> Cohort:
    found = find_series(path)
    if not found.series:
        raise MissingInputError(
            path,
            "it holds no DICOM image" if any(path.iterdir()) else "it is empty",
            "give a DICOM tree, a folder of images/ and labels/, a dataset.json, cohort.json, CSV or JSON lines",
            code="path-missing",
        )
    return carry_series(arrange_cohort(path, found, channels, tables), found.series)


def is_listed(path: Path) -> bool:
    """Whether a path is a list of cases, or a folder that holds one or is laid out as pictures; else it is scans."""
    if path.is_file():
        return path.suffix.lower() in (".json", ".zip", *ENDINGS)
    return (path / "cohort.json").is_file() or (path / NAME).is_file() or hold_pictures(path) or hold_volumes(path)


def _number_objects(cohort: Cohort, objects: bool, path: Path) -> Cohort:
    if not objects:
        return cohort
    names = cohort.labels.names
    if len(names) != 1:
        raise InputError(
            path, f"it has the labels {', '.join(names)}", "number objects of one label only", code="list-wrong"
        )
    if not cohort.labels.is_plain:
        raise InputError(path, "its labels have regions or a value to ignore", "leave --objects out", code="list-wrong")
    return cohort.model_copy(update={"labels": cohort.labels.model_copy(update={"objects": True})})


def _limit(cohort: Cohort, channels: tuple[str, ...] | None, path: Path) -> Cohort:
    if channels is None:
        return cohort
    for name in channels:
        if name not in cohort.channels:
            raise InputError(
                path, f"it has no channel '{name}'", suggest(name, list(cohort.channels)), code="channel-missing"
            )
    cases = [
        case.model_copy(update={"channels": {name: case.channels[name] for name in channels}}) for case in cohort.cases
    ]
    modalities = {name: cohort.modalities[name] for name in channels}
    return cohort.model_copy(update={"channels": channels, "modalities": modalities, "cases": tuple(cases)})


def arrange_cohort(path: Path, found: Contents, wanted: tuple[str, ...] | None = None, tables: Tables = TREE) -> Cohort:
    """Make cases of what was found in a tree of DICOM studies.

    Args:
        path: of the tree, for messages.
        found: in it.
        wanted: limits the cohort to these channels, in this order.
        tables: what a cohort.json says of them.

    Raises:
        MedunetError: as `find_cohort`.
    """
    for damage in found.damaged:
        warn(damage.code, damage.subject, f"{damage.found}; it was set aside", damage.remedy)
    patients = _group_images(found)
    modality = {name: code for code, name in CHANNELS.items()} | tables.modalities
    names = _find_channels(path, patients, wanted, list(modality))
    files: dict[str, LabelFile] = {}
    cases: list[Case] = []
    for patient, images in sorted(patients.items()):
        with independent():
            visits = find_visits(patient, images, {name: modality[name] for name in names})
            own = [item for item in found.labels if item.patient_id == patient]
            for number, visit in enumerate(visits, start=1):
                case = _make_case(patient, number if len(visits) > 1 else 0, visit)
                others = [other for other in visits if other is not visit]
                if (matched := _match_labels(take_labels(own, visit, others), visit[names[0]])) is not None:
                    files[case.id] = matched
                cases.append(case)
    labels, missing = tables.labels, tables.missing
    rois = name_labels(path, list(files.values()), labels.names if labels else (), tables.aliases, missing)
    sources = {
        name: LabelSource(path=os.path.abspath(item.path), rois=rois[item.path])
        for name, item in files.items()
        if item.path in rois
    }
    check_ids(tuple(cases), str(path))
    labelled = tuple(case.model_copy(update={"label": sources.get(case.id)}) for case in cases)
    return Cohort(
        channels=names,
        modalities={name: modality[name] for name in names},
        labels=labels or LabelTable.from_names(list(next(iter(rois.values())))),
        cases=labelled,
        folds=tables.folds,
        precedence=tables.precedence,
        label_values=tables.label_values,
        missing=missing,
    )


def list_common_channels(found: Contents) -> tuple[str, ...]:
    """The channels that all patients of a tree have."""
    patients = _group_images(found).values()
    return tuple(
        name for code, name in CHANNELS.items() if all(code in {item.modality for item in own} for own in patients)
    )


def _group_images(found: Contents) -> dict[str, list[Series]]:
    """Series by patient; every image and every file of labels belongs to a patient who has images."""
    patients: dict[str, list[Series]] = {}
    for series in found.series:
        with independent():
            if not series.patient_id:
                said = f"its {series.modality} series names no patient (PatientID)"
                raise SeriesError(series.folder, said, LIST, code="patient-missing")
            patients.setdefault(series.patient_id, []).append(series)
    for labels in found.labels:
        with independent():
            if labels.patient_id not in patients:
                said = f"its patient {labels.patient_id!r} has no images here"
                raise LabelError(labels.path, said, "add them or take it away", code="patient-missing")
    return patients


def _make_case(patient: str, number: int, images: Visit) -> Case:
    """A case without labels; the number tells several of a patient apart."""
    channels = {name: Channel(path=os.path.abspath(item.folder), series=item.uid) for name, item in images.items()}
    return Case(id=name_case(patient, number), patient=patient, channels=channels)


def name_case(patient: str, number: int = 0) -> str:
    """Name of a case by its PatientID, which a file may have; a number above 0 tells several of a patient apart."""
    name = "".join(character if character.isalnum() or character in "-_." else "_" for character in patient) or "_"
    return f"{name}_{number}" if number else name


def _find_channels(
    path: Path, patients: dict[str, list[Series]], wanted: tuple[str, ...] | None, known: list[str]
) -> tuple[str, ...]:
    for name in wanted or ():
        if name not in known:
            raise InputError(path, f"there is no channel '{name}'", suggest(name, known), code="channel-missing")
    present = {series.modality for items in patients.values() for series in items}
    names = tuple(dict.fromkeys(wanted or ())) or tuple(name for code, name in CHANNELS.items() if code in present)
    if not names:
        found = f"its series are {', '.join(sorted(present))}"
        raise SeriesError(path, found, "list the images in a cohort.json", code="channel-missing")
    return names


def _match_labels(found: list[LabelFile], reference: Series) -> LabelFile | None:
    """The labels of the reference: by the series they name, else by frame of reference and place."""
    fitting = [item for item in found if reference.uid in item.series_uids]
    frame = reference.frame_of_reference_uid
    if not fitting and frame and any(item.frame_of_reference_uid == frame for item in found):
        grid = measure_grid(reference)
        fitting = [item for item in found if item.frame_of_reference_uid == frame and _lies_on(item, grid)]
    if len(fitting) > 1:
        raise LabelError(
            f"patient {reference.patient_id}",
            f"{len(fitting)} files of labels fit its {reference.modality} ({', '.join(item.path for item in fitting)})",
            LIST,
            code="label-twice",
        )
    if found and not fitting:
        warn("label-grid", found[0].path, f"it was made on another image than the {reference.modality} series")
    return fitting[0] if fitting else None


def _lies_on(labels: LabelFile, grid: Grid) -> bool:
    """Whether all that is marked lies in the volume and on its slices; where nothing is, nothing lies elsewhere."""
    if labels.modality == "SEG":
        return _fits_grid(labels, grid)
    for points in chain.from_iterable(read_contours(labels.path).values()):
        index = grid.to_voxel(points)
        off_plane = np.abs(index[:, 2] - np.rint(index[:, 2].mean())).max()
        if off_plane > OFF_PLANE or (index <= -1).any() or (index >= grid.shape).any():
            return False
    return True


def _fits_grid(labels: LabelFile, grid: Grid) -> bool:
    """Whether the frames of a SEG consist of voxels of the grid; what else is wrong with it shows when it is read."""
    with suppress(LabelError):
        try:
            read_segmentation(labels.path, grid, LabelTable.from_names(list(dict.fromkeys(labels.names))))
        except GeometryError:
            return False
    return True
