"""Which files a case consists of, and how to tell that one of them has changed.

The *stamp* of a case are the sizes and dates of exactly the files of its series and of its labels; its *content* are
their hashes. What is measured and what is prepared of a case is kept under both alike.
"""

import os
from pathlib import Path

from medunet.cohort.cases import Case
from medunet.cohort.opening import find_channel
from medunet.files import hash_file
from medunet.reading import stamp_file

Files = tuple[Path, list[Path]]
"""A path that a case names, and the files there that belong to it, sorted."""


def list_case_files(case: Case) -> list[Files]:
    """The files of each channel of a case and of its labels, in this order.

    Raises:
        MedunetError: a channel can't be found.
    """
    found: list[Files] = []
    for channel in case.channels.values():
        series = find_channel(channel).series
        files = sorted(map(Path, series.files)) if series else [Path(channel.path)]
        found.append((Path(channel.path), files))
    return found + ([(Path(case.label.path), [Path(case.label.path)])] if case.label else [])


def stamp_files(case: Case) -> list[list[str | int]]:
    """Path, size, date of the content and date of anything of each file of a case.

    Raises:
        MedunetError: a channel can't be found.
    """
    return [[str(file), *stamp_file(file)] for _, files in list_case_files(case) for file in files]


def hash_files(case: Case) -> list[list[str]]:
    """Name, below the path that the case names, and SHA-256 of each file of a case.

    Raises:
        MedunetError: a channel can't be found.
    """
    return [[os.path.relpath(file, path), hash_file(file)] for path, files in list_case_files(case) for file in files]
