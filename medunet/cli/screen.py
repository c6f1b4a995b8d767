"""Progress and the package's log on the screen: a bar on a terminal, plain lines elsewhere."""

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Literal

from medunet.progress import Clock, LogSink, describe_progress, showing


class BarSink:
    """Rewrites one line of a terminal, at most ten times a second."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._shown = 0.0

    def update(self, what: str, done: int, total: int, note: str) -> None:
        """Show a line; it stays when the work is done and took over two seconds."""
        taken, before = self._clock.read(what, done, total)
        now = time.monotonic()
        ended = done >= total
        if not ended and now - self._shown < 0.1:
            return
        self._shown = now
        line = describe_progress(what, done, total, taken, note, before)[:118]
        stays = "\n" if ended and taken > 2 else ""
        print(f"\r\x1b[K{line}{stays}" if not ended or stays else "\r\x1b[K", end="", file=sys.stderr, flush=True)


class _Lines(logging.Handler):
    """Prints a line for each record, of a verbose command with the logger's name."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self._named = named

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "\r\x1b[K" if sys.stderr.isatty() else ""
        warning = "warning: " if record.levelno >= logging.WARNING else ""
        name = f"{record.name}: " if self._named else ""
        print(f"{prefix}{name}{warning}{record.getMessage()}", file=sys.stderr, flush=True)


def is_first_rank() -> bool:
    """Whether this process speaks: alone, or first of those that torchrun started."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["RANK"] == "0"


Voice = Literal["quiet", "normal", "verbose"]
LEVELS = {"quiet": logging.WARNING, "normal": logging.INFO, "verbose": logging.DEBUG}
"""Level from which a command shows what medunet itself logs, by its voice."""
_VOICE: ContextVar[Voice] = ContextVar("voice", default="normal")


def choose_voice(*, quiet: bool, verbose: bool) -> None:
    """Say how much this command shows: of `--quiet` and `--verbose`, at most one."""
    _VOICE.set("quiet" if quiet else "verbose" if verbose else "normal")


def is_verbose() -> bool:
    """Whether this command shows details."""
    return _VOICE.get() == "verbose"


@contextmanager
def screen() -> Iterator[None]:
    """Show progress and log lines of medunet while the block runs, and silence those of libraries.

    A quiet command shows warnings only, a verbose one also details and what libraries say.
    """
    voice = _VOICE.get()
    lines, bar = _Lines(named=voice == "verbose"), sys.stderr.isatty() and is_first_rank() and voice != "quiet"
    with ExitStack() as stack:
        if voice == "verbose":
            stack.enter_context(_logging("", logging.INFO, lines))
        else:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore")
            for noisy in ("ignite", "monai", "torch"):
                stack.enter_context(_logging(noisy, logging.ERROR))
            # Without any handler, Python would print what libraries warn of.
            stack.enter_context(_logging("", logging.WARNING, logging.NullHandler()))
        stack.enter_context(_logging("medunet", LEVELS[voice], lines))
        stack.callback(setattr, logging.getLogger("medunet"), "propagate", True)
        logging.getLogger("medunet").propagate = False
        stack.enter_context(showing(BarSink() if bar else LogSink()))
        try:
            yield
        except KeyboardInterrupt:
            print("medunet: stopped; nothing that was written is lost, and the same command goes on", file=sys.stderr)
            raise


@contextmanager
def _logging(name: str, level: int, handler: logging.Handler | None = None) -> Iterator[None]:
    """Give a logger a level and a handler while the block runs."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    if handler is not None:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(before)
        if handler is not None:
            logger.removeHandler(handler)
