"""MONAI's networks beside our own: known ones are built of data, others are not."""

from typing import Any

import pytest

from medunet.errors import BundleError
from medunet.networks import build_foreign_network, complete_network, find_arguments, find_network, list_packages

UNET = {"_target_": "UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2]}


def test_known_networks_are_found_by_either_name() -> None:
    assert find_network(UNET) is find_network({"_target_": "monai.networks.nets.UNet"})
    for name in ("os.system", "scripts.net.UNet", "subprocess.UNet", "Discriminator", "", None):
        assert find_network({"_target_": name}) is None


def test_a_network_is_built() -> None:
    assert sum(part.numel() for part in build_foreign_network(UNET).parameters()) > 0


def test_an_argument_that_decides_nothing_any_more_is_dropped() -> None:
    config = {"_target_": "SwinUNETR", "img_size": 96, "in_channels": 1, "out_channels": 2, "feature_size": 12}
    assert find_arguments(config) == ({"in_channels": 1, "out_channels": 2, "feature_size": 12}, ["img_size"])


def test_other_weights_are_never_fetched() -> None:
    config = {"_target_": "FlexibleUNet", "in_channels": 3, "out_channels": 2, "backbone": "x", "pretrained": True}
    assert find_arguments(config)[0]["pretrained"] is False


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"chanels": [4]}, "has no argument 'chanels'"),
        ({"strides": "text"}, "UNet can't be built"),
        ({"_target_": "MyNet"}, "no segmentation network of MONAI that medunet knows"),
    ],
)
def test_what_does_not_fit_is_one_sentence(more: Any, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        build_foreign_network({**UNET, **more})


def test_a_network_gets_other_outputs_and_says_all_that_medunet_looks_up() -> None:
    assert complete_network(UNET, 5) == {**UNET, "out_channels": 5}
    made = complete_network({"_target_": "monai.networks.nets.SegResNet", "init_filters": 8}, 3)
    assert made == {"_target_": "SegResNet", "spatial_dims": 3, "in_channels": 1, "init_filters": 8, "out_channels": 3}
    levels = {"kernel_size": [3, [3, 3, 1]], "strides": [1, 2], "upsample_kernel_size": [2]}
    deep = {"_target_": "DynUNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "deep_supervision": True}
    found = complete_network({**deep, **levels}, 2)
    assert found["deep_supervision"] is False
    assert found["kernel_size"] == [[3, 3, 3], [3, 3, 1]]
    assert found["strides"] == [[1, 1, 1], [2, 2, 2]]


def test_packages_that_a_network_needs() -> None:
    assert list_packages({"_target_": "SwinUNETR"}) == ("einops",)
    assert list_packages(UNET) == ()
