"""Several scans of one folder by the rules of a bundle: one for each study, or one for each series that matches."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medunet.cohort.discovery import name_case
from medunet.errors import InputError, SeriesError
from medunet.findings import warn
from medunet.inference.scans import Options, Scan, choose_scan, miss_channel, spread_options
from medunet.reading import Contents, Image, Series, find_again
from medunet.reading.rules import NO_RULE, Rules, explain_series
from medunet.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A scan that rules found.

    Attributes:
        id: its name, the same in whatever order files are found.
        source: what it is, in words.
        folder: of its files.
        find: gives it, or raises why it can't be used.
    """

    id: str
    source: str
    folder: Path
    find: Callable[[], Scan]


def part_visits(found: Iterable[Series], task: Task, rules: Rules) -> list[list[Series]]:
    """The series of one patient by scans: its studies where one has every channel, those that lack one last, else all.

    Args:
        found: of the patient.
        task: of the bundle.
        rules: by channel; a study in which no series follows one is none.
    """
    studies: dict[str, list[Series]] = {}
    for series in found:
        studies.setdefault(series.study_uid, []).append(series)
    has = {uid: sum(_has(own, name, task, rules) for name in task.channels) for uid, own in sorted(studies.items())}
    some = sorted((uid for uid, count in has.items() if count), key=lambda uid: -has[uid])
    if len(some) < 2 or has[some[0]] < len(task.channels):
        return [[series for own in studies.values() for series in own]]
    return [studies[uid] for uid in some]


def _has(found: Iterable[Series], channel: str, task: Task, rules: Rules) -> bool:
    rule = rules.get(channel, NO_RULE)
    return any(not explain_series(series, rule, task.modalities[channel]) for series in found)


def list_visits(path: Path, contents: Contents, task: Task, options: Options, rules: Rules) -> list[Match]:
    """The scans of a tree of DICOM studies by rules, patient by patient.

    Args:
        path: of the tree.
        contents: what it holds, with whole headers.
        task: of the bundle.
        options: how to read a channel, by its name, or all by "".
        rules: which series is a channel, by its name.

    Returns:
        A scan for each patient, or for each study where several have every channel; the folder itself where it holds
        one alone.
    """
    for damage in contents.damaged if contents.series else ():
        warn(damage.code, damage.subject, f"{damage.found}; it was set aside", damage.remedy)
    patients: dict[str, list[Series]] = {}
    for series in contents.series:
        patients.setdefault(series.patient_id, []).append(series)
    several = len(patients) > 1
    made = []
    for patient, found in sorted(patients.items()):
        visits = part_visits(found, task, rules)
        if not several and len(visits) == 1:
            return [Match("", str(path), path, partial(choose_scan, path, contents, task, options, rules))]
        if not patient:
            said = "it holds series that name no patient (PatientID)"
            error = SeriesError(path, said, "give the folder of each scan", code="patient-missing")
            made.append(Match("_", f"{path}: no PatientID", path, partial(_refuse, error)))
            continue
        for number, visit in enumerate(visits, start=1):
            name = name_case(patient, number if len(visits) > 1 else 0)
            part = Contents(tuple(visit), (), ())
            made.append(Match(name, f"{path}: {name}", path, partial(choose_scan, path, part, task, options, rules)))
    return made


def list_each(
    path: Path, contents: Contents, task: Task, options: Options, rules: Rules, name: str = ""
) -> list[Match]:
    """Each series of a folder that follows the rule of the only channel, as a scan of its own.

    Args:
        path: of the folder.
        contents: what it holds; headers needn't be kept, they are read again when the turn of a scan comes.
        task: of the bundle.
        options: as of `list_visits`.
        rules: as of `list_visits`; what they prefer doesn't count.
        name: of the case that the folder is; that of the folder if not given.

    Returns:
        A scan for each, called `FOLDER_s<SeriesNumber>`, with the PatientID for FOLDER where there are several
        patients and no name, and with a part of the hash of the UID where the number is absent or there twice.
    """
    channel = task.channels[0]
    rule, modality = rules.get(channel, NO_RULE), task.modalities[channel]
    several = len({series.patient_id for series in contents.series}) > 1 and not name
    whole = name or path.resolve().name
    names = {item.uid: _name_series(item, name_case(item.patient_id) if several else whole) for item in contents.series}
    taken = list(names.values())
    made = []
    for series in contents.series:
        if explain_series(series, rule, modality):
            continue
        own_name = names[series.uid]
        if not re.fullmatch(r".*_s\d+", own_name) or taken.count(own_name) > 1:
            own_name = f"{own_name}_{hashlib.sha256(series.uid.encode()).hexdigest()[:8]}"
        own = series.make_absolute()
        find = partial(_find_series, own_name, own.files, own.uid, own.folder, task, options)
        made.append(Match(own_name, f"{path}: {own_name}", Path(own.folder), find))
    if made or not contents.series:
        return made
    error = miss_channel(path, contents.series, channel, task, None, rules)
    return [Match(whole, str(path), path, partial(_refuse, error))]


def _name_series(series: Series, whole: str) -> str:
    return f"{whole}_s{name_case(series.number or '_')}"


def _find_series(name: str, files: tuple[str, ...], uid: str, folder: str, task: Task, options: Options) -> Scan:
    series = find_again(files, uid)
    if series is None:
        found, remedy = "it changed after its headers were read", "try again when nothing writes to it"
        raise SeriesError(folder, found, remedy, code="files-changed")
    ((key, how),) = spread_options(options, task).items()
    return Scan(name, {key: Image(folder, how.model_copy(update={"series": uid}), series)})


def check_each(task: Task, options: Options) -> None:
    """Refuse to take each series of a bundle of several channels or of pictures, or beside one that is named.

    Raises:
        InputError: the bundle is one, or `options` name a series.
    """
    if any(how.series for how in options.values()):
        found, remedy = "--series names one of them", "leave one of both out"
        raise InputError("--each-series", found, remedy, code="option-wrong")
    if len(task.channels) > 1 or task.unit == "px":
        kind = f"{len(task.channels)} channels" if len(task.channels) > 1 else "pictures"
        found = f"the bundle takes {kind}, so that a series alone is no scan"
        raise InputError("--each-series", found, "leave it out, and choose with --series-rule", code="option-wrong")


def _refuse(error: SeriesError) -> Scan:
    raise error
