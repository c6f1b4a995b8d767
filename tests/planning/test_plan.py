import pytest
from plans import make_test_plan

from medunet.planning import name_keys
from medunet.planning.plan import TRAINING_SHARE


@pytest.mark.parametrize(("channels", "keys"), [(("ct",), ("image",)), (("ct", "mr"), ("ct", "mr"))])
def test_keys_of_monai(channels: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert name_keys(channels) == keys
    assert make_test_plan().model_copy(update={"channels": channels}).image_keys() == keys


def test_inputs_are_the_components_of_all_channels() -> None:
    plan = make_test_plan().model_copy(update={"channels": ("a", "b"), "components": {"b": 3}})
    assert plan.count_inputs() == 4


def test_steps_that_the_budget_holds_follow_from_one_step() -> None:
    plan = make_test_plan().model_copy(update={"budget_minutes": 10.0, "step_seconds": None})
    assert plan.count_steps() == 0
    timed = plan.with_step(0.123456)
    assert timed.step_seconds == 0.123
    assert timed.count_steps() == int(600 * TRAINING_SHARE / 0.123)
