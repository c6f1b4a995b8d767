"""From what a user names to scans, each with a name of its own, so that no two outputs collide.

Names come from paths alone: a scan is looked at when its turn comes, so that a thousand take the memory of one.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from medunet.cohort import Case, Unfit, list_cases, list_patients
from medunet.cohort.unlabelled import IMAGES, find_tree
from medunet.errors import MedunetError
from medunet.files import check_input
from medunet.inference.record import find_record
from medunet.inference.scans import (
    NO_OPTIONS,
    NO_RULES,
    Options,
    Scan,
    check_names,
    check_scan,
    choose_channel,
    choose_scan,
    find_scan,
    list_pictures,
    name_scan,
    spread_options,
)
from medunet.inference.series import Match, check_each, list_each, list_visits
from medunet.reading import find_series, is_image_file, strip_ending
from medunet.reading.rules import Rules
from medunet.task import Task

Given = Path | Mapping[str, Path]
"""A file or folder, or a path for each channel."""
LONGEST = 200
"""Bytes of the name of a scan; file systems take 255 for a name of a file."""
BESIDE = (".json", ".csv", ".tsv", ".txt", ".md", ".yaml", ".yml", ".bval", ".bvec", ".xml", ".pdf", ".log")
"""Endings of files that may lie in a folder of images; what else lies there may be DICOM."""
UNSAFE = re.compile(r"[^\w.+-]+")
"""What names of files shouldn't hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """What a user wants to be predicted.

    Attributes:
        source: as it was given, in words.
        path: of the file or folder; of several the first channel's.
        id: name of the scan, with which the names of its files begin.
        find: finds the scan.
    """

    source: str
    path: Path
    id: str
    find: Callable[[], Scan]


Part = Given | Input


def list_inputs(
    given: Sequence[Given], task: Task, options: Options = NO_OPTIONS, rules: Rules = NO_RULES, *, each: bool = False
) -> list[Input]:
    """List the scans that a user named, none of them read yet.

    Args:
        given: files, folders of a series or a patient, folders of files, a path for each channel, or cohorts: lists
            (CSV, JSON lines, `cohort.json`), folders of a dataset, and a tree of DICOM studies where it is given alone.
            What is given twice counts once. Files of several channels are put together by their names,
            `CASE_ct.nii.gz` and `CASE_pet.nii.gz`, or `CASE_0000.nii.gz` and `CASE_0001.nii.gz` as nnU-Net has them.
        task: of the bundle.
        options: how to read a channel, by its name, or all by "".
        rules: which series is a channel, by its name; in lists of those entries that name a folder of several.
        each: of a folder of DICOM, of a list's entry too, every series that follows the rule of the only channel is a
            scan of its own.

    Returns:
        The scans, in order, no two with the same id: where names repeat they get the name of the folder that holds
        them before theirs, or else the ending of the file, or a part of the hash of the path. A case of a cohort has
        its name there; one that isn't whole is refused when it is found.

    Raises:
        InputError: an option or a path is of no channel, the channels of a cohort aren't those of the task, or each
            series is to be a scan of a bundle that takes several, or beside one that is named.
        MedunetError: a list of cases can't be read.
    """
    spread_options(options, task)
    for item in given:
        check_names(() if isinstance(item, Path) else item, task)
    if each:
        check_each(task, options)
    parts = [
        part
        for item in given
        for part in _open_cohort(item, task, options, rules, each=each) or _open_folder(item, task)
    ]
    if each:
        parts = [part for item in parts for part in _open_each(item, task, options, rules)]
    elif len(parts) == 1 and isinstance(parts[0], Path):
        parts = _open_tree(parts[0], task, options, rules)
    whole = _join_channels(parts, task)
    once = {item.source if isinstance(item, Input) else describe_given(item): (name, item) for name, item in whole}
    return name_apart([made for source, item in once.items() for made in _list(source, *item, task, options, rules)])


def describe_given(item: Given) -> str:
    """An input in words: its path, or NAME=PATH for each channel."""
    return str(item) if isinstance(item, Path) else " ".join(f"{name}={path}" for name, path in item.items())


def _open_cohort(item: Given, task: Task, options: Options, rules: Rules, *, each: bool) -> list[Part]:
    """The cases of a list or of a dataset's folder; none where it is something else."""
    if not isinstance(item, Path):
        return []
    tree = find_tree(item) if rules or each else None
    if tree is not None:
        return _open_each(tree, task, options, rules) if each else _open_tree(tree, task, options, rules)
    cases = list_cases(item, task) or []
    return [part for case in cases for part in _open_case(case, item, task, options, rules, each=each)]


