import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import TURNS, draw_ellipsoid, make_grid

from medunet.evaluation.distances import Directed, measure_distances
from medunet.geometry import Grid

SPACINGS = ((1.0, 1.0, 1.0), (0.8, 1.0, 2.0))


def measure(predicted: np.ndarray, truth: np.ndarray, grid: Grid) -> tuple[float, float, float]:
    """HD95, ASSD and NSD at 2 mm."""
    found = measure_distances(predicted, truth, grid)
    assert found is not None
    return found.find_hausdorff(), found.find_mean(), found.find_nsd(2.0)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_shells_of_a_known_distance(spacing: tuple[float, float, float], turn: float) -> None:
    """Spheres of radius 20 and 24 mm about one middle: everywhere 4 mm apart."""
    shape = tuple(int(56 / size) for size in spacing)
    grid = make_grid(shape, spacing, turn)
    truth, predicted = (draw_ellipsoid(grid, (radius,) * 3, turned=False) for radius in (20, 24))
    far, mean, near = measure(predicted, truth, grid)
    step = max(spacing)
    assert far == pytest.approx(4, abs=0.5 * step)
    assert mean == pytest.approx(4, abs=0.15)
    assert near < 0.02
    found = measure_distances(predicted, truth, grid)
    assert found.there.areas.sum() == pytest.approx(4 * math.pi * 24**2, rel=0.12)
    assert found.find_nsd(4 + step) == 1


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("turn", TURNS)
def test_slabs_are_exact(axis: int, spacing: tuple[float, float, float], turn: float) -> None:
    """Half spaces whose surfaces are 3 voxels apart, that fill the array otherwise, and share what bounds it."""
    shape = (24, 24, 24)
    grid = make_grid(shape, spacing, turn)
    truth, predicted = np.zeros((2, *shape), bool)
    cut = [slice(None)] * 3
    cut[axis] = slice(0, 10)
    truth[tuple(cut)] = True
    cut[axis] = slice(0, 13)
    predicted[tuple(cut)] = True
    found = measure_distances(predicted, truth, grid)
    gap = 3 * spacing[axis]
    # The flat faces lie exactly so far apart, but at their rims, from where the walls of the longer one are nearer.
    assert (found.back.distances.max(), found.find_hausdorff(1.0)) == pytest.approx((gap, gap))
    assert found.back.distances.min() == 0
    assert found.find_nsd(gap) == 1
    assert found.find_nsd(gap - 0.01) < 1
    far, mean, _ = measure(predicted, truth, grid)
    others = math.prod(spacing) / spacing[axis] * 24**2
    whole = float(found.there.areas.sum() + found.back.areas.sum())
    assert far == pytest.approx(gap)
    assert mean <= (2 * others * gap + float(found.there.areas.sum() - found.back.areas.sum()) * gap) / whole


def test_a_box_moved_along_an_axis_by_hand() -> None:
    """Both ends lie 2 voxels, 5 mm, apart; walls are shared between slices 7 and 10, which are 7.5 mm."""
    grid = make_grid((30, 30, 20), (1.0, 1.0, 2.5))
    truth, predicted = np.zeros((2, 30, 30, 20), bool)
    truth[5:25, 5:25, 5:11], predicted[5:25, 5:25, 7:13] = True, True
    found = measure_distances(predicted, truth, grid)
    assert found.find_hausdorff() == pytest.approx(5)
    assert found.find_hausdorff(1.0) == pytest.approx(5)
    shared, whole = 4 * 20 * 7.5, 2 * 400 + 4 * 20 * 15
    assert found.find_nsd(0.0) == pytest.approx(shared / whole, abs=0.02)  # the area lacks the edges of a box


def test_the_weighted_quantile_by_hand() -> None:
    directed = Directed(np.array([3.0, 0.0, 1.0]), np.array([1.0, 8.0, 1.0]))
    assert [directed.find_quantile(share) for share in (0.5, 0.8, 0.81, 0.9, 0.95, 1.0)] == [0, 0, 1, 1, 3, 3]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.9))
def test_they_are_symmetric_and_know_no_direction(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    first, second = random.random((2, 6, 5, 4)) < share
    first[0, 0, 0] = second[3, 2, 1] = True
    grid = make_grid(first.shape, (0.7, 1.1, 2.3), 0.4)
    found = measure(first, second, grid)
    assert measure(second, first, grid) == pytest.approx(found)
    turned = Grid((4, 6, 5), grid.affine[:, [2, 0, 1, 3]])
    assert measure(first.transpose(2, 0, 1), second.transpose(2, 0, 1), turned) == pytest.approx(found)
    mirrored = Grid(first.shape, grid.affine @ np.diag([-1.0, 1, 1, 1]))
    assert measure(first[::-1], second[::-1], mirrored) == pytest.approx(found)
    assert measure(first, first, grid) == (0, 0, 1)


def test_a_surface_that_is_missing() -> None:
    some, none = np.ones((3, 3, 3), bool), np.zeros((3, 3, 3), bool)
    grid = make_grid((3, 3, 3), (1.0, 1.0, 1.0))
    assert measure_distances(none, some, grid) is None
    assert measure_distances(some, none, grid) is None


def test_one_slice_has_outlines() -> None:
    grid = Grid((40, 40, 1), np.eye(4), "px")
    first, second = np.zeros((2, 40, 40, 1), bool)
    first[10:30, 10:30], second[10:30, 10:33] = True, True
    found = measure_distances(first, second, grid)
    assert found.find_hausdorff(1.0) == pytest.approx(3)
    assert astuple(found.there)[1].sum() == pytest.approx(80, abs=3)
