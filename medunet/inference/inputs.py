"""From what a user names to scans, each with a name of its own, so that no two outputs collide."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medunet.errors import MedunetError
from medunet.inference.scans import NO_OPTIONS, Options, Scan, find_scans, name_scan, spread_options
from medunet.task import Task

Given = Path | Mapping[str, Path]
"""A file or folder, or a path for each channel."""
UNSAFE = re.compile(r"[^\w.+-]+")
"""What names of files shouldn't hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What an input turned out to be.

    Attributes:
        source: the input, as it was given.
        scan: that is to be predicted; or why there is none.
    """

    source: str
    scan: Scan | MedunetError


def find_inputs(given: Sequence[Given], task: Task, options: Options = NO_OPTIONS) -> list[Found]:
    """Find the scans of several inputs; one that is refused doesn't keep the others from being found.

    Args:
        given: files, folders of a series or a patient, folders of pictures, or a path for each channel. What is given
            twice counts once.
        task: of the bundle.
        options: how to read a channel, by its name, or all by "".

    Returns:
        The scans, in order, no two with the same name: where names repeat they get the name of the folder that holds
        them before theirs, or else PatientID, the ending of the file, or a part of the hash of the path.

    Raises:
        InputError: an option names no channel.
    """
    spread_options(options, task)
    once = {describe_given(item): item for item in given}
    found = [scan for source, item in once.items() for scan in _find(source, item, task, options)]
    return name_apart(found)


def describe_given(item: Given) -> str:
    """An input in words: its path, or NAME=PATH for each channel."""
    return str(item) if isinstance(item, Path) else " ".join(f"{name}={path}" for name, path in item.items())


def _find(source: str, item: Given, task: Task, options: Options) -> list[Found]:
    try:
        scans = find_scans(item, task, options) if isinstance(item, Path) else [name_scan(item, task, options)]
    except MedunetError as error:
        return [Found(source, error)]
    # Of a folder of pictures each is an input of its own.
    return [Found(scan.reference.path if len(scans) > 1 else source, scan) for scan in scans]


def name_apart(found: Sequence[Found]) -> list[Found]:
    """Give scans of one name names of their own; the first way counts that tells all of them apart."""
    names = [item.scan.id if isinstance(item.scan, Scan) else "" for item in found]
    for name in [name for name, count in Counter(names).items() if name and count > 1]:
        alike = [number for number, other in enumerate(names) if other == name]
        taken = {other for number, other in enumerate(names) if number not in alike}
        for way in WAYS:
            new = [way(found[number].scan) for number in alike]  # type: ignore[arg-type]
            if len(set(new)) == len(new) and not taken & set(new):
                for number, other in zip(alike, new, strict=True):
                    names[number] = other
                break
    return [
        replace(item, scan=replace(item.scan, id=name)) if isinstance(item.scan, Scan) else item
        for item, name in zip(found, names, strict=True)
    ]


def _by_folder(scan: Scan) -> str:
    return f"{_clean(Path(scan.reference.path).resolve().parent.name)}_{scan.id}"


def _by_patient(scan: Scan) -> str:
    series = scan.reference.series
    return f"{_clean(series.patient_id)}_{scan.id}" if series and series.patient_id else scan.id


def _by_ending(scan: Scan) -> str:
    return _clean(Path(scan.reference.path).name.replace(".", "_"))


def _by_hash(scan: Scan) -> str:
    series = scan.reference.series
    what = f"{Path(scan.reference.path).resolve()} {series.uid if series else ''}"
    return f"{scan.id}_{hashlib.sha256(what.encode(errors='surrogateescape')).hexdigest()[:8]}"


WAYS: tuple[Callable[[Scan], str], ...] = (_by_folder, _by_patient, _by_ending, _by_hash)


def _clean(name: str) -> str:
    return UNSAFE.sub("_", name)
