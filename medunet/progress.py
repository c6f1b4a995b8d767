"""Progress of long work: the work says how far it is, whoever runs it decides how that is shown.

Work calls `track`; a command line wraps the call in `showing(sink)`. Without a sink, as under
`python -m monai.bundle run`, plain lines go to the log.
"""

import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

LOGGER = logging.getLogger(__name__)
T = TypeVar("T")


class ProgressSink(Protocol):
    """Shows progress."""

    def update(self, what: str, done: int, total: int, note: str) -> None:
        """Show that `done` of `total` parts of `what` are finished; `note` is a short text beside it."""


class Clock:
    """When each kind of work began, and how many of its parts were finished then: resumed work begins in its midst."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, int]] = {}

    def read(self, what: str, done: int, total: int) -> tuple[float, int]:
        """Seconds since the work began, and the parts that were finished then; what has ended begins anew."""
        now = time.monotonic()
        if done == 0 or what not in self._begun:
            self._begun[what] = now, done
        begun, before = self._begun[what]
        if done >= total:
            del self._begun[what]
        return now - begun, before


class LogSink:
    """Writes a plain line to the log at most every `interval` seconds, with the time left."""

    def __init__(self, interval: float = 5.0) -> None:
        self._interval = interval
        self._clock = Clock()
        self._shown: dict[str, float] = {}

    def update(self, what: str, done: int, total: int, note: str) -> None:
        """Write the line if it is time for one, and always at the end of work that took over two seconds."""
        seconds, before = self._clock.read(what, done, total)
        if not seconds:
            self._shown[what] = 0.0
        ended = done >= total and seconds > 2
        if ended or seconds - self._shown[what] >= self._interval:
            self._shown[what] = seconds
            LOGGER.info(describe_progress(what, done, total, seconds, note, before))


def describe_progress(what: str, done: int, total: int, seconds: float, note: str, before: int = 0) -> str:
    """One line of progress: what, how far, and the time left or taken.

    Args:
        what: the work.
        done: its finished parts.
        total: all its parts.
        seconds: since it began.
        note: a short text behind it.
        before: parts that were finished when it began.
    """
    tail = f", {note}" if note else ""
    if done >= total:
        count = f"{total}, the last {total - before}" if before else str(total)
        return f"{what}: {count} in {format_seconds(seconds)}{tail}"
    left = seconds / (done - before) * (total - done) if done > before else float("nan")
    return f"{what}: {done}/{total}, {format_seconds(left)} left{tail}"


def format_seconds(seconds: float) -> str:
    """Seconds for people: 7 s, 4:05 min, 2:30 h."""
    if math.isnan(seconds):
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
    return f"{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02d} h"


class _Lines(logging.Handler):
    """Plain lines on standard error, as long as nobody else listens."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            warning = "warning: " if record.levelno >= logging.WARNING else ""
            sys.stderr.write(f"{warning}{record.getMessage()}\n")


def speak() -> logging.Handler | None:
    """Let log lines of medunet, and so its progress, appear on standard error where nobody has configured logging.

    Who has set a level for the logger "medunet", or given it or the root logger a handler, has configured it; then
    nothing is changed.

    Returns:
        The handler that was added to the logger "medunet".
    """
    logger = logging.getLogger("medunet")
    if logger.handlers or logger.level != logging.NOTSET or logging.getLogger().handlers:
        return None
    handler = _Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


@contextmanager
def speaking() -> Iterator[None]:
    """Show log lines where nobody configured logging, until the block ends."""
    handler = speak()
    try:
        yield
    finally:
        if handler is not None:
            logger = logging.getLogger("medunet")
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)


_SINK: ContextVar[ProgressSink | None] = ContextVar("progress_sink", default=None)
_LOG_SINK = LogSink()


@contextmanager
def showing(sink: ProgressSink) -> Iterator[None]:
    """Show the progress of everything inside the block through `sink`."""
    token = _SINK.set(sink)
    try:
        yield
    finally:
        _SINK.reset(token)


def find_sink() -> ProgressSink:
    """Who shows the progress of this context."""
    return _SINK.get() or _LOG_SINK


def report(what: str, done: int, total: int, note: str = "") -> None:
    """Say how far work is."""
    find_sink().update(what, done, total, note)


def track(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Pass items through, reporting after each."""
    report(what, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        report(what, done, total)
