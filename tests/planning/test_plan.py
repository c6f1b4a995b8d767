import pytest
from plans import make_test_plan

from medunet.planning import name_keys


@pytest.mark.parametrize(("channels", "keys"), [(("ct",), ("image",)), (("ct", "mr"), ("ct", "mr"))])
def test_keys_of_monai(channels: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert name_keys(channels) == keys
    assert make_test_plan().model_copy(update={"channels": channels}).image_keys() == keys


def test_inputs_are_the_components_of_all_channels() -> None:
    plan = make_test_plan().model_copy(update={"channels": ("a", "b"), "components": {"b": 3}})
    assert plan.count_inputs() == 4
