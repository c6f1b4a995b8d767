import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import grid_points_in_poly

from medunet.outlines import Corners, trace_parts


def fill(corners: Corners, shape: tuple[int, int]) -> np.ndarray:
    return np.asarray(grid_points_in_poly(shape, corners - 0.5))


def measure_area(corners: Corners) -> float:
    i, j = corners.T
    return float(i @ np.roll(j, -1) - j @ np.roll(i, -1)) / 2


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(1, 12), st.integers(1, 12)), st.floats(0.05, 0.98))
def test_outlines_enclose_the_mask_and_nothing_else(seed: int, shape: tuple[int, int], share: float) -> None:
    """By another program's rule, with holes apart and joined; areas are those of the voxels."""
    mask = np.random.default_rng(seed).random(shape) < share
    parts = trace_parts(mask)
    assert len(parts) == ndimage.label(mask)[1]
    apart, joined = np.zeros(shape, bool), np.zeros(shape, bool)
    for part in parts:
        for corners in (part.outer, *part.holes):
            apart ^= fill(corners, shape)
        joined |= fill(part.join_holes(), shape)
        assert measure_area(part.outer) > 0
        assert all(measure_area(hole) < 0 for hole in part.holes)
    assert np.array_equal(apart, mask)
    assert np.array_equal(joined, mask)
    assert sum(measure_area(part.join_holes()) for part in parts) == mask.sum()


def test_a_voxel_has_four_corners() -> None:
    (part,) = trace_parts(np.ones((1, 1), bool))
    assert part.outer.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert part.join_holes().tolist() == part.outer.tolist()


def test_lines_turn_at_each_corner() -> None:
    mask = np.zeros((9, 8), bool)
    mask[1:8, 1:7] = True
    (part,) = trace_parts(mask)
    assert len(part.outer) == 4
    mask[3:5, 3:5] = False
    (part,) = trace_parts(mask)
    assert [len(hole) for hole in part.holes] == [4]
    outer, hole = [[1, 1], [8, 1], [8, 7], [1, 7]], [[3, 5], [5, 5], [5, 3]]
    assert part.join_holes().tolist() == [*outer, [1, 3], [3, 3], *hole, [1, 3]]


@pytest.mark.parametrize("inside", [True, False])
def test_what_touches_across_a_corner(inside: bool) -> None:
    """Two voxels are two parts; two holes are one."""
    mask = np.full((4, 4), not inside)
    mask[1, 1] = mask[2, 2] = inside
    parts = trace_parts(mask)
    assert len(parts) == (2 if inside else 1)
    if not inside:
        assert len(parts[0].holes) == 1


def test_an_empty_mask_has_no_part() -> None:
    assert trace_parts(np.zeros((3, 3), bool)) == []
