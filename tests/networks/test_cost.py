import torch
from plans import make_test_plan

from medunet.networks import choose_device, choose_precision, describe_speed, is_channels_last, measure_step


def test_a_larger_patch_costs_more() -> None:
    small = make_test_plan()
    large = small.model_copy(update={"patch": (48, 48, 48)})
    assert 0 < measure_step(small) < measure_step(large)


def test_slices_are_measured_too() -> None:
    assert measure_step(make_test_plan(dims=2)) > 0


def test_how_a_machine_trains_is_told() -> None:
    speed = describe_speed(0.125)
    assert speed.steps_per_second == 8
    assert speed.threads == torch.get_num_threads()
    assert speed.precision == str(choose_precision(choose_device())).removeprefix("torch.")
    assert speed.channels_last == is_channels_last(choose_device())
