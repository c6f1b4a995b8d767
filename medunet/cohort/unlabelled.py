"""Find the cases of a cohort that are to be predicted: as for training, but labels don't matter and channels have the
names of a task. A case that isn't whole comes with its reason, so that the others can be done.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medunet.cohort.cases import Case, Channel, Cohort, read_cohort
from medunet.cohort.datasets import NAME, read_unlabelled
from medunet.cohort.discovery import name_case
from medunet.cohort.lists import ENDINGS, read_list, read_tables
from medunet.cohort.studies import Visit, try_visits
from medunet.errors import InputError, MedunetError, MissingInputError, SeriesError, collecting
from medunet.findings import warn
from medunet.reading import Contents, Series, find_series
from medunet.task import Task

IMAGES = ("imagesTs", "imagesTr")
"""Folders of a dataset, the first of which that holds images is taken."""
ADD = "correct the list, or leave the case out"


@dataclass(frozen=True, slots=True, eq=False)
class Unfit:
    """A case that can't be predicted.

    Attributes:
        id: name of the case, or of what was found in its place.
        error: why.
    """

    id: str
    error: MedunetError


Found = list[Case | Unfit]


def list_cases(path: Path, task: Task) -> Found | None:
    """List the cases of a cohort: of a list (CSV, JSON lines, `cohort.json`), or of a dataset's folder.

    Args:
        path: file or folder.
        task: whose channels the cases get. Those of the cohort are matched by name, the only one with the only one,
            or by modality where each is there once.

    Returns:
        The cases, at last what isn't whole; None where the path is no such thing.

    Raises:
        MedunetError: the list can't be read, it holds no case, or its channels aren't those of the task.
    """
    if path.is_file():
        return _read_list(path, task) if path.suffix.lower() in (".json", *ENDINGS) else None
    if (path / "cohort.json").is_file():
        return _read_list(path / "cohort.json", task)
    for folder in (path, path.resolve().parent if path.name in IMAGES else path):
        named = IMAGES if folder == path else (path.name,)
        images = next((name for name in named if _hold_files(folder / name)), None)
        if images and (folder / NAME).is_file():
            return _take_channels(read_unlabelled(folder, images), folder / images, task)
    return None


def _hold_files(folder: Path) -> bool:
    return folder.is_dir() and any(item.is_file() for item in folder.iterdir())


def find_tree(path: Path) -> Path | None:
    """The tree of DICOM studies that a cohort.json, or the one in a folder, names as its cases; None elsewhere.

    Raises:
        RecordError: the cohort.json is no JSON, or a key of it is unknown.
    """
    path = path / "cohort.json" if path.is_dir() else path
    tables = read_tables(path) if path.is_file() and path.suffix.lower() == ".json" else None
    tree = path.parent / tables.cases if tables else None
    return tree if tree and tree.is_dir() else None


def _read_list(path: Path, task: Task) -> Found:
    tables = read_tables(path) if path.suffix.lower() == ".json" else None
    if tables is not None:
        place = path.parent / tables.cases
        if not place.exists():
            found = f"{path.name} names it, but it isn't there"
            raise MissingInputError(place, found, f"correct cases in {path}", code="path-missing")
        if place.is_dir():
            return list_patients(find_series(place, keep=True), task)
        path = place
    with collecting() as errors:
        cohort = read_list(path, tables) if path.suffix.lower() in ENDINGS else read_cohort(path)
    if not cohort.cases and errors:
        raise errors[0]
    lost = [Unfit(f"{path.stem}_{number}", error) for number, error in enumerate(errors, start=1)]
    return [*_take_channels(cohort, path, task), *lost]


def _take_channels(cohort: Cohort, path: Path, task: Task) -> Found:
    """The cases with the channels of a task, by its names."""
    names = _match_channels(cohort.modalities, task, path)
    cases: Found = []
    for case in cohort.cases:
        own = {name: case.channels[other] for name, other in names.items() if other in case.channels}
        lacking = [name for name in task.channels if name not in own]
        if lacking:
            error = InputError(path, f"case {case.id} lacks the channel '{lacking[0]}'", ADD, code="channel-missing")
            cases.append(Unfit(case.id, error))
        else:
            cases.append(case.model_copy(update={"channels": own, "label": None}))
    return cases


def _match_channels(own: Mapping[str, str], task: Task, path: Path) -> dict[str, str]:
    """The cohort's channel for each of a task's."""
    if all(name in own for name in task.channels):
        return {name: name for name in task.channels}
    if len(own) == len(task.channels) == 1:
        return {task.channels[0]: next(iter(own))}
    fitting = {name: [other for other, code in own.items() if code == task.modalities[name]] for name in task.channels}
    found = {name: others[0] for name, others in fitting.items() if len(others) == 1}
    if len(set(found.values())) == len(task.channels):
        return found
    said = f"its channels are {', '.join(own)}, the bundle takes {', '.join(task.channels)}"
    raise InputError(path, said, "name them as the bundle does", code="channel-missing")


def list_patients(found: Contents, task: Task) -> Found:
    """The cases of a tree of DICOM studies, patient by patient; what can't be read of it is warned of.

    Args:
        found: in the tree.
        task: whose channels, by modality, make a case.

    Returns:
        A case for each patient, or for each study where several have every channel.
    """
    for damage in found.damaged:
        warn(damage.code, damage.subject, f"{damage.found}; it was set aside", damage.remedy)
    patients: dict[str, list[Series]] = {}
    for series in found.series:
        patients.setdefault(series.patient_id, []).append(series)
    modalities = {name: task.modalities[name] for name in task.channels}
    cases: Found = []
    for patient, images in sorted(patients.items()):
        if not patient:
            folder = os.path.commonpath([item.folder for item in images])
            said = "it holds series that name no patient (PatientID)"
            cases.append(Unfit(name_case(Path(folder).name), _refuse_nameless(folder, said)))
            continue
        visits = try_visits(patient, images, modalities)
        for number, visit in enumerate(visits, start=1):
            name = name_case(patient, number if len(visits) > 1 else 0)
            cases.append(Unfit(name, visit) if isinstance(visit, MedunetError) else _make_case(name, patient, visit))
    return cases


def _refuse_nameless(folder: str, said: str) -> SeriesError:
    return SeriesError(folder, said, "give the folder of each scan, or list them in a CSV", code="patient-missing")


def _make_case(name: str, patient: str, visit: Visit) -> Case:
    channels = {}
    for channel, item in visit.items():
        series = item.make_absolute()
        channels[channel] = Channel(path=series.folder, series=series.uid).with_series(series)
    return Case(id=name, patient=patient, channels=channels)
