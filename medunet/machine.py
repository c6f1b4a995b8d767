"""What this machine has, and what memory a stage of the work took of it."""

import logging
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container may take, in bytes or as the word "max": control groups version 2, version 1."""
LOGGER = logging.getLogger(__name__)
TOO_MUCH = 1.25
"""A stage that took so many times the prediction is worth a warning."""
LITTLE_GIB = 0.05
"""Less from before is not worth a word."""


def count_cores() -> int:
    """Cores that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_ram() -> int:
    """Bytes of memory that this process may have: the machine's, or the limit of its container where that is less."""
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):
            ram = min(ram, int(limit.read_text(encoding="ascii")))
    return ram


def measure_peak_memory() -> int:
    """Largest memory that this process has held since it began or was told to forget, in bytes (resident set)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage also counts what the process that started this one held then.
        peak = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "")
        if peak:
            return int(peak.split()[1]) * 1024
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_kib if sys.platform == "darwin" else peak_kib * 1024


def forget_peak_memory() -> None:
    """Let `measure_peak_memory` begin with what is held now, where the system is Linux and allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def compare_peak(stage: str, predicted_gib: float | None, measured_gib: float, held_gib: float = 0.0) -> None:
    """Log what a stage took beside what was predicted; far more is a warning.

    Args:
        stage: its name.
        predicted_gib: of a process that does nothing else.
        measured_gib: peak of this process.
        held_gib: of these from what this process did before, which was not predicted.
    """
    before = f", {held_gib:.2f} of them from before" if held_gib >= LITTLE_GIB else ""
    said = f"memory of stage {stage}: {measured_gib:.2f} GiB at most{before}"
    if predicted_gib is None:
        LOGGER.info("%s", said)
    else:
        level = logging.WARNING if measured_gib > TOO_MUCH * predicted_gib + held_gib else logging.INFO
        LOGGER.log(level, "%s, %.2f predicted", said, predicted_gib)
