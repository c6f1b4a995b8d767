import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medunet.cohort import Cohort, find_cohort
from medunet.errors import LabelError, ResourceError
from medunet.measuring.crew import count_workers, estimate_bytes, measure_missing, predict_measuring
from medunet.measuring.store import Store


def test_all_cases_are_measured_and_then_none(cohort_folder: Path, tmp_path: Path) -> None:
    cohort = find_cohort(cohort_folder)
    assert measure_missing(cohort, Store(tmp_path)) > 2**20
    assert len(list(tmp_path.glob("*.npz"))) == len(cohort.cases)
    assert measure_missing(cohort, Store(tmp_path)) == 0


def test_the_first_refusal_in_the_order_of_cases_is_raised_and_the_rest_stays_measured(
    cohort_folder: Path, tmp_path: Path
) -> None:
    cohort = find_cohort(cohort_folder)
    broken = tuple(
        case.model_copy(update={"label": None}) if number in (2, 3) else case
        for number, case in enumerate(cohort.cases)
    )
    with pytest.raises(LabelError, match=f"case {cohort.cases[2].id}: it has no label") as refused:
        measure_missing(cohort.model_copy(update={"cases": broken}), Store(tmp_path))
    assert refused.value.code == "label-missing"
    assert len(list(tmp_path.glob("*.npz"))) >= 2


def test_memory_and_cores_limit_the_processes(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    largest = max(estimate_bytes(case) for case in cohort.cases)
    assert count_workers(cohort.cases[:1], 64) == 1
    assert count_workers(cohort.cases, 0.001) == 1
    assert count_workers(cohort.cases, 64) <= (os.cpu_count() or 1)
    assert predict_measuring(2 * largest) > predict_measuring(largest) > 0.1


def test_a_process_that_dies_is_one_sentence(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medunet.measuring.crew.sys.executable", "/bin/false")
    cohort = find_cohort(cohort_folder)
    with pytest.raises(ResourceError, match="measuring it ended early"):
        measure_missing(cohort, Store(tmp_path))


MEASURE = """
import sys
from pathlib import Path
from medunet.cohort import Cohort
from medunet.measuring.crew import measure_missing
from medunet.measuring.store import Store
measure_missing(Cohort.model_validate_json(sys.stdin.read()), Store(Path(sys.argv[1])))
"""


def test_measuring_that_was_killed_goes_on(cohort_folder: Path, tmp_path: Path) -> None:
    cohort: Cohort = find_cohort(cohort_folder)
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin is not None
        process.stdin.write(cohort.model_dump_json().encode())
        process.stdin.close()
        while not list(tmp_path.glob("*.key")) and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert kept
    measure_missing(cohort, Store(tmp_path))
    # A kill within the writing of an entry leaves its .part- file.
    assert len(list(tmp_path.glob("[!.]*.npz"))) == len(cohort.cases)
    assert measure_missing(cohort, Store(tmp_path)) == 0
