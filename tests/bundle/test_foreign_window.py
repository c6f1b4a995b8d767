"""Inferers, read as data."""

from typing import Any

import pytest

from medunet.bundle.foreign_window import find_unit, read_window
from medunet.bundle.literals import Mark
from medunet.bundle.parts import Window
from medunet.errors import BundleError

SLIDING = {"_target_": "SlidingWindowInferer", "roi_size": [96, 96, 64]}


@pytest.mark.parametrize(
    ("inferer", "dims", "window"),
    [
        (SLIDING, 3, Window((96, 96, 64), 0.25, "constant", 3)),
        (
            {**SLIDING, "sw_batch_size": 4, "device": Mark.DEVICE, "overlap": 0},
            3,
            Window((96, 96, 64), 0, "constant", 3),
        ),
        (
            {**SLIDING, "overlap": [0.5, 0.5, 0.5], "mode": "gaussian", "padding_mode": "replicate"},
            *(3, Window((96, 96, 64), 0.5, "gaussian", 3, "replicate")),
        ),
        ({**SLIDING, "roi_size": [96, -1, None]}, 3, Window((96, 0, 0), 0.25, "constant", 3)),
        ({**SLIDING, "roi_size": 32}, 2, Window((32, 32, 1), 0.25, "constant", 2)),
        ({"_target_": "monai.inferers.SimpleInferer"}, 3, Window((0, 0, 0), 0, "constant", 3)),
        ({"_target_": "SimpleInferer"}, 2, Window((0, 0, 1), 0, "constant", 2)),
        (
            {"_target_": "SliceInferer", "roi_size": [64, 32], "spatial_dim": 1},
            *(2, Window((64, 32, 1), 0.25, "constant", 2, axis=1)),
        ),
    ],
)
def test_windows(inferer: Any, dims: Any, window: Window) -> None:
    assert read_window(inferer, dims, "f") == window


@pytest.mark.parametrize(
    ("inferer", "said"),
    [
        ({"_target_": "DiffusionInferer"}, "is none that medunet knows"),
        (None, "is none that medunet knows"),
        ({**SLIDING, "roi_size": [96, 96]}, "'inferer::roi_size'"),
        ({**SLIDING, "roi_size": "all"}, "'inferer::roi_size'"),
        ({**SLIDING, "overlap": 1.5}, "'inferer::overlap'"),
        ({**SLIDING, "overlap": [0.5, 0.25, 0.5]}, "'inferer::overlap'"),
        ({**SLIDING, "mode": "cubic"}, "'inferer::mode'"),
        ({**SLIDING, "padding_mode": "mirror"}, "'inferer::padding_mode'"),
        ({**SLIDING, "cval": -1000}, "'cval'"),
        ({**SLIDING, "sigma_scale": 0.5}, "'sigma_scale'"),
        ({"_target_": "SliceInferer", "roi_size": [64, 32], "spatial_dim": 3}, "'inferer::spatial_dim'"),
    ],
)
def test_what_is_not_understood_is_named(inferer: Any, said: str) -> None:
    dims: Any = 2 if inferer and inferer["_target_"] == "SliceInferer" else 3
    with pytest.raises(BundleError, match=said):
        read_window(inferer, dims, "f")


def test_a_patch_of_the_whole_scan_is_as_long_as_that() -> None:
    assert Window((0, 16, 0), 0.5, "constant", 3).fit((30, 40, 50)) == (30, 16, 50)


def test_pictures_are_what_a_network_of_two_axes_takes_whole() -> None:
    assert find_unit({"_target_": "SimpleInferer"}, 2) == "px"
    assert find_unit({"_target_": "SliceInferer"}, 2) == "mm"
    assert find_unit(SLIDING, 3) == "mm"
