import os
import subprocess
import sys
from pathlib import Path

import pytest

from medunet import machine
from medunet.machine import compare_peak, count_cores, find_ram, forget_peak_memory, measure_peak_memory


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
        ("INFO", "memory of stage train: 2.20 GiB at most, 2.00 predicted"),
        ("WARNING", "memory of stage train: 3.00 GiB at most, 2.00 predicted"),
        ("INFO", "memory of stage train: 3.00 GiB at most, 0.60 of them from before, 2.00 predicted"),
        ("WARNING", "memory of stage train: 3.00 GiB at most, 2.00 predicted"),
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
