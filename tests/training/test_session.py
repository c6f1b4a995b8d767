import subprocess
import sys
from pathlib import Path

import pytest

from medunet.bundle import open_bundle
from medunet.errors import InputError
from medunet.training import open_session, split_cases
from medunet.training.session import count_patches, default_workers, lock_run, warn_if_slower


def test_patients_are_held_out_and_the_schedule_stays(untrained: Path) -> None:
    first = open_session(str(untrained), 0, 0.1)
    held_out = {case.id for case in first.validation}
    assert held_out
    assert not held_out & {case.id for case in first.training}
    assert open_session(str(untrained), 0, 5.0).schedule == first.schedule
    assert count_patches(first.validation[0], first.plan) >= 1
    assert 0.1 < first.peak_gib["prepare"] < 64


def test_folds_cover_all_patients_and_others_are_refused(untrained: Path) -> None:
    cohort = open_bundle(untrained).cohort()
    assert cohort.folds is not None
    held_out = [case.id for fold in range(len(cohort.folds)) for case in split_cases(cohort, fold)[1]]
    assert sorted(held_out) == sorted(case.id for case in cohort.cases)
    with pytest.raises(InputError, match="choose one from 0 to 4"):
        split_cases(cohort, 5)


def test_one_process_trains_a_fold(tmp_path: Path) -> None:
    other = (
        "import pathlib, sys, time; from medunet.training.session import lock_run; "
        "held = lock_run(pathlib.Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", other, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match="another process trains this fold"):
            lock_run(tmp_path)
        process.kill()
    lock_run(tmp_path).close()


def test_workers_leave_the_network_its_cores() -> None:
    assert 1 <= default_workers() <= 4


def test_a_step_far_slower_than_planned_is_told(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_slower(0.5, 0.2)
    warn_if_slower(0.5, None)
    assert not caplog.records
    warn_if_slower(6.0, 0.2)
    assert "6.00 s here, 0.20 s when the bundle was planned" in caplog.text
