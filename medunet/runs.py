"""What a run leaves behind: what it was, on what, with what, and what it took."""

import os
import platform
import time
from importlib import metadata

from medunet.machine import measure_peak_memory
from medunet.records import Record


class RunRecord(Record):
    """What a run leaves behind: what it was, on what, with what, and what it took."""

    command: str
    """The verb."""
    versions: dict[str, str]
    """Versions of Python and of what computed."""
    machine: str
    """Processor and number of cores."""
    inputs: dict[str, str]
    """Path of each input (relative to where it was named), and its SHA-256."""
    seconds: float
    """What it took."""
    peak_memory_gib: float
    """Largest memory of the process up to then, in GiB."""
    predicted_memory_gib: float | None = None
    """What the plan foresaw, with the largest case of training."""
    notes: tuple[str, ...] = ()
    """What was repaired, computed or odd in the inputs, in words."""


def record_run(
    command: str,
    inputs: dict[str, str],
    started: float,
    notes: tuple[str, ...] = (),
    predicted_gib: float | None = None,
) -> RunRecord:
    """Describe the run that ends now.

    Args:
        command: the verb with its arguments.
        inputs: SHA-256 by name.
        started: `time.monotonic()` at its start.
        notes: what is to be said of the inputs.
        predicted_gib: peak memory that was foreseen.
    """
    packages = ("medunet", "torch", "monai", "pytorch-ignite", "numpy", "nibabel", "pydicom")
    installed = {dist: metadata.version(dist) for dist in packages if _is_installed(dist)}
    return RunRecord(
        command=command,
        versions={"python": platform.python_version(), **installed},
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        inputs=inputs,
        seconds=round(time.monotonic() - started, 1),
        peak_memory_gib=round(measure_peak_memory() / 2**30, 2),
        predicted_memory_gib=None if predicted_gib is None else round(predicted_gib, 2),
        notes=notes,
    )


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
