"""Hand what a damaged file can crash to child processes, with limits on memory and time.

They are started once a process, when the first compressed slice or ITK's first file comes, and end with it; several
decode at the same time. A fork (a worker of torch's DataLoader) starts its own.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medunet.children.crew import Crew
from medunet.children.supervise import Content, Record, WorkerError
from medunet.errors import InputError
from medunet.machine import count_cores

MOST_WORKERS = 4
SECONDS, SECONDS_OF_MIB = 5.0, 1.0
"""Of the processor: for any job, and for each MiB that comes of it. JPEG 2000, the slowest, takes 0.1 of the second."""
PATIENCE = 20
"""Times that a job may take longer by the clock on the wall than it may compute, since others share the cores."""
MEMORY, MEMORY_OF_BYTE = 1 << 30, 4
"""Bytes: for any job, and for each byte that comes of it."""
TYPES = {"|i1", "|u1", *(f"<{kind}{size}" for kind in "iuf" for size in (2, 4, 8))}
"""Arrays that an answer may hold."""
Array = npt.NDArray[np.generic]


class WorkError(Exception):
    """The child refused its job or died over it."""


def submit(job: Record, content: Content, size: int) -> Callable[[], tuple[Record, Array]]:
    """Let a child process do a job.

    Args:
        job: for `decoders.answer`.
        content: bytes beside it.
        size: bytes of the array that comes of it, at most.

    Returns:
        What waits for the answer: a record, and an array. It raises a WorkError where there is none.
    """
    seconds = SECONDS + SECONDS_OF_MIB * size / 2**20
    limits = {"seconds": seconds, "memory": MEMORY + MEMORY_OF_BYTE * size}
    future = _get_crew().submit(job | limits, content, seconds=seconds * PATIENCE, most=size)
    return partial(_wait_for, future)


def _wait_for(future: "Future[tuple[Record, bytearray]]") -> tuple[Record, Array]:
    try:
        record, data = future.result()
    except WorkerError as error:
        raise WorkError(f"the library that reads them: {error}") from None
    if "error" in record:
        raise WorkError(str(record["error"]))
    return record, _make_array(record, data)


def read_by_itk(path: Path, size: int, reader: str = "", components: int = 1) -> tuple[Record, Array]:
    """Read a file by ITK, which a small one can crash.

    Args:
        path: the file.
        size: bytes of its voxels, at most.
        reader: of ITK's, "" where it shall find one.
        components: of a voxel, at most; of more none are read.

    Returns:
        What `decoders.read_itk` says of its place, and its voxels, the last axis first.

    Raises:
        InputError: it can't be read.
    """
    try:
        job = {"work": "itk", "path": os.path.abspath(path), "reader": reader, "components": components}
        return submit(job, b"", size)()
    except WorkError as error:
        raise InputError(path, f"it can't be read ({error})", "restore the file", code="file-damaged") from None


def _make_array(record: Record, data: bytearray) -> Array:
    try:
        if record["type"] not in TYPES:
            raise TypeError(record["type"])
        return np.frombuffer(data, record["type"]).reshape(record["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise WorkError(f"the answer makes no sense ({error})") from None


@cache
def _get_crew() -> Crew:
    command = [sys.executable, str(Path(__file__).with_name("decoders.py"))]
    return Crew(command, min(count_cores(), MOST_WORKERS))


if hasattr(os, "register_at_fork"):
    # Neither threads nor pipes may be shared.
    os.register_at_fork(after_in_child=_get_crew.cache_clear)
