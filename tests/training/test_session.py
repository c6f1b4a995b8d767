import subprocess
import sys
from pathlib import Path

import pytest
from plans import make_tiny_bundle, pin_schedule

from medunet.bundle import open_bundle
from medunet.errors import InputError
from medunet.training import Schedule, State, TrainingSession, find_run, open_session
from medunet.training.session import count_patches, default_workers, warn_if_slower


def test_patients_are_held_out_and_the_schedule_stays(untrained: Path) -> None:
    first = open_session(str(untrained), 0, 0.1)
    held_out = {case.id for case in first.validation}
    assert held_out
    assert not held_out & {case.id for case in first.training}
    assert open_session(str(untrained), 0, 5.0).schedule == first.schedule
    assert count_patches(first.validation[0], first.plan) >= 1
    assert 0.1 < first.peak_gib["prepare"] < 64


def test_a_fold_that_is_none_leaves_nothing(untrained: Path) -> None:
    before = sorted((untrained / "work").iterdir())
    with pytest.raises(InputError, match="there is no fold 9; choose one from 0 to"):
        open_session(str(untrained), 9, 0.1)
    assert sorted((untrained / "work").iterdir()) == before


def test_a_session_stores_its_parts_and_does_nothing(tmp_path: Path) -> None:
    bundle = open_bundle(make_tiny_bundle(tmp_path / "bundle", "ab"))
    rates = {"seconds_per_step": 1.0, "loader_patches_per_second": 1.0, "network_patches_per_second": 1.0}
    schedule = Schedule(epochs=2, steps_per_epoch=1, validation_interval=1, budget_seconds=60, **rates)
    before = sorted(tmp_path.rglob("*"))
    session = TrainingSession(
        bundle=bundle,
        run=find_run(bundle, 0),
        fold=0,
        learning_rate=0.1,
        training=[],
        validation=[],
        schedule=schedule,
        started=0.0,
        held_gib=0.0,
        peak_gib={},
        locks=[],
    )
    assert (session.plan, session.folder, session.ended) == (bundle.plan, bundle.work / "fold0", "schedule")
    assert session.run.find_state() == State.ABSENT
    assert sorted(tmp_path.rglob("*")) == before


def test_workers_leave_the_network_its_cores() -> None:
    assert 1 <= default_workers() <= 4


def test_a_step_far_slower_than_planned_is_told(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_slower(0.5, 0.2)
    warn_if_slower(0.5, None)
    assert not caplog.records
    warn_if_slower(6.0, 0.2)
    assert "6.00 s here, 0.20 s when the bundle was planned" in caplog.text


def test_a_run_that_nobody_listens_to_speaks(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "abcd")
    pin_schedule(bundle, 1, 2)
    for before, told in (("", True), ("import logging; logging.getLogger('medunet').setLevel('WARNING'); ", False)):
        code = f"{before}import sys; from medunet.training import open_session; open_session(sys.argv[1], 0, 0.2)"
        done = subprocess.run([sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True)
        assert ("memory of stage prepare" in done.stderr) is told
