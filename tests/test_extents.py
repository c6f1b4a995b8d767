import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from shapes import SPACINGS, TURNS, draw_ellipsoid, make_grid

from medunet import extents
from medunet.extents import measure_diameters
from medunet.geometry import Grid


def list_corners(inside: np.ndarray, grid: Grid) -> np.ndarray:
    """World places of the outer corners of all voxels."""
    steps = np.array(list(product((-0.5, 0.5), repeat=3)))
    indices = (np.argwhere(inside)[:, None] + steps).reshape(-1, 3)
    return grid.to_world(np.unique(indices, axis=0))


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_box_is_exact_on_any_orthogonal_grid(spacing: tuple[float, float, float], turn: float) -> None:
    grid = make_grid((24, 20, 12), spacing, turn)
    inside = np.zeros(grid.shape, bool)
    inside[3:17, 4:13, 2:10] = True
    a, b, c = np.array([14, 9, 8]) * spacing
    found = measure_diameters(inside, grid)
    assert found.longest == pytest.approx(np.hypot(a, b))
    # The chord across the diagonal of a rectangle ends at its long sides.
    assert found.perpendicular == pytest.approx(min(a, b) * np.hypot(a, b) / max(a, b))
    assert found.spatial == pytest.approx(np.linalg.norm([a, b, c]))


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_balls_and_ellipsoids_are_as_long_as_they_are_to_within_a_voxel(
    spacing: tuple[float, float, float], turn: float
) -> None:
    grid = make_grid((96, 80, 40), spacing, turn)
    plane, space = np.hypot(*spacing[:2]), np.linalg.norm(spacing)
    for radii in ((12.0, 12.0, 12.0), (20.0, 9.0, 14.0)):
        found = measure_diameters(draw_ellipsoid(grid, radii), grid)
        assert 2 * radii[0] - 0.5 * plane <= found.longest <= 2 * radii[0] + plane
        assert 2 * radii[1] - plane <= found.perpendicular <= 2 * radii[1] + plane
        assert found.spatial is not None
        assert 2 * max(radii) - 0.5 * space <= found.spatial <= 2 * max(radii) + space


def test_one_voxel_has_its_diagonal() -> None:
    grid = make_grid((3, 3, 3), (3.0, 4.0, 12.0))
    inside = np.zeros(grid.shape, bool)
    inside[1, 1, 1] = True
    found = measure_diameters(inside, grid)
    assert (found.longest, found.spatial) == (pytest.approx(5), pytest.approx(13))
    assert found.perpendicular == pytest.approx(3 * 5 / 4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.sampled_from((0.0, 0.2)), st.permutations(range(3)), st.booleans())
def test_it_is_the_largest_of_all_distances_on_sheared_and_permuted_grids(
    seed: int, shear: float, order: list[int], fortran: bool
) -> None:
    rng = np.random.default_rng(seed)
    straight = make_grid((6, 5, 4), (0.7, 0.9, 2.5), 0.3, shear)
    affine = straight.affine.copy()
    affine[:3, :3] = straight.affine[:3, :3][:, order]
    grid = Grid(tuple(straight.shape[n] for n in order), affine)  # type: ignore[arg-type]
    inside = rng.random(grid.shape) < 0.2
    inside[0, 0, 0] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extents, "MOST", 30)  # one or two planes at once
        found = measure_diameters(np.asfortranarray(inside) if fortran else inside, grid)
    assert found.spatial == pytest.approx(pdist(list_corners(inside, grid)).max())
    axis = grid.nearest_axes()[2]
    longest = []
    for place in np.flatnonzero(inside.any(axis=tuple(n for n in range(3) if n != axis))):
        plane = np.zeros(grid.shape, bool)
        plane[tuple(place if n == axis else slice(None) for n in range(3))] = True
        corners = np.argwhere(inside & plane)[:, None] + np.array(
            [np.insert(step, axis, 0) for step in product((-0.5, 0.5), repeat=2)]
        )
        longest.append(pdist(grid.to_world(corners.reshape(-1, 3))).max())
    assert found.longest == pytest.approx(max(longest))
    assert 0 < found.perpendicular <= found.longest + 1e-9


def test_a_picture_has_no_diameter_in_space() -> None:
    inside = np.zeros((9, 9, 1), bool)
    inside[2:6, 3:6] = True
    found = measure_diameters(inside, Grid(inside.shape, np.eye(4), "px"))
    assert (found.longest, found.spatial) == (pytest.approx(5), None)
    assert found.perpendicular == pytest.approx(3 * 5 / 4)


def test_a_large_organ_takes_seconds() -> None:
    grid = make_grid((200, 200, 150), (0.8, 0.8, 1.25))
    inside = draw_ellipsoid(grid, (75.0, 75.0, 90.0))
    started = time.process_time()
    assert measure_diameters(inside, grid).spatial == pytest.approx(180, abs=2)
    assert time.process_time() - started < 10
