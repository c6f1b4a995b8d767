from pathlib import Path

import pytest

from medunet.bundle import open_bundle
from medunet.errors import BundleError, MissingInputError, OutputExistsError
from medunet.planner import Wishes, find_memory, make_bundle, plan_bundle, plan_path, warn_if_stale
from medunet.planning import Memory
from medunet.records import read_json, write_json


def test_a_machine_gives_half_of_its_memory() -> None:
    memory = find_memory()
    assert memory.ram_gib is not None
    assert 0 < memory.ram_gib
    assert (memory.vram_gib is not None) == memory.gpu
    assert memory.gpu or memory.ram_gib <= 8


def test_what_wishes_leave_open_stays_as_the_bundle_has_it(untrained: Path) -> None:
    own = open_bundle(untrained).plan
    assert plan_bundle(untrained, Wishes()) == own
    again = plan_bundle(untrained, Wishes(memory=Memory(vram_gib=2)))
    assert (again.network.dims, again.training.budget_minutes, again.task.channels, again.task.labels) == (
        own.network.dims,
        own.training.budget_minutes,
        own.task.channels,
        own.task.labels,
    )
    assert own.foreseen.memory is not None
    assert again.foreseen.memory == own.foreseen.memory.model_copy(update={"vram_gib": 2})
    assert "2 GiB of a GPU" in again.reasons["patch"]


def test_a_bundle_without_its_cohort_can_be_planned_again_but_not_without_its_fingerprint(untrained: Path) -> None:
    (untrained / "work" / "cohort.json").unlink()
    assert plan_bundle(untrained, Wishes(budget_minutes=1)).training.budget_minutes == 1
    (untrained / "configs" / "fingerprint.json").unlink()
    with pytest.raises(MissingInputError, match=r"fingerprint\.json"):
        plan_bundle(untrained, Wishes(budget_minutes=1))


def test_a_cohort_gives_the_plan_of_its_bundle(cohort_folder: Path, tmp_path: Path) -> None:
    wishes = Wishes(budget_minutes=0.1, memory=Memory(ram_gib=1.2))
    alone = plan_path(cohort_folder, wishes, ["ct"])
    made = make_bundle(cohort_folder, tmp_path / "b", wishes, ["ct"])
    assert plan_path(tmp_path / "b", Wishes()) == made
    assert (alone.grid, alone.foreseen.memory) == (made.grid, made.foreseen.memory)
    foreseen = made.foreseen
    assert foreseen.speed is not None
    assert foreseen.step_seconds is not None
    assert foreseen.speed.steps_per_second == pytest.approx(1 / foreseen.step_seconds, rel=0.02)
    with pytest.raises(OutputExistsError):
        make_bundle(cohort_folder, tmp_path / "b", wishes)


def test_configurations_that_are_not_of_the_plan_are_warned_of_until_training(
    untrained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warn_if_stale(untrained)
    assert not caplog.records
    path = untrained / "configs" / "train.json"
    write_json(path, read_json(path) | {"budget": 3.0})
    warn_if_stale(untrained)
    assert "train.json is not what plan.json makes" in caplog.text
    (untrained / "work" / "fold0").mkdir()
    (untrained / "work" / "fold0" / "schedule.json").touch()
    caplog.clear()
    warn_if_stale(untrained)
    assert not caplog.records
    before = open_bundle(untrained).plan
    with pytest.raises(BundleError, match=r"its training has begun \(fold0\)"):
        plan_bundle(untrained, Wishes(budget_minutes=2 * before.training.budget_minutes), write=True)
    assert open_bundle(untrained).plan == before


def test_what_would_take_more_than_it_may_is_warned_of(untrained: Path, caplog: pytest.LogCaptureFixture) -> None:
    planned = plan_bundle(untrained, Wishes(memory=Memory(ram_gib=0.1)))
    assert planned.foreseen.peak_gib["train"] > 0.1
    gib = planned.foreseen.peak_gib["train"]
    taken = f"{gib:.3g} GiB" if gib >= 1 else f"{1024 * gib:.0f} MiB"
    assert f"train will take {taken} at most, more than the 102 MiB that it may" in caplog.text


def test_an_edited_plan_is_written_with_the_memory_and_the_time_that_it_takes(untrained: Path) -> None:
    path = untrained / "configs" / "plan.json"
    before = open_bundle(untrained).plan
    edited = read_json(path)
    edited["network"]["filters"] = [4 * features for features in before.network.filters]
    write_json(path, edited)
    written = plan_bundle(untrained, Wishes(), write=True)
    assert open_bundle(untrained).plan == written
    foreseen = written.foreseen
    assert foreseen.peak_gib["train"] > before.foreseen.peak_gib["train"]
    assert foreseen.step_seconds is not None
    assert foreseen.speed is not None
    assert foreseen.speed.steps_per_second == pytest.approx(1 / foreseen.step_seconds, rel=0.02)


def test_a_budget_of_few_steps_is_told(untrained: Path, caplog: pytest.LogCaptureFixture) -> None:
    planned = plan_bundle(untrained, Wishes(budget_minutes=0.02))
    assert "too few to learn much: give it --budget" in caplog.text
    assert planned.reasons["network"].startswith("narrowest, since none gets 900 steps")
