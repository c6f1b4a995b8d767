"""Progress and the package's log on the screen: a bar on a terminal, plain lines elsewhere."""

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

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
    def emit(self, record: logging.LogRecord) -> None:
        prefix = "\r\x1b[K" if sys.stderr.isatty() else ""
        warning = "warning: " if record.levelno >= logging.WARNING else ""
        print(f"{prefix}{warning}{record.getMessage()}", file=sys.stderr, flush=True)


def is_first_rank() -> bool:
    """Whether this process speaks: alone, or first of those that torchrun started."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["RANK"] == "0"


@contextmanager
def screen() -> Iterator[None]:
    """Show progress and log lines of medunet while the block runs, and silence those of libraries."""
    warnings.filterwarnings("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    for noisy in ("ignite", "monai", "torch"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    logger = logging.getLogger("medunet")
    handler = _Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        with showing(BarSink() if sys.stderr.isatty() and is_first_rank() else LogSink()):
            yield
    finally:
        logger.removeHandler(handler)
