import time
from pathlib import Path

import pytest

from medunet.files import hash_file
from medunet.machine import measure_peak_memory
from medunet.runs import record_run


def test_a_run_says_what_it_was_on(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    assert hash_file(path).startswith("ba7816bf")
    record = record_run("predict", {"f": hash_file(path)}, time.monotonic() - 2)
    assert record.seconds == pytest.approx(2, abs=0.2)
    assert record.versions["torch"]
    assert record.predicted_memory_gib is None
    assert record_run("predict", {}, time.monotonic(), (), 1.234).predicted_memory_gib == 1.23
    assert 2**20 < measure_peak_memory() < 2**40
