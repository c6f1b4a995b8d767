import pytest
from monai.bundle import ConfigComponent
from plans import make_test_plan

from medunet.preparation import make_augmentation


@pytest.mark.parametrize("dims", [2, 3])
def test_every_step_is_a_transform_of_monai(dims: int) -> None:
    steps = make_augmentation(make_test_plan(dims=dims))
    assert all(ConfigComponent(config=step).instantiate() is not None for step in steps)
    assert sum(step["_target_"] == "RandFlipd" for step in steps) == dims


def test_anisotropic_patches_turn_in_their_fine_plane_only() -> None:
    plan = make_test_plan().model_copy(update={"spacing_mm": (1.0, 1.0, 5.0)})
    rotation = make_augmentation(plan)[0]["rotate_range"]
    assert rotation[:2] == [0.0, 0.0]
    assert rotation[2] > 3


def test_pictures_turn_by_quarters_where_patches_are_square_and_colours_change_one_by_one() -> None:
    flat = make_test_plan(dims=2)
    plan = flat.model_copy(update={"unit": "px", "components": {"ct": 3}})
    targets = {step["_target_"]: step for step in make_augmentation(plan)}
    assert "RandRotate90d" in targets
    assert targets["RandShiftIntensityd"]["channel_wise"]
    oblong = plan.model_copy(update={"patch": (32, 16, 1)})
    assert all(step["_target_"] != "RandRotate90d" for step in [*make_augmentation(oblong), *make_augmentation(flat)])
