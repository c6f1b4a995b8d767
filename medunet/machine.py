"""What this machine has, and what memory a stage of the work took of it.

Children that must start fast import this module too, so it loads nothing but the standard library.
"""

import ctypes
import importlib
import logging
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container may take, in bytes or as the word "max": control groups version 2, version 1."""
LOGGER = logging.getLogger(__name__)
TOO_MUCH = 1.25
"""A stage that took so many times the prediction is worth a warning."""
LITTLE_GIB = 0.05
"""Less from before is not worth a word."""
UNKNOWN_RAM = 8 * 2**30
"""Bytes that a machine is taken to have where its system doesn't say."""


def find_module(name: str) -> Any:
    """A module of the standard library that not every system has, or None (`fcntl` and `resource`: Windows)."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def count_cores() -> int:
    """Cores that this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_ram() -> int:
    """Bytes of memory that this process may have: the machine's, or the limit of its container where that is less."""
    if hasattr(os, "sysconf"):
        ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    else:
        # MEMORYSTATUSEX: its length, the load in percent, then the memory of the machine in bytes.
        ram = _ask_windows("GlobalMemoryStatusEx", "<II7Q", 2) or UNKNOWN_RAM
    for limit in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):
            ram = min(ram, int(limit.read_text(encoding="ascii")))
    return ram


def find_free_memory() -> int:
    """Bytes that this process may still take, by the machine, its container and its own limit (`ulimit -v`)."""
    held = _read_kib("/proc/self/status")
    free = [find_ram() - held.get("VmRSS", 0)]
    machine = _read_kib("/proc/meminfo")
    if "MemAvailable" in machine:
        free.append(machine["MemAvailable"] + machine.get("SwapFree", 0))
    resource = find_module("resource")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
    if resource and limit != resource.RLIM_INFINITY:
        free.append(limit - held.get("VmSize", 0))
    return max(0, min(free))


def _read_kib(path: str) -> dict[str, int]:
    """Bytes by name, of a file of Linux that says kB; empty elsewhere."""
    with suppress(OSError):
        lines = [line.split() for line in Path(path).read_text(encoding="ascii", errors="replace").splitlines()]
        return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[2:] == ["kB"]}
    return {}


def measure_memory() -> int:
    """Bytes that this process and its children hold now, what they share counted once; 0 where nothing says it."""
    return sum(_measure_held(pid) for pid in (os.getpid(), *_list_children(os.getpid())))


def _measure_held(pid: int) -> int:
    shares = _read_kib(f"/proc/{pid}/smaps_rollup")
    return shares.get("Pss", 0) or _read_kib(f"/proc/{pid}/status").get("VmRSS", 0)


def _list_children(pid: int) -> list[int]:
    """Processes that a process has started, and theirs."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return [*found, *(inner for child in found for inner in _list_children(child))]


def find_shared_memory() -> int | None:
    """Bytes that are free for what processes share, which containers keep small; None where the system doesn't say."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found = os.statvfs("/dev/shm")  # noqa: S108 - asked for its size alone
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def measure_peak_memory() -> int:
    """Largest memory that this process has held since it began or was told to forget, in bytes (resident set).

    It is 0 where the system doesn't say.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage also counts what the process that started this one held then.
        peak = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "")
        if peak:
            return int(peak.split()[1]) * 1024
    resource = find_module("resource")
    if resource is None:
        # PROCESS_MEMORY_COUNTERS: its length, page faults, then the peak of the working set; -1 is this process.
        return _ask_windows("K32GetProcessMemoryInfo", "<II8Q", 2, ctypes.c_void_p(-1))
    peak_kib = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak_kib if sys.platform == "darwin" else peak_kib * 1024


def _ask_windows(function: str, layout: str, field: int, *before: Any) -> int:
    """A number from a record that a function of Windows' kernel32 fills in, 0 where there is none.

    Args:
        function: takes the record, whose first field is its own length.
        layout: of the record, as `struct` says it.
        field: which of its fields is wanted.
        before: arguments before the record; those of a length come after it.
    """
    libraries: Any = getattr(ctypes, "windll", None)
    if libraries is None:
        return 0
    size = struct.calcsize(layout)
    record = ctypes.create_string_buffer(struct.pack("<I", size), size)
    behind = (size,) if before else ()
    getattr(libraries.kernel32, function)(*before, record, *behind)
    return int(struct.unpack(layout, record.raw)[field])


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
        LOGGER.log(level, "%s, %.2f foreseen", said, predicted_gib)
