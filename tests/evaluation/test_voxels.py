import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medunet.evaluation.voxels import (
    find_surface_voxels,
    measure_dice,
    measure_nsd,
    measure_nsd_voxels,
    measure_voxels,
)
from medunet.geometry import Grid

Bools = npt.NDArray[np.bool_]


def make_grid(shape: tuple[int, int, int], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    return Grid(shape, np.diag([*spacing, 1.0]))


def make_box(shape: tuple[int, int, int], *sides: tuple[int, int]) -> Bools:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


def make_ball(
    shape: tuple[int, int, int],
    centre: npt.ArrayLike,
    radius: float,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Bools:
    places = np.indices(shape).transpose(1, 2, 3, 0) * spacing
    return np.linalg.norm(places - centre, axis=-1) <= radius


def search_surface(mask: Bools) -> npt.NDArray[np.int64]:
    """Surface voxels by the definition, voxel by voxel."""
    padded = np.pad(mask, 1)
    places = []
    for index in np.argwhere(mask):
        i, j, k = index + 1
        around = (padded[i - 1, j, k], padded[i + 1, j, k], padded[i, j - 1, k], padded[i, j + 1, k])
        if not all((*around, padded[i, j, k - 1], padded[i, j, k + 1])):
            places.append(index)
    return np.array(places)


def search_nsd(predicted: Bools, truth: Bools, grid: Grid, tolerance: float) -> float:
    """NSD by comparing every pair of surface voxels."""
    first, second = (grid.to_world(search_surface(mask)) for mask in (predicted, truth))
    distances = np.linalg.norm(first[:, None] - second[None], axis=-1)
    near = np.sum(distances.min(axis=1) <= tolerance + 1e-9) + np.sum(distances.min(axis=0) <= tolerance + 1e-9)
    return near / (len(first) + len(second))


def test_dice_by_hand() -> None:
    truth = make_box((6, 6, 6), (0, 2), (0, 2), (0, 2))
    predicted = make_box((6, 6, 6), (1, 3), (0, 2), (0, 2))
    assert measure_dice(predicted, truth) == pytest.approx(2 * 4 / 16)
    assert measure_dice(truth, truth) == 1
    assert measure_dice(np.zeros_like(truth), truth) == 0
    assert math.isnan(measure_dice(np.zeros_like(truth), np.zeros_like(truth)))


def test_surface_of_a_cube_is_all_but_its_core() -> None:
    assert find_surface_voxels(make_box((7, 7, 7), (1, 6), (1, 6), (1, 6))).sum() == 125 - 27
    # What lies outside the array is background, so the rim is surface too.
    assert find_surface_voxels(np.ones((5, 5, 5), dtype=bool)).sum() == 125 - 27


def test_surface_in_one_slice_is_its_outline() -> None:
    square = make_box((9, 9, 1), (1, 8), (1, 8), (0, 1))
    assert find_surface_voxels(square, flat=True).sum() == 49 - 25
    # A hole in the middle is beyond the tolerance of the outline, so its own rim counts; as a volume all would agree.
    holed = square & ~make_box((9, 9, 1), (4, 5), (4, 5), (0, 1))
    assert measure_nsd_voxels(holed, square, make_grid(square.shape), 1.0) == pytest.approx(2 * 24 / (24 + 24 + 4))


@pytest.mark.parametrize(("gap", "expected"), [(1, 1.0), (2, 1.0), (3, 0.0)])
def test_nsd_of_parallel_planes_counts_the_tolerance_itself(gap: int, expected: float) -> None:
    truth = make_box((8, 4, 4), (1, 2), (0, 4), (0, 4))
    predicted = make_box((8, 4, 4), (1 + gap, 2 + gap), (0, 4), (0, 4))
    assert measure_nsd_voxels(predicted, truth, make_grid(truth.shape)) == expected


def test_nsd_of_voxels_by_hand() -> None:
    # Two rods of 4 and 8 voxels that begin together; every voxel is surface. Of the long one 4 lie in common and 2
    # more within 2 mm.
    short, long = make_box((10, 1, 1), (0, 4), (0, 1), (0, 1)), make_box((10, 1, 1), (0, 8), (0, 1), (0, 1))
    assert measure_nsd_voxels(short, long, make_grid(short.shape)) == pytest.approx((4 + 4 + 2) / 12)


def test_nsd_of_voxels_uses_the_spacing_of_each_axis() -> None:
    truth = make_box((3, 3, 6), (0, 3), (0, 3), (1, 2))
    predicted = make_box((3, 3, 6), (0, 3), (0, 3), (2, 3))
    assert measure_nsd_voxels(predicted, truth, make_grid(truth.shape, (1, 1, 3.27))) == 0
    assert measure_nsd_voxels(predicted, truth, make_grid(truth.shape, (3.27, 1, 1))) == 1


def test_balls_within_and_beyond_the_tolerance() -> None:
    shape, spacing = (40, 40, 20), (1.0, 1.0, 2.0)
    grid = make_grid(shape, spacing)
    truth = make_ball(shape, (20, 20, 20), 10, spacing)
    assert measure_nsd_voxels(make_ball(shape, (20, 20, 20), 11, spacing), truth, grid) == 1
    assert measure_nsd_voxels(make_ball(shape, (20, 20, 20), 15, spacing), truth, grid) == 0
    score = measure_voxels(make_ball(shape, (20, 20, 20), 11, spacing), truth, grid)
    assert score.dice == pytest.approx(2 * 10**3 / (10**3 + 11**3), abs=0.02)
    assert score.truth_ml == pytest.approx(4 / 3 * math.pi, rel=0.03)


@pytest.mark.parametrize("shear", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(4))
def test_nsd_of_voxels_agrees_with_brute_force(seed: int, shear: float) -> None:
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0.9, 0, 0], [0, 1.1, shear * 2.5], [0, 0, 2.5]])
    affine[:3, 3] = (-300, 20, 700)
    grid = Grid((9, 8, 7), affine)
    truth, predicted = random.random((2, 9, 8, 7)) < np.array([0.6, 0.1]).reshape(2, 1, 1, 1)
    expected = search_nsd(predicted, truth, grid, 1.5)
    assert 0 < expected < 1
    assert measure_nsd_voxels(predicted, truth, grid, 1.5) == pytest.approx(expected)
    # The box around both masks is all that matters.
    padded = [np.pad(mask, 3) for mask in (predicted, truth)]
    assert measure_voxels(*padded, Grid(padded[0].shape, affine), 1.5).nsd_voxels == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_scores_are_symmetric_and_bounded(seed: int, first: float, second: float) -> None:
    random = np.random.default_rng(seed)
    a, b = random.random((5, 6, 4)) < first, random.random((5, 6, 4)) < second
    a[0, 0, 0] = b[1, 1, 1] = True
    grid = make_grid(a.shape, (1, 2, 3))
    one, other = measure_voxels(a, b, grid), measure_voxels(b, a, grid)
    assert (one.dice, one.nsd_voxels) == (other.dice, other.nsd_voxels)
    assert one.nsd == pytest.approx(other.nsd)
    assert all(0 <= share <= 1 for share in (one.dice, one.nsd, one.nsd_voxels))
    assert measure_voxels(a, a, grid).nsd == measure_voxels(a, a, grid).nsd_voxels == 1


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 2.0), (1.0, 1.0, 1.0), (2.0, 2.0, 2.0)])
@pytest.mark.parametrize("axis", range(3))
def test_nsd_by_area_is_the_same_in_all_directions(axis: int, spacing: tuple[float, float, float]) -> None:
    """Of two spheres of radius 25, 5 apart, 0.4 of the area lies within 2 of the other: cos from -0.316 to 0.484."""
    shape = tuple(int(80 / step) for step in spacing)
    centre = np.array([40.3, 39.7, 40.1])
    first, second = (make_ball(shape, centre + shift * np.eye(3)[axis], 25, spacing) for shift in (0, 5))
    assert measure_nsd(first, second, make_grid(shape, spacing)) == pytest.approx(0.40, abs=0.035)


def test_nsd_by_area_counts_the_tolerance_itself() -> None:
    truth, near, far = (make_box((12, 20, 20), (0, 4 + gap), (0, 20), (0, 20)) for gap in (0, 2, 3))
    grid = make_grid(truth.shape)
    assert measure_nsd(near, truth, grid) == 1
    assert 0.4 < measure_nsd(far, truth, grid) < 0.85


def test_emptiness_has_four_outcomes() -> None:
    grid = make_grid((4, 4, 4), (10, 10, 10))
    some, none = make_box((4, 4, 4), (1, 3), (1, 3), (1, 3)), np.zeros((4, 4, 4), dtype=bool)
    absent = measure_voxels(none, none, grid)
    assert (absent.outcome, absent.dice, absent.nsd) == ("correct_absent", None, None)
    missed = measure_voxels(none, some, grid)
    assert (missed.outcome, missed.dice, missed.nsd, missed.truth_ml) == ("missed", 0, 0, pytest.approx(8))
    false = measure_voxels(some, none, grid)
    assert (false.outcome, false.dice, false.nsd, false.predicted_ml) == ("falsely_found", None, None, pytest.approx(8))
    assert measure_voxels(some, some, grid).outcome == "both"
    assert measure_nsd_voxels(none, some, grid) == 0
    assert math.isnan(measure_nsd_voxels(none, none, grid))


def test_volume_of_a_sheared_grid_and_of_pixels() -> None:
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    affine[1, 2] = 3.0
    mask = np.ones((10, 10, 10), dtype=bool)
    assert measure_voxels(mask, mask, Grid(mask.shape, affine)).truth_ml == pytest.approx(5.0)
    assert measure_voxels(mask, mask, Grid(mask.shape, np.eye(4), "px")).truth_ml == 1000


def test_what_nobody_looked_at_has_no_voxels_and_no_surface() -> None:
    shape = (12, 8, 8)
    grid, known = make_grid(shape), make_box(shape, (0, 6), (0, 8), (0, 8))
    truth = make_box(shape, (2, 6), (2, 6), (2, 6))
    # Beyond the known half the prediction may be what it likes: it is right, and so is its surface.
    for stop in (6, 9, 12):
        score = measure_voxels(make_box(shape, (2, stop), (2, 6), (2, 6)), truth, grid, 0.5, known)
        assert (score.dice, score.nsd, score.nsd_voxels) == (1, 1, 1)
        assert score.truth_ml == score.predicted_ml
    # An end one voxel before the unknown is a surface 1 mm away from any of the truth, by its middle 2 by 2 voxels.
    short = measure_voxels(make_box(shape, (2, 5), (2, 6), (2, 6)), truth, grid, 0.5, known)
    rims = {length: 4 * 4 + 12 * (length - 1) for length in (3, 4)}  # a closed base, walls, an open end
    shared = rims[3]
    assert short.nsd_voxels == pytest.approx(2 * shared / (rims[4] + rims[3] + 4))
    assert 0.5 < short.nsd < 1
    full = measure_voxels(make_box(shape, (2, 9), (2, 6), (2, 6)), truth, grid, 0.5)
    assert full.dice == pytest.approx(2 * 64 / (64 + 112))
    assert measure_voxels(~known, truth & ~known, grid, 0.5, known).outcome == "correct_absent"
    # Both masks fill all that is known between the edges of the image, which is a surface, and the unknown.
    alone = make_box(shape, (3, 4), (3, 4), (3, 4))
    assert measure_voxels(alone, alone, grid, 0.5, alone).nsd is None
