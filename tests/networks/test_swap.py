"""Another network for what a plan says of inputs, outputs and axes."""

from typing import Any

import pytest
from plans import make_test_plan

from medunet.errors import BundleError
from medunet.networks import check_stated, count_network, find_multiple, state_network, swap_network

SMALL = {"_target_": "SegResNet", "init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]}
STATED = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}


def test_what_a_plan_decides_is_written_out() -> None:
    assert state_network(SMALL, make_test_plan()) == {**SMALL, **STATED}
    two = state_network(SMALL, make_test_plan(dims=2, channels=("ct", "pet")))
    assert (two["spatial_dims"], two["in_channels"]) == (2, 2)
    assert state_network({**SMALL, **STATED}, make_test_plan()) == {**SMALL, **STATED}


@pytest.mark.parametrize(
    ("key", "whose"), [("spatial_dims", "axes"), ("in_channels", "channels"), ("out_channels", "labels")]
)
def test_what_it_says_otherwise_is_refused(key: str, whose: str) -> None:
    with pytest.raises(BundleError, match=f"{key} of SegResNet is 7, but its plan's {whose} make"):
        check_stated({**SMALL, key: 7}, make_test_plan())


def test_a_class_or_an_argument_that_monai_lacks() -> None:
    for wrong, said in (
        ({"_target_": "NoNet"}, "known are AttentionUnet"),
        ({**SMALL, "width": 4}, "no argument 'width'"),
    ):
        with pytest.raises(BundleError, match=said):
            state_network(wrong, make_test_plan())


@pytest.mark.parametrize(
    ("config", "multiple"),
    [(SMALL, 4), ({**SMALL, "spatial_dims": 2}, 4), ({"_target_": "BasicUNet", "features": [4] * 6}, 1)],
)
def test_multiples_that_it_takes(config: dict[str, Any], multiple: int) -> None:
    assert find_multiple({**STATED, **config}) == multiple


def test_other_patches_are_refused_with_what_it_takes() -> None:
    definition = {**SMALL, **STATED}
    weights, made = count_network(definition, (16, 16, 8))
    assert count_network(definition, (16, 16, 16)) == (weights, 2 * made)
    with pytest.raises(BundleError, match=r"fails on patches of 16 × 10 × 8 .* take multiples of 4 along each axis"):
        count_network(definition, (16, 10, 8))


def test_a_network_of_one_size_has_that_patch() -> None:
    small = {"hidden_size": 12, "mlp_dim": 12, "num_heads": 2, "feature_size": 4}
    unetr = swap_network({"_target_": "UNETR", "img_size": [32, 32, 16], **small}, make_test_plan())
    assert unetr.patch == (32, 32, 16)
    with pytest.raises(BundleError, match="take its img_size"):
        count_network(unetr.definition, (32, 32, 32))
    found = swap_network(SMALL, make_test_plan())
    assert (found.patch, found.multiple, found.definition) == (None, 4, {**SMALL, **STATED})