def _open_case(
    case: Case | Unfit, cohort: Path, task: Task, options: Options, rules: Rules, *, each: bool
) -> list[Part]:
    """The scan of a case; or each series of its folder that is one, with the name of the case before theirs."""
    if each and not isinstance(case, Unfit):
        channel = case.channels[task.channels[0]]
        folder = Path(channel.path)
        if channel.series is None and folder.is_dir():
            return _open_each(folder, task, options, rules, case.id)
    return [_take_case(case, cohort, task, options, rules)]


def _open_each(item: Part, task: Task, options: Options, rules: Rules, name: str = "") -> list[Part]:
    """Each series of a folder of DICOM that is a scan, called by its name or another; anything else itself."""
    if not isinstance(item, Path) or not item.is_dir():
        return [item]
    try:
        contents = find_series(item)
    except MedunetError as error:
        return [_make(str(item), item, partial(_refuse, error))]
    return [_take_match(match) for match in list_each(item, contents, task, options, rules, name)] or [item]


def _take_match(match: Match) -> Input:
    made = _make(match.source, match.folder, match.find)
    return replace(made, id=match.id) if match.id else made


def _open_tree(path: Path, task: Task, options: Options, rules: Rules) -> list[Part]:
    """The cases of a tree of DICOM studies; of a folder of one scan that scan, whose headers are read now.

    Of one among many inputs nobody looks into the folder before its turn comes, so that a thousand take the memory of
    one.
    """
    if task.unit == "px" or not path.is_dir():
        return [path]
    try:
        contents = find_series(path, keep=True)
    except MedunetError as error:
        return [_make(str(path), path, partial(_refuse, error))]
    patients = {item.patient_id for item in contents.series}
    chosen = any(item.series for item in options.values())
    if rules and not chosen:
        return [_take_match(match) for match in list_visits(path, contents, task, options, rules)] or [path]
    cases = list_patients(contents, task) if len(patients) > 1 or not chosen else []
    if len(patients) > 1 or len(cases) > 1:
        return [_take_case(case, path, task, options, rules) for case in cases]
    return [_make(str(path), path, partial(choose_scan, path, contents, task, options, rules))]


def _take_case(case: Case | Unfit, cohort: Path, task: Task, options: Options, rules: Rules) -> Input:
    find = partial(_refuse, case.error) if isinstance(case, Unfit) else partial(_find_case, case, task, options, rules)
    first = "" if isinstance(case, Unfit) else case.channels[task.channels[0]].path
    return replace(_make(f"{cohort}: {case.id}", Path(first), find), id=case.id)


def _find_case(case: Case, task: Task, options: Options, rules: Rules) -> Scan:
    """The scan of a case; what a user says of a channel goes before what the cohort says."""
    said = {name: options.get(name, options.get("")) for name in task.channels}
    channels = {
        name: channel.model_copy(update=how.model_dump(exclude_unset=True)) if (how := said[name]) else channel
        for name, channel in case.channels.items()
    }
    keys = zip(task.image_keys(), task.channels, strict=True)
    images = {key: choose_channel(channels[name], name, task, rules) for key, name in keys}
    return check_scan(Scan(case.id, images), task)


def _open_folder(item: Given, task: Task) -> list[Part]:
    """The files of a folder that holds images which aren't DICOM and nothing that may be; else the item itself.

    Masks that were written there by an earlier prediction are no scans.
    """
    if not isinstance(item, Path) or not item.is_dir():
        return [item]
    if task.unit == "px":
        pictures = item / "images"
        return [pictures if pictures.is_dir() and not any(item.glob("*.[pP][nN][gG]")) else item]
    try:
        volumes = item / "images"
        if volumes.is_dir() and any(map(is_image_file, volumes.iterdir())):
            item = volumes
        inside = sorted(path for path in item.iterdir() if not path.name.startswith("."))
    except OSError:
        return [item]
    images = {path.name: path for path in inside if is_image_file(path)}
    others = [path for path in inside if path.name not in images]
    if not images or not all(path.suffix.lower() in BESIDE and path.is_file() for path in others):
        return [item]
    records = [record for path in others if path.suffix == ".json" and (record := find_record(path))]
    masks = {output.file for record in records for output in record.outputs.values()}
    return [path for name, path in images.items() if name not in masks] or [item]


