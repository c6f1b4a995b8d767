import pytest
from plans import make_test_plan

from medunet.labels import LabelTable
from medunet.planning import Plan, list_mirrored
from medunet.planning.mirroring import explain_sides, find_directions

TURN = {"_target_": "Orientationd", "keys": ["image"], "axcodes": "PLS"}


def make(dims: int = 3, **grid: object) -> Plan:
    return make_test_plan(dims=dims).change(task={"sides": (("eye_l", "eye_r"),)}, grid=grid)


def test_without_sides_every_axis_is_mirrored() -> None:
    assert list_mirrored(make_test_plan()) == (0, 1, 2)
    assert list_mirrored(make_test_plan(dims=2)) == (0, 1)


@pytest.mark.parametrize(
    ("plan", "axes"),
    [
        (make(), (1, 2)),
        (make(2), (1,)),
        (make(2, axes="RSA"), (1,)),
        (make(2, axes="ASR"), (0, 1)),
        (make(steps=(TURN,)), (0, 2)),
        (make(steps=()), ()),
    ],
)
def test_with_sides_all_but_the_one_from_left_to_right(plan: Plan, axes: tuple[int, ...]) -> None:
    assert list_mirrored(plan) == axes
    assert len(find_directions(plan)) in (0, 3)


def test_why_is_told_with_where_sides_were_found() -> None:
    plan = make_test_plan()
    assert explain_sides(plan.task) == {}
    table = LabelTable.from_names(["eye_l", "eye_r", "horn 1", "horn 2"])
    task = plan.task.model_copy(update={"labels": table, "sides": (("eye_l", "eye_r"), ("horn 1", "horn 2"))})
    assert explain_sides(task)["sides"] == (
        "sides tell labels apart (eye_l and eye_r by name; horn 1 and horn 2 by place), so that nothing is mirrored "
        "from left to right"
    )
