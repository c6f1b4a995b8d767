import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medunet import machine
from medunet.machine import (
    UNKNOWN_RAM,
    compare_peak,
    count_cores,
    find_free_memory,
    find_module,
    find_ram,
    find_shared_memory,
    forget_peak_memory,
    measure_peak_memory,
)


def test_memory_of_a_child_is_not_that_of_who_started_it() -> None:
    held = b"x" * (300 * 2**20)
    code = "from medunet.machine import measure_peak_memory; print(measure_peak_memory())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(child.stdout) < len(held) < measure_peak_memory()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets")
def test_a_peak_that_is_over_can_be_forgotten() -> None:
    held = b"x" * (300 * 2**20)
    before, size = measure_peak_memory(), len(held)
    del held
    assert measure_peak_memory() > before - 2**22
    forget_peak_memory()
    assert measure_peak_memory() < before - size / 2


def test_a_stage_that_took_far_more_than_predicted_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    compare_peak("train", None, 2.0)
    compare_peak("train", 2.0, 2.2)
    compare_peak("train", 2.0, 3.0)
    compare_peak("train", 2.0, 3.0, 0.6)
    compare_peak("train", 2.0, 3.0, 0.04)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "memory of stage train: 2.00 GiB at most"),
        ("INFO", "memory of stage train: 2.20 GiB at most, 2.00 foreseen"),
        ("WARNING", "memory of stage train: 3.00 GiB at most, 2.00 foreseen"),
        ("INFO", "memory of stage train: 3.00 GiB at most, 0.60 of them from before, 2.00 foreseen"),
        ("WARNING", "memory of stage train: 3.00 GiB at most, 2.00 foreseen"),
    ]


def test_a_container_may_hold_less_than_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "CONTAINER_LIMITS", (tmp_path / "none", limit))
    whole = find_ram()
    assert whole > 2**28
    for text, wanted in (("max\n", whole), (f"{2**27}\n", 2**27), (f"{2**62}\n", whole)):
        limit.write_text(text)
        assert find_ram() == wanted


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes can't be bound to cores here")
def test_a_process_that_is_bound_to_one_core_has_one() -> None:
    own = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(own)})
        assert count_cores() == 1
    finally:
        os.sched_setaffinity(0, own)
    assert count_cores() == len(own)


def test_a_module_that_the_system_lacks_is_none() -> None:
    assert find_module("struct") is struct
    assert find_module("a_module_of_another_system") is None


class Windows:
    """Answers as kernel32 does: a record of known size, a number in its third field."""

    def GlobalMemoryStatusEx(self, record: Any) -> int:  # noqa: N802
        length, *_ = struct.unpack("<I", record.raw[:4])
        assert length == len(record) == 64
        record.raw = struct.pack("<II7Q", length, 40, 3 * 2**30, *range(6))
        return 1

    def K32GetProcessMemoryInfo(self, process: Any, record: Any, size: int) -> int:  # noqa: N802
        assert process.value == ctypes.c_void_p(-1).value
        assert size == len(record) == 72
        record.raw = struct.pack("<II8Q", size, 7, 2**28, *range(7))
        return 1


def test_memory_is_known_on_windows_and_assumed_where_nothing_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CONTAINER_LIMITS", ())
    monkeypatch.setattr(machine, "Path", lambda _: Path("there is no such folder"))
    monkeypatch.setattr(machine, "find_module", lambda _: None)
    monkeypatch.delattr(os, "sysconf")
    assert (find_ram(), measure_peak_memory()) == (UNKNOWN_RAM, 0)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=Windows()), raising=False)
    assert (find_ram(), measure_peak_memory()) == (3 * 2**30, 2**28)


def test_free_memory_is_what_any_limit_leaves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert 0 < find_free_memory() < find_ram()
    code = (
        "import resource; from medunet.machine import find_free_memory as find; "
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); print(find())"
    )
    if find_module("resource") is not None:
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert 2**29 < int(child.stdout) < 2**31
    (tmp_path / "limit").write_text("1000")
    monkeypatch.setattr(machine, "CONTAINER_LIMITS", (tmp_path / "limit",))
    assert find_free_memory() == 0


def test_shared_memory_is_that_of_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform.startswith("linux"):
        assert (find_shared_memory() or 0) >= 0
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_shared_memory() is None
    monkeypatch.setattr(sys, "platform", "linux")

    def refuse(_: str) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(os, "statvfs", refuse)
    assert find_shared_memory() == 0