def _join_channels(given: Sequence[Part], task: Task) -> list[tuple[str, Part]]:
    """Put files of several channels together by their names; each scan with its name, "" where it follows later."""
    if len(task.channels) == 1:
        return [(_name_single(item), item) for item in given]
    ends = "|".join(map(re.escape, task.channels))
    pattern = re.compile(rf"(.+)[_-](\d{{4}}|{ends})", re.IGNORECASE)
    numbers = {name.casefold(): name for name in task.channels}
    numbers |= {f"{number:04}": name for number, name in enumerate(task.channels)}
    joined: dict[object, tuple[str, Part]] = {}
    for item in given:
        match = pattern.fullmatch(strip_ending(item.name)) if isinstance(item, Path) and is_image_file(item) else None
        if not isinstance(item, Path) or match is None or match[2].casefold() not in numbers:
            joined[len(joined)] = "", item
            continue
        _, known = joined.setdefault((item.parent, match[1]), (match[1], {}))
        if isinstance(known, dict):
            known.setdefault(numbers[match[2].casefold()], item)
    return list(joined.values())


def _name_single(item: Part) -> str:
    """Name of the case of a file of nnU-Net's folders, "" of any other."""
    inside = isinstance(item, Path) and item.parent.name in IMAGES
    match = re.fullmatch(r"(.+)_0000", strip_ending(item.name)) if isinstance(item, Path) and inside else None
    return match[1] if match else ""


def _list(source: str, name: str, item: Part, task: Task, options: Options, rules: Rules) -> list[Input]:
    if isinstance(item, Input):
        return [item]
    if not isinstance(item, Path):
        first = item.get(task.channels[0]) or next(iter(item.values()), Path())
        made = _make(source, first, partial(name_scan, item, task, options, rules))
        return [replace(made, id=name) if name else made]
    if task.unit == "px" and item.is_dir():
        try:
            pictures = list_pictures(item)
        except MedunetError as error:
            return [_make(source, item, partial(_refuse, error))]
        return [_make(str(path), path, partial(find_scan, path, task, options)) for path in pictures]
    made = _make(source, item, partial(_find, item, task, options, rules))
    return [replace(made, id=name) if name else made]


def _make(source: str, path: Path, find: Callable[[], Scan]) -> Input:
    item = Input(source, path, strip_ending(path.name) if path.is_file() else path.resolve().name, find)
    if len(item.id.encode(errors="surrogateescape")) <= LONGEST:
        return item
    # With the endings of outputs, it would be longer than file systems take.
    short = item.id.encode(errors="surrogateescape")[: LONGEST - 9].decode(errors="ignore")
    return replace(item, id=_by_hash(replace(item, id=short)))


def _find(path: Path, task: Task, options: Options, rules: Rules) -> Scan:
    check_input(path)
    return find_scan(path, task, options, rules)


def _refuse(error: MedunetError) -> Scan:
    raise error


def name_apart(inputs: Sequence[Input]) -> list[Input]:
    """Give scans of one name names of their own; the first way counts that tells all of them apart."""
    names = [item.id for item in inputs]
    for name in [name for name, count in Counter(names).items() if count > 1]:
        alike = [number for number, other in enumerate(names) if other == name]
        taken = {other for number, other in enumerate(names) if number not in alike}
        for way in WAYS:
            new = [way(inputs[number]) for number in alike]
            if len(set(new)) == len(new) and not taken & set(new):
                for number, other in zip(alike, new, strict=True):
                    names[number] = other
                break
    return [replace(item, id=name) for item, name in zip(inputs, names, strict=True)]


def _by_folder(item: Input) -> str:
    return f"{_clean(item.path.resolve().parent.name)}_{item.id}"


def _by_ending(item: Input) -> str:
    return _clean(item.path.name.replace(".", "_"))


def _by_hash(item: Input) -> str:
    what = str(item.path.resolve())
    return f"{item.id}_{hashlib.sha256(what.encode(errors='surrogateescape')).hexdigest()[:8]}"


WAYS: tuple[Callable[[Input], str], ...] = (_by_folder, _by_ending, _by_hash)


def _clean(name: str) -> str:
    return UNSAFE.sub("_", name)
