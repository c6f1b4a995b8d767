from pathlib import Path

import pytest
from plans import make_test_plan

from medunet.errors import RecordError
from medunet.labels import LabelTable, Region
from medunet.planning import Teacher, read_plan
from medunet.planning.plan import TRAINING_SHARE
from medunet.records import read_json, write_json, write_record

ROOT = Path(__file__).parents[2]
FLAT = Path(__file__).parent / "flat_plan.json"
GROUPS = ("task", "grid", "network", "window", "training", "foreseen")


def test_steps_that_the_budget_holds_follow_from_one_step() -> None:
    plan = make_test_plan().change(training={"budget_minutes": 10.0}, foreseen={"step_seconds": None})
    assert plan.count_steps() == 0
    timed = plan.with_step(0.123456)
    assert timed.foreseen.step_seconds == 0.123
    assert timed.count_steps() == int(600 * TRAINING_SHARE / 0.123)


def test_groups_are_changed_value_by_value() -> None:
    plan = make_test_plan()
    changed = plan.change(window={"overlap": 0.25}, reasons={"overlap": "quicker"})
    assert (changed.window.patch, changed.window.overlap) == (plan.window.patch, 0.25)
    assert changed.reasons == {"patch": "small", "overlap": "quicker"}
    assert plan.change() == plan
    with pytest.raises(ValueError, match="window of a plan has no batch"):
        plan.change(window={"batch": 3})


def test_train_json_finds_the_seed_where_it_always_was() -> None:
    assert make_test_plan().change(training={"seed": 7}).seed == 7


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    plan = make_test_plan(channels=("ct", "pet"))
    write_record(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan
    assert read_json(tmp_path / "plan.json")["version"] == 2


def test_a_plan_without_groups_is_read_as_the_same_plan(tmp_path: Path) -> None:
    """The flat one is that of a shipped bundle as it was before its plan.json got groups."""
    plan = read_plan(FLAT)
    assert plan == read_plan(ROOT / "bundles" / "nuclei_unet2d" / "configs" / "plan.json")
    flat = read_json(FLAT)
    assert flat["version"] == 1
    grouped = plan.model_dump(mode="json")
    assert grouped["reasons"] == flat["reasons"]
    values = [{name: grouped[name] for name in ("version", "reasons")}, *(grouped[name] for name in GROUPS)]
    joined = {key: value for group in values for key, value in group.items()}
    network = {key: joined.pop(key) for key in ("filters", "strides", "kernels", "heads", "residual")}
    # Which version 1 didn't know.
    assert (joined.pop("values"), joined.pop("axes")) == ({}, "RAS")
    assert (joined.pop("given"), joined.pop("steps"), joined.pop("mode")) == (None, None, "gaussian")
    assert (joined.pop("augmentation"), joined.pop("partial"), joined.pop("sides")) == ([], False, [])
    assert (joined.pop("surroundings"), joined.pop("teacher"), joined.pop("scan")) == ([], None, None)
    assert {**joined, "network": network, "version": 1} == flat
    write_json(tmp_path / "plan.json", {key: value for key, value in flat.items() if key != "version"})
    assert read_plan(tmp_path / "plan.json") == plan


@pytest.mark.parametrize(
    ("group", "key", "wrong", "named"),
    [
        (None, "window", "windo", "the key 'windo' is unknown; did you mean 'window'?"),
        ("window", "patch", "pach", "the key 'window.pach' is unknown; did you mean 'patch'?"),
        ("task", "labels", "label", "the key 'task.label' is unknown; did you mean 'labels'?"),
        ("training", "batch", "bach", "the key 'training.bach' is unknown; did you mean 'batch'?"),
    ],
)
def test_a_misspelled_key_is_named_in_every_group(
    tmp_path: Path, group: str | None, key: str, wrong: str, named: str
) -> None:
    content = make_test_plan().model_dump(mode="json")
    place = content[group] if group else content
    place[wrong] = place.pop(key)
    write_json(tmp_path / "plan.json", content)
    with pytest.raises(RecordError) as caught:
        read_plan(tmp_path / "plan.json")
    assert named in str(caught.value)
    assert "plan.json" in str(caught.value)


def test_a_misspelled_key_of_a_plan_without_groups_is_named(tmp_path: Path) -> None:
    flat = read_json(FLAT)
    write_json(tmp_path / "plan.json", {"pach" if key == "patch" else key: value for key, value in flat.items()})
    with pytest.raises(RecordError, match="the key 'pach' is unknown; did you mean 'patch'"):
        read_plan(tmp_path / "plan.json")
    write_json(tmp_path / "plan.json", {**flat, "batch": 0})
    with pytest.raises(RecordError, match=r"the key 'training\.batch': input should be greater than or equal to 1"):
        read_plan(tmp_path / "plan.json")
    write_json(tmp_path / "plan.json", {**flat, "version": 3})
    with pytest.raises(RecordError, match="it is of version 3, medunet knows 1 and 2"):
        read_plan(tmp_path / "plan.json")
    write_json(tmp_path / "plan.json", [])
    with pytest.raises(RecordError, match="the key 'Plan': input should be an object"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({"keep_largest": ["lesoin"]}, "there is no label 'lesoin': did you mean 'lesion'"),
        ({"smallest": -1}, "greater than or equal to 0"),
        ({"smalest": 1}, "did you mean 'smallest'"),
    ],
)
def test_parts_that_can_not_be_left_out_are_refused(tmp_path: Path, decision: dict[str, object], words: str) -> None:
    write_record(tmp_path / "plan.json", make_test_plan())
    write_json(tmp_path / "plan.json", {**read_json(tmp_path / "plan.json"), "decision": decision})
    with pytest.raises(RecordError, match=words):
        read_plan(tmp_path / "plan.json")


def test_objects_have_a_smallest_size_of_their_own(tmp_path: Path) -> None:
    plan = make_test_plan()
    table = LabelTable.from_names(["nucleus"], objects=True)
    write_record(tmp_path / "plan.json", plan.change(task={"labels": table}))
    content = read_json(tmp_path / "plan.json")
    for decision, words in (
        ({"smallest": 1}, "is task.objects.smallest"),
        ({"keep_largest": ["nucleus"]}, "object by"),
    ):
        write_json(tmp_path / "plan.json", {**content, "decision": decision})
        with pytest.raises(RecordError, match=words):
            read_plan(tmp_path / "plan.json")


def test_a_teacher_tells_of_all_but_the_background(tmp_path: Path) -> None:
    plan = make_test_plan()
    assert plan.count_taught() == 0
    taught = plan.change(training={"teacher": Teacher(name="t", version="1", weights_sha256="0" * 64)})
    assert taught.count_taught() == 1
    overlapping = plan.task.labels.model_copy(update={"regions": (Region(name="r", values=(1,), value=1),) * 2})
    task = plan.task.model_copy(update={"labels": overlapping})
    assert taught.model_copy(update={"task": task}).count_taught() == 2
    write_record(tmp_path / "plan.json", taught)
    assert read_plan(tmp_path / "plan.json") == taught
