"""Scans that are under way at once share the memory: each begins when what it takes beside the others is there."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from medunet.machine import measure_memory

POLL_S = 0.2
"""After which who waits looks whether all has stopped."""


class Stopped(BaseException):
    """Nobody wants the results any more."""


class Way(Protocol):
    """How a job is done within the memory.

    Attributes:
        peak: bytes that all processes hold at most, those of other jobs with them; 0 where nothing could be foreseen.
    """

    peak: int


W = TypeVar("W", bound=Way)


class Ledger:
    """What jobs take that are under way at once.

    Args:
        stopped: set where nobody wants the results any more.

    Attributes:
        waited: seconds that the last job waited for others.
    """

    def __init__(self, stopped: threading.Event | None = None) -> None:
        self._stopped = stopped or threading.Event()
        self._changed = threading.Condition()
        self._taken: dict[object, int | None] = {}
        self._base = 0
        self.waited = 0.0

    @contextmanager
    def join(self, choose: Callable[[int, int], W | None]) -> Iterator[W]:
        """Begin a job as soon as there is a way for it, and end it with the block.

        Args:
            choose: takes the bytes that were held before any job began, and those that other jobs take at most; gives
                the way, or None as long as there is none beside the others. Alone it gives one or raises an error.

        Raises:
            Stopped: while it waited.
        """
        started, key = time.monotonic(), object()
        with self._changed:
            while (way := self._choose(choose)) is None:
                # What is held is measured again only where a job has ended.
                while not self._changed.wait(POLL_S):
                    if self._stopped.is_set():
                        raise Stopped
            others = sum(one or 0 for one in self._taken.values())
            self._taken[key] = way.peak - self._base - others if way.peak else None
            self.waited = time.monotonic() - started
        try:
            yield way
        finally:
            with self._changed:
                del self._taken[key]
                self._changed.notify_all()

    def _choose(self, choose: Callable[[int, int], W | None]) -> W | None:
        if not self._taken:
            self._base = measure_memory()
        others = list(self._taken.values())
        # Nothing begins beside a job of which nobody knows what it takes.
        return None if None in others else choose(self._base, sum(one or 0 for one in others))
