"""Find the cases of a path: those of a list, of folders of pictures, or of a tree of DICOM studies.

In such a tree patients are found by their id, channels by modality, labels by what they reference.
"""

import logging
import os
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np

from medunet.cohort.cases import Case, Channel, Cohort, LabelSource, check_ids, read_cohort
from medunet.cohort.datasets import NAME, read_dataset
from medunet.cohort.pictures import find_pictures, hold_pictures
from medunet.errors import GeometryError, InputError, LabelError, MissingInputError, SeriesError, independent
from medunet.geometry import Grid
from medunet.labels import LabelTable
from medunet.reading import (
    Findings,
    LabelFile,
    Series,
    find_series,
    measure_grid,
    read_contours,
    read_segmentation,
)
from medunet.records import suggest

LOGGER = logging.getLogger(__name__)
CHANNELS = {"CT": "ct", "PT": "pet", "MR": "mr"}
"""Modality to name of the channel, in the order in which one becomes the reference."""
OFF_PLANE = 0.1
"""How far, in slices, a point may lie from the slice that its contour belongs to."""
_LIST = "list the right ones in a cohort.json"


def find_cohort(path: Path | str, channels: tuple[str, ...] | None = None, *, objects: bool = False) -> Cohort:
    """Read a `cohort.json` or `dataset.json` (or the folder that holds one), or find the cases of a folder.

    Args:
        path: file, or folder: of `images/` and `labels/` of PNG, or a tree of DICOM studies.
        channels: limits the cohort to these, in this order.
        objects: label maps number the objects of the only label.

    Returns:
        The cohort, with absolute paths; a patient of a tree is a case, without a label where no contours fit.

    Raises:
        MissingInputError: there is no DICOM image.
        SeriesError: a patient lacks a channel or has two series of one modality, or images name no patient.
        LabelError: labels belong to nobody's images, or structures are named differently.
        InputError: there is no such channel, or two patients would make cases of one id.
        RecordError: the JSON is wrong.
    """
    path = Path(path)
    if not path.exists():
        raise MissingInputError(path, "there is no such file or folder", "check the path")
    listed = path if path.is_file() else path / "cohort.json"
    if listed.is_file():
        cohort = read_dataset(listed.parent) if listed.name == NAME else read_cohort(listed)
        return _number_objects(_limit(cohort, channels, listed), objects, listed)
    if (path / NAME).is_file():
        return _number_objects(_limit(read_dataset(path), channels, path / NAME), objects, path)
    if hold_pictures(path):
        return _limit(find_pictures(path, objects=objects), channels, path)
    found = find_series(path)
    if not found.series:
        raise MissingInputError(
            path,
            "it holds no DICOM image",
            "give a DICOM tree, a folder of images/ and labels/ of PNG, a dataset.json or a cohort.json",
        )
    return _number_objects(arrange_cohort(path, found, channels), objects, path)


def is_listed(path: Path) -> bool:
    """Whether a path is a list of cases, or a folder that holds one or is laid out as pictures; else it is scans."""
    if path.is_file():
        return path.suffix == ".json"
    return (path / "cohort.json").is_file() or (path / NAME).is_file() or hold_pictures(path)


def _number_objects(cohort: Cohort, objects: bool, path: Path) -> Cohort:
    if not objects:
        return cohort
    names = cohort.labels.names
    if len(names) != 1:
        raise InputError(path, f"it has the labels {', '.join(names)}", "number objects of one label only")
    return cohort.model_copy(update={"labels": cohort.labels.model_copy(update={"objects": True})})


def _limit(cohort: Cohort, channels: tuple[str, ...] | None, path: Path) -> Cohort:
    if channels is None:
        return cohort
    for name in channels:
        if name not in cohort.channels:
            raise InputError(path, f"it has no channel '{name}'", suggest(name, list(cohort.channels)))
    cases = [
        case.model_copy(update={"channels": {name: case.channels[name] for name in channels}}) for case in cohort.cases
    ]
    modalities = {name: cohort.modalities[name] for name in channels}
    return cohort.model_copy(update={"channels": channels, "modalities": modalities, "cases": tuple(cases)})


def arrange_cohort(path: Path, found: Findings, wanted: tuple[str, ...] | None = None) -> Cohort:
    """Make cases of what was found in a tree of DICOM studies.

    Args:
        path: of the tree, for messages.
        found: in it.
        wanted: limits the cohort to these channels, in this order.

    Raises:
        MedunetError: as `find_cohort`.
    """
    patients = _group_images(found)
    names = _find_channels(path, patients, wanted)
    modality = {name: code for code, name in CHANNELS.items()}
    files: dict[str, LabelFile] = {}
    channels: dict[str, dict[str, Channel]] = {}
    for patient, images in sorted(patients.items()):
        with independent():
            chosen = {name: _choose_series(patient, images, name, modality[name]) for name in names}
            channels[patient] = {
                name: Channel(path=os.path.abspath(item.folder), series=item.uid) for name, item in chosen.items()
            }
            own = [item for item in found.labels if item.patient_id == patient]
            matched = _match_labels(own, chosen[names[0]])
            if matched is not None:
                files[patient] = matched
    labels = _name_labels(path, list(files.values()))
    cases = tuple(
        Case(id=_make_id(patient), patient=patient, channels=own, label=_make_source(files.get(patient), labels))
        for patient, own in channels.items()
    )
    check_ids(cases, str(path))
    return Cohort(
        channels=names,
        modalities={name: modality[name] for name in names},
        labels=LabelTable.from_names(list(labels)),
        cases=cases,
    )


def list_common_channels(found: Findings) -> tuple[str, ...]:
    """The channels that all patients of a tree have."""
    patients = _group_images(found).values()
    return tuple(
        name for code, name in CHANNELS.items() if all(code in {item.modality for item in own} for own in patients)
    )


def _group_images(found: Findings) -> dict[str, list[Series]]:
    """Series by patient; every image and every file of labels belongs to a patient who has images."""
    patients: dict[str, list[Series]] = {}
    for series in found.series:
        with independent():
            if not series.patient_id:
                raise SeriesError(series.folder, f"its {series.modality} series names no patient (PatientID)", _LIST)
            patients.setdefault(series.patient_id, []).append(series)
    for labels in found.labels:
        with independent():
            if labels.patient_id not in patients:
                raise LabelError(
                    labels.path, f"its patient {labels.patient_id!r} has no images here", "add them or take it away"
                )
    return patients


def _make_id(patient: str) -> str:
    return "".join(character if character.isalnum() or character in "-_." else "_" for character in patient) or "_"


def _find_channels(path: Path, patients: dict[str, list[Series]], wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    known = list(CHANNELS.values())
    for name in wanted or ():
        if name not in known:
            raise InputError(path, f"there is no channel '{name}'", suggest(name, known))
    present = {series.modality for items in patients.values() for series in items}
    names = tuple(dict.fromkeys(wanted or ())) or tuple(name for code, name in CHANNELS.items() if code in present)
    if not names:
        raise SeriesError(path, f"its series are {', '.join(sorted(present))}", "list the images in a cohort.json")
    return names


def _choose_series(patient: str, found: list[Series], name: str, modality: str) -> Series:
    fitting = [series for series in found if series.modality == modality]
    if not fitting:
        raise SeriesError(
            f"patient {patient}",
            f"it has no {modality} series, which other patients have or which was asked for",
            "add it, take the patient away, or name the channels that all have with --channels",
        )
    if len(fitting) > 1:
        listed = ", ".join(f"{series.uid} '{series.description}' in {series.folder}" for series in fitting)
        raise SeriesError(f"patient {patient}", f"it has {len(fitting)} {modality} series ({listed})", _LIST)
    return fitting[0]


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
            _LIST,
        )
    if found and not fitting:
        LOGGER.warning("%s: it was made on another image than the %s series", found[0].path, reference.modality)
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


def _name_labels(path: Path, files: list[LabelFile]) -> dict[str, dict[str, str]]:
    """Labels of a cohort: for each its structure in every file.

    Structures with the same names in all files are labels of these names. A single structure whose name differs
    only in case or in its last words (GTV_CT, GTV_PET) makes one label of the common beginning.
    """
    if not files:
        raise LabelError(path, "no RTSTRUCT or SEG fits any image", "add one, or list label maps in a cohort.json")
    for item in files:
        with independent():
            if not item.names:
                raise LabelError(item.path, "it declares no structure", "export it again or take it away")
    odd = next((item for item in files if set(item.names) != set(files[0].names)), None)
    if odd is None:
        return {name: {item.path: name for item in files} for name in sorted(files[0].names)}
    common = _find_common_start(sorted({name for item in files for name in item.names}))
    if common and all(len(item.names) == 1 for item in files):
        LOGGER.info("structures named %s… make the label %s", common, common)
        return {common: {item.path: item.names[0] for item in files}}
    raise LabelError(
        odd.path,
        f"its structures are {', '.join(odd.names)}, those of {files[0].path} are {', '.join(files[0].names)}",
        "list cases and the structures of each label in a cohort.json",
    )


def _find_common_start(names: list[str]) -> str:
    """Words with which all names start, in any case, spelt as in the first; GTVp and GTVn share none."""
    length = 0
    for characters in zip(*names, strict=False):
        if len({character.lower() for character in characters}) > 1:
            break
        length += 1
    while length and any(_is_within_word(name, length) for name in names):
        length -= 1
    return names[0][:length].rstrip("_- .")


def _is_within_word(name: str, position: int) -> bool:
    pair = name[position - 1 : position + 1]
    return len(pair) == 2 and (pair.isalpha() or pair.isdigit())


def _make_source(file: LabelFile | None, labels: dict[str, dict[str, str]]) -> LabelSource | None:
    if file is None:
        return None
    rois = {label: structures[file.path] for label, structures in labels.items()}
    return LabelSource(path=os.path.abspath(file.path), rois=rois)
