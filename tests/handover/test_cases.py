"""Made-up cases: always the same, within the values of training, on a grid that the chain has to turn and resample."""

from pathlib import Path

import numpy as np
import pytest

from medunet.bundle import Recipe, make_recipe, open_bundle
from medunet.handover.cases import Range, draw_case, find_range, find_spacing

ROOT = Path(__file__).parents[2] / "bundles"


def open_recipe(name: str) -> Recipe:
    return make_recipe(open_bundle(ROOT / name))


@pytest.mark.parametrize("name", ["nuclei_unet2d", "sts_petct_unet3d"])
def test_the_same_number_draws_the_same_case(name: str) -> None:
    recipe = open_recipe(name)
    first, again, other = draw_case(recipe, 3), draw_case(recipe, 3), draw_case(recipe, 4)
    assert tuple(first) == recipe.inputs
    for key in first:
        assert np.array_equal(first[key].voxels, again[key].voxels)
        assert not np.array_equal(first[key].voxels, other[key].voxels)


def test_channels_lie_on_grids_of_their_own_and_within_their_values() -> None:
    recipe = open_recipe("sts_petct_unet3d")
    case = draw_case(recipe, 0)
    assert case["ct"].grid.spacing != case["pet"].grid.spacing
    assert case["ct"].grid.affine[0, 0] < 0
    assert case["ct"].voxels.dtype == np.int16
    assert case["pet"].voxels.dtype == np.float32
    for key in ("ct", "pet"):
        values = find_range(recipe, key, key)
        assert values.low < values.middle < values.high
        assert values.low <= values.inside[0] < values.inside[1] <= values.high
        margin = 0.1 * (values.high - values.low)
        assert case[key].voxels.min() > values.low - margin
        assert case[key].voxels.max() < values.high + margin


def test_pictures_are_of_bytes_with_all_components() -> None:
    recipe = open_recipe("nuclei_unet2d")
    picture = draw_case(recipe, 0)["image"]
    assert (picture.voxels.dtype, len(picture.voxels), picture.grid.unit) == (np.uint8, 3, "px")
    assert find_range(recipe, "image", "image") == Range(1.0, 114.5, 255.0, (128.0, 255.0))
    assert find_spacing(recipe) == (1.0, 1.0, 1.0)
