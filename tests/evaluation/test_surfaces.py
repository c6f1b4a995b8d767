import math

import numpy as np
import numpy.typing as npt
import pytest

from medunet.evaluation.surfaces import CORNERS, _find_lines, _join_edges, find_surface
from medunet.geometry import Grid

Bools = npt.NDArray[np.bool_]


def make_grid(shape: tuple[int, int, int], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    return Grid(shape, np.diag([*spacing, 1.0]))


def test_a_voxel_is_an_octahedron_around_its_centre() -> None:
    """Its corners are the middles of the edges to the 6 neighbours, whatever the spacing."""
    surface = find_surface(np.ones((1, 1, 1), bool), make_grid((1, 1, 1)))
    assert surface.areas.sum() == pytest.approx(4 * math.sqrt(0.5))  # one slice: a square on its corner
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    surface = find_surface(mask, make_grid(mask.shape, (1, 2, 3)))
    legs = 0.5, 1.0, 1.5
    side = 0.5 * math.sqrt((legs[0] * legs[1]) ** 2 + (legs[1] * legs[2]) ** 2 + (legs[0] * legs[2]) ** 2)
    assert surface.areas.sum() == pytest.approx(8 * side)
    assert np.allclose(surface.places.mean(axis=0), (1, 2, 3))


def test_planes_have_their_area_whatever_axis_they_cross() -> None:
    spacing = (0.7, 1.1, 3.0)
    for axis in range(3):
        mask = np.zeros((8, 8, 8), bool)
        mask[(slice(None),) * axis + (slice(0, 4),)] = True
        surface = find_surface(mask, make_grid(mask.shape, spacing))
        face = math.prod(spacing) / spacing[axis]
        inner = np.isclose(surface.places[:, axis], 3.5 * spacing[axis]) & np.isclose(surface.areas, face)
        assert inner.sum() == 7 * 7


def test_surfaces_are_closed() -> None:
    """The lines of a cell pass each edge that leaves the mask once, and neighbours agree on their common face."""
    for code in range(1, 255):
        inside = [bool(code >> bit & 1) for bit in range(8)]
        for axis in range(3):
            low = [bit for bit in range(8) if not CORNERS[bit, axis]]
            face = low[0], low[1], low[3], low[2]
            # The other side of the face sees the same corners, in the other direction.
            assert set(map(frozenset, _join_edges(inside, face))) == set(
                map(frozenset, _join_edges(inside, face[::-1]))
            )
        lines = _find_lines(inside)
        edges = [edge for line in lines for edge in line]
        crossed = {
            frozenset((a, b))
            for a in range(8)
            for b in range(a)
            if inside[a] != inside[b] and np.abs(CORNERS[a] - CORNERS[b]).sum() == 1
        }
        assert len(edges) == len(set(edges))
        assert set(edges) == crossed
        assert all(len(line) >= 3 for line in lines)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (1, 1, 2), (2, 0.8, 0.8)])
def test_a_ball_has_about_its_area_and_its_middle(spacing: tuple[float, float, float]) -> None:
    shape = tuple(int(60 / step) for step in spacing)
    places = np.indices(shape).transpose(1, 2, 3, 0) * spacing
    ball = np.linalg.norm(places - 30, axis=-1) <= 20
    surface = find_surface(ball, make_grid(shape, spacing))
    assert surface.areas.sum() == pytest.approx(4 * math.pi * 400, rel=0.13)
    assert np.allclose(np.average(surface.places, axis=0, weights=surface.areas), 30, atol=0.5)
    assert np.linalg.norm(surface.places - 30, axis=1) == pytest.approx(20, abs=max(spacing))


def test_areas_are_those_of_the_world() -> None:
    random = np.random.default_rng(1)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    mask = random.random((6, 7, 8)) < 0.5
    straight, turned = np.eye(4), np.eye(4)
    straight[:3, :3] = np.array([[0.9, 0, 0.4], [0, 1.1, 1], [0, 0, 2.5]])
    turned[:3, :3] = turn @ straight[:3, :3]
    first, second = (find_surface(mask, Grid(mask.shape, affine)) for affine in (straight, turned))
    assert np.allclose(first.areas, second.areas)
    assert np.allclose(first.places @ turn.T, second.places)


def test_unknown_voxels_bound_no_surface() -> None:
    mask = np.zeros((12, 12, 12), bool)
    mask[3:9, 3:9, 3:9] = True
    known = np.ones_like(mask)
    grid = make_grid(mask.shape)
    whole = find_surface(mask, grid, known)
    assert np.array_equal(whole.cells, find_surface(mask, grid).cells)
    known[:, :, 6:] = False
    half = find_surface(mask & known, grid, known)
    assert half.areas.sum() < whole.areas.sum()
    assert (half.places[:, 2] <= 6).all()
    flat = (np.abs(half.places[:, :2] - 5.5) < 2).all(axis=1)
    assert np.allclose(half.places[flat, 2], 2.5), "the far side is known, the near one isn't"


def test_slices_between_those_that_somebody_looked_at_cut_nothing_off() -> None:
    mask = np.zeros((12, 12, 9), bool)
    mask[3:9, 3:9] = True
    known = np.zeros_like(mask)
    known[:, :, ::4] = True
    surface = find_surface(mask & known, make_grid(mask.shape), known)
    assert len(surface.areas)
    inner = (surface.places[:, 2] > 0) & (surface.places[:, 2] < 8)
    assert np.abs(surface.places[inner, :2] - 5.5).max(axis=1) == pytest.approx(3, abs=0.3), "walls, no ends"
