import time

import pytest
import torch
from plans import make_test_plan

from medunet.errors import BundleError
from medunet.labels import LabelTable, Region
from medunet.networks import (
    choose_device,
    choose_precision,
    count_features,
    describe_speed,
    is_channels_last,
    measure_step,
)


def test_a_larger_patch_costs_more() -> None:
    small = make_test_plan()
    large = small.change(window={"patch": (48, 48, 48)})
    assert 0 < measure_step(small) < measure_step(large)


def test_features_of_a_network_are_counted() -> None:
    unet = {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "channels": [4, 8],
        "strides": [2],
    }
    weights, small = count_features(unet, (16, 16, 16))
    again, large = count_features(unet, (32, 16, 16))
    assert weights == again > 0
    assert 1.5 * small < large
    assert small >= 4 * (4 * 8**3 + 2 * 16**3), "the first level and the outputs at least"
    with pytest.raises(BundleError, match="UNet fails on patches of 15 × 16 × 16"):
        count_features(unet, (15, 16, 16))
    flat = {**unet, "spatial_dims": 2}
    assert count_features(flat, (16, 16, 1))[1] < small


def test_regions_and_what_is_ignored_are_measured_too() -> None:
    regions = (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))
    table = LabelTable.from_names(["rim", "core"]).model_copy(update={"regions": regions, "ignore": 3})
    assert measure_step(make_test_plan(dims=2).change(task={"labels": table})) > 0


def test_slices_are_measured_too() -> None:
    assert measure_step(make_test_plan(dims=2)) > 0


def test_many_steps_are_foreseen_from_as_long_as_asked() -> None:
    plan = make_test_plan(dims=2)
    started = time.perf_counter()
    measure_step(plan)
    asked = 2 * (time.perf_counter() - started)
    started = time.perf_counter()
    assert 0 < measure_step(plan, asked) < asked <= time.perf_counter() - started


def test_how_a_machine_trains_is_told() -> None:
    speed = describe_speed(0.125)
    assert speed.steps_per_second == 8
    assert speed.threads == torch.get_num_threads()
    assert speed.precision == str(choose_precision(choose_device())).removeprefix("torch.")
    assert speed.channels_last == is_channels_last(choose_device())
