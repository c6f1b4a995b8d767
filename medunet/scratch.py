"""Arrays that lie in scratch files, so that what doesn't fit the memory streams through it.

A file has no name once it is open, so nothing of it stays behind, however the process ends. Its pages count as memory
of the process while they are mapped; `settle` gives them back, and what was written stays in the file.
"""

import logging
import mmap
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from medunet.errors import ResourceError
from medunet.machine import find_module

LOGGER = logging.getLogger(__name__)
SETTLED_S = 0.01
"""Seconds between two times that pages are given back while something reads an array as a whole."""


class Room(Protocol):
    """Where arrays lie: in memory, or in scratch files."""

    def make(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of zeros in C order."""

    def settle(self) -> None:
        """Give back what memory isn't needed; arrays stay what they are."""


class MemoryRoom:
    """Arrays in memory."""

    def make(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See `Room.make`."""
        return np.zeros(tuple(shape), dtype)

    def settle(self) -> None:
        """See `Room.settle`."""


IN_MEMORY = MemoryRoom()


class Scratch:
    """Arrays in scratch files of one folder; a context manager that drops them.

    Args:
        folder: on whose disk they lie, made if it isn't there; None for that of the system (`TMPDIR`).

    Attributes:
        size: bytes of all files that there were.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Path(tempfile.gettempdir()) if folder is None else folder
        self.size = 0
        self._maps: list[weakref.ref[mmap.mmap]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Arrays that somebody still holds keep their files.
        self._maps.clear()

    def make(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of zeros in C order, in a file whose room on the disk is taken at once.

        Raises:
            ResourceError: the disk is full, or the folder can't be written to.
        """
        kind = np.dtype(dtype)
        size = int(np.prod([int(n) for n in shape])) * kind.itemsize
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as stream:
                _allocate(stream.fileno(), max(size, 1))
                mapped = mmap.mmap(stream.fileno(), max(size, 1))
        except OSError as error:
            found = f"it can't hold {size / 2**30:.2f} GiB of scratch ({error.strerror or error})"
            raise ResourceError(self.folder, found, "make room, or choose another folder with --scratch") from error
        self.size += size
        # An array that nobody holds any more gives its file's room back.
        self._maps = [known for known in self._maps if known() is not None] + [weakref.ref(mapped)]
        LOGGER.debug("%.2f GiB of scratch in %s, %.2f in all", size / 2**30, self.folder, self.size / 2**30)
        return np.frombuffer(mapped, kind, size // kind.itemsize).reshape(tuple(shape))

    def holds(self, array: npt.NDArray[Any]) -> bool:
        """Whether an array lies in one of the files."""
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        place = getattr(base, "obj", base)
        return place is not None and any(place is known() for known in self._maps)

    def settle(self) -> None:
        """Give back the memory of all pages; they are read from the file again where they are used."""
        for known in self._maps:
            if (mapped := known()) is not None:
                give_back(mapped)

    @contextmanager
    def settling(self) -> Iterator[None]:
        """Give pages back again and again while the block runs, for what reads arrays as a whole."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(SETTLED_S):
                self.settle()

        thread = threading.Thread(target=watch, name="medunet-scratch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.settle()


def give_back(mapped: mmap.mmap) -> None:
    """Give back the memory of a mapping, where the system can: of a file's nothing is lost, of another all is 0."""
    if hasattr(mmap, "MADV_DONTNEED"):
        with suppress(ValueError):  # it was closed meanwhile
            mapped.madvise(mmap.MADV_DONTNEED)


def _allocate(descriptor: int, size: int) -> None:
    """Give a file its length, and where the system can its room: a page without room would end the process."""
    os.ftruncate(descriptor, size)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)


def measure_free(folder: Path) -> int | None:
    """Bytes that are free on the disk of a folder that may not be there yet; None where the system doesn't say."""
    if find_module("resource") is None:
        return None
    place = next(item for item in (folder.absolute(), *folder.absolute().parents) if item.is_dir())
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize
