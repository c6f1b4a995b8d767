import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medunet.errors import GeometryError
from medunet.findings import listening
from medunet.geometry import (
    Grid,
    check_same_grid,
    check_same_pixels,
    find_limits,
    flip_lps_ras,
    measure_displacement,
    spread_row,
    turn_voxels,
)

NUMBERS = st.floats(-3, 3)
AFFINES = st.lists(NUMBERS, min_size=12, max_size=12).map(lambda v: np.vstack([np.reshape(v, (3, 4)), [0, 0, 0, 1.0]]))


@given(AFFINES)
def test_world_and_voxel_are_inverse(affine: np.ndarray) -> None:
    if abs(np.linalg.det(affine)) < 0.05:
        return
    grid = Grid((5, 6, 7), affine)
    indices = grid.corners()
    assert np.allclose(grid.to_voxel(grid.to_world(indices)), indices, atol=1e-6)
    assert np.array_equal(flip_lps_ras(flip_lps_ras(affine)), affine)


def test_spacing_volume_and_nearest_axes_of_a_turned_grid() -> None:
    grid = Grid((4, 5, 6), np.array([[0, 0.1, 3, 0], [-2, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]]))
    assert grid.spacing == pytest.approx((2, np.hypot(1, 0.1), 3))
    assert grid.voxel_volume == pytest.approx(6)
    assert grid.nearest_axes() == (2, 0, 1)


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_an_affine_that_places_nothing_is_refused(affine: np.ndarray) -> None:
    with pytest.raises(GeometryError):
        Grid((2, 2, 2), affine)


def test_the_same_grid_is_decided_by_the_farthest_corner() -> None:
    grid = Grid((500, 500, 100), np.diag([1.0, 1, 3, 1]))
    turned = np.diag([1.0, 1, 3, 1])
    turned[1, 0] = 2e-8
    check_same_grid(Grid(grid.shape, turned), grid, "a", "b")
    turned[1, 0] = 1e-3
    assert measure_displacement(Grid(grid.shape, turned), grid) == pytest.approx(0.499, abs=1e-3)
    with pytest.raises(GeometryError, match=r"up to 0\.499 mm"):
        check_same_grid(Grid(grid.shape, turned), grid, "a", "b")
    with pytest.raises(GeometryError, match="shape"):
        check_same_grid(Grid((2, 2, 2), np.eye(4)), grid, "a", "b")


def test_only_grids_of_pixels_must_be_one() -> None:
    first, second = Grid((2, 2, 1), np.eye(4)), Grid((3, 2, 1), np.eye(4))
    check_same_pixels(first, second, "a", "b")
    with pytest.raises(GeometryError, match="shape"):
        check_same_pixels(first, Grid((3, 2, 1), np.eye(4), "px"), "a", "b")


def test_a_row_of_an_affine_gives_a_coordinate_of_every_voxel() -> None:
    affine = np.array([[0.0, -2, 0.5, 7], [1.5, 0, 0, -3], [0, 0, 4, 1], [0, 0, 0, 1]])
    grid = Grid((3, 4, 5), affine)
    places = grid.to_world(np.indices(grid.shape).reshape(3, -1).T).reshape(*grid.shape, 3)
    for world in range(3):
        assert np.allclose(spread_row(affine[world], grid.shape), places[..., world])
    assert spread_row(affine[0], grid.shape, np.float32).dtype == np.float32


@pytest.mark.parametrize(("shear", "orthogonal"), [(0.0, True), (1e-6, True), (0.01, False)])
def test_perpendicular_axes_are_told_from_sheared_ones(shear: float, orthogonal: bool) -> None:
    affine = np.array([[0, -2, 0, 5], [1, 0, shear, 4], [0, 0, 3, 0], [0, 0, 0, 1.0]])
    assert Grid((2, 2, 2), affine).is_orthogonal() == orthogonal


def test_a_grid_is_said_in_a_line() -> None:
    grid = Grid((512, 512, 120), np.diag([0.9765625, -0.9765625, 3, 1]))
    assert repr(grid) == "Grid(512 × 512 × 120 voxels of 0.977 × 0.977 × 3 mm)"
    assert repr(Grid((640, 480, 1), np.eye(4), "px")) == "Grid(640 × 480 pixels)"
    assert Grid((640, 480, 2), np.eye(4), "px").describe() == "640 × 480 × 2 pixels"


def test_limits_are_a_quarter_and_half_of_small_voxels() -> None:
    assert find_limits(0.7, 0.4, 3) == (0.05, 0.2)
    assert find_limits(0.3, 3) == (0.05, 0.15)
    assert find_limits(0.05, 0.05, 0.1) == pytest.approx((0.0125, 0.025))


@pytest.mark.parametrize(("voxel", "shift", "warned"), [(1.0, 0.04, False), (1.0, 0.15, True), (0.05, 0.02, True)])
def test_a_small_displacement_is_told(voxel: float, shift: float, warned: bool) -> None:
    affine = np.diag([voxel, voxel, voxel, 1])
    moved = affine.copy()
    moved[2, 3] = shift
    with listening() as said:
        check_same_grid(Grid((4, 5, 6), moved), Grid((4, 5, 6), affine), "a", "b")
    assert [item.code for item in said] == ["label-grid"] * warned


def test_a_displacement_of_voxels_is_refused_however_small_they_are() -> None:
    affine = np.diag([0.05, 0.05, 0.05, 1])
    moved = affine.copy()
    moved[0, 3] = 0.15
    with pytest.raises(GeometryError, match=r"up to 0\.15 mm away"):
        check_same_grid(Grid((4, 5, 6), moved), Grid((4, 5, 6), affine), "a", "b")


def test_both_spacings_are_named_where_they_differ() -> None:
    with pytest.raises(
        GeometryError, match=r"1 × 1 × 3 mm are not those of b, of 1 × 1 × 2\.5 mm; one of both headers"
    ):
        check_same_grid(Grid((4, 5, 6), np.diag([1, 1, 3, 1])), Grid((4, 5, 6), np.diag([1, 1, 2.5, 1])), "a", "b")


def test_both_spacings_are_named_where_the_shapes_differ_too() -> None:
    with pytest.raises(GeometryError, match=r"that of b, and its voxels are of 1 × 1 × 3 mm, not of 1 × 1 × 2\.5 mm"):
        check_same_grid(Grid((4, 5, 5), np.diag([1, 1, 3, 1])), Grid((4, 5, 6), np.diag([1, 1, 2.5, 1])), "a", "b")


@given(st.permutations(range(3)), st.lists(st.booleans(), min_size=3, max_size=3))
def test_voxels_are_turned_into_another_order_of_axes(order: list[int], flips: list[bool]) -> None:
    affine = np.array([[0.1, -2, 0, 7], [1.5, 0.1, 0, -3], [0, 0, 4, 1], [0, 0, 0, 1]])
    grid = Grid((3, 4, 5), affine)
    voxels = np.arange(60).reshape(3, 4, 5)
    turn = np.eye(4)[:, [*order, 3]]
    stored = voxels.transpose(order)
    for axis, flipped in enumerate(flips):
        if flipped:
            stored = np.flip(stored, axis)
            turn[:, 3] += turn[:, axis] * (stored.shape[axis] - 1)
            turn[:, axis] *= -1
    back, where = turn_voxels(stored, Grid(stored.shape, affine @ turn), grid)
    assert np.array_equal(back, voxels)
    assert measure_displacement(where, grid) < 1e-9


def test_voxels_that_lie_askew_are_left() -> None:
    grid = Grid((3, 4, 5), np.eye(4))
    coarse = Grid((3, 4, 5), np.diag([2.0, 1, 1, 1]))
    assert turn_voxels(np.zeros((3, 4, 5)), coarse, grid)[1] is coarse
