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

from medunet.errors import MedunetError
from medunet.files import check_input
from medunet.inference.scans import (
    NO_OPTIONS,
    Options,
    Scan,
    find_scan,
    list_pictures,
    name_scan,
    spread_options,
    strip,
)
from medunet.task import Task

Given = Path | Mapping[str, Path]
"""A file or folder, or a path for each channel."""
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


def list_inputs(given: Sequence[Given], task: Task, options: Options = NO_OPTIONS) -> list[Input]:
    """List the scans that a user named, none of them read yet.

    Args:
        given: files, folders of a series or a patient, folders of pictures, or a path for each channel. What is given
            twice counts once.
        task: of the bundle.
        options: how to read a channel, by its name, or all by "".

    Returns:
        The scans, in order, no two with the same id: where names repeat they get the name of the folder that holds
        them before theirs, or else the ending of the file, or a part of the hash of the path.

    Raises:
        InputError: an option names no channel.
    """
    spread_options(options, task)
    once = {describe_given(item): item for item in given}
    return name_apart([made for source, item in once.items() for made in _list(source, item, task, options)])


def describe_given(item: Given) -> str:
    """An input in words: its path, or NAME=PATH for each channel."""
    return str(item) if isinstance(item, Path) else " ".join(f"{name}={path}" for name, path in item.items())


def _list(source: str, item: Given, task: Task, options: Options) -> list[Input]:
    if not isinstance(item, Path):
        first = item.get(task.channels[0]) or next(iter(item.values()), Path())
        return [_make(source, first, partial(name_scan, item, task, options))]
    if task.unit == "px" and item.is_dir():
        try:
            pictures = list_pictures(item)
        except MedunetError as error:
            return [_make(source, item, partial(_refuse, error))]
        return [_make(str(path), path, partial(find_scan, path, task, options)) for path in pictures]
    return [_make(source, item, partial(_find, item, task, options))]


def _make(source: str, path: Path, find: Callable[[], Scan]) -> Input:
    return Input(source, path, strip(path.name) if path.is_file() else path.resolve().name, find)


def _find(path: Path, task: Task, options: Options) -> Scan:
    check_input(path)
    return find_scan(path, task, options)


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
