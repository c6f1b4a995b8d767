import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import turned_grids
from torch.nn.functional import grid_sample

from medunet.geometry import Grid, Shape
from medunet.preparation.lines import Lines
from medunet.preparation.places import PlanePlaces, place_box


@settings(max_examples=60, deadline=None)
@given(st.data(), st.tuples(*[st.integers(1, 9)] * 3), st.integers(0, 99))
def test_scores_are_those_of_grid_sample_but_for_rounding(data: st.DataObject, shape: Shape, seed: int) -> None:
    source = Grid(shape, np.diag([1.5, 1.2, 0.9, 1]))
    grid = data.draw(turned_grids(source))
    to_source = np.linalg.inv(source.affine) @ grid.affine
    axis = int(np.abs(to_source[0, :3]).argmax())
    lines = Lines.find(to_source, source.shape, grid.shape, axis)
    stray = np.abs(to_source[:3, :3]) * (np.abs(to_source[:3, :3]) < 0.01) @ grid.shape
    assert (lines is None) == bool(stray.max() > 1e-8)
    if lines is None:
        return
    scores = torch.randn((2, *shape), generator=torch.Generator().manual_seed(seed))
    whole = grid_sample(
        scores[None],
        place_box([range(size) for size in grid.shape], to_source, source.shape)[None],
        padding_mode="border",
        align_corners=True,
    )[0, 1]
    planes = dict(enumerate(scores.unbind(1)))
    for number in range(grid.shape[axis]):
        places = PlanePlaces(axis, number, to_source, grid.shape, source.shape)
        pair = lines.find_planes(places, places.find_slab())
        wanted = whole.select(axis, number)
        box = tuple(slice(size // 3, size) for size in wanted.shape)
        assert torch.allclose(lines.interpolate(planes, 1, pair, box), wanted[box], atol=1e-5)


@pytest.mark.parametrize("axis", [1, 2])
def test_planes_that_lie_otherwise_have_no_lines(axis: int) -> None:
    grid = Grid((5, 6, 7), np.eye(4))
    assert Lines.find(np.eye(4), grid.shape, grid.shape, axis) is None
    assert Lines.find(np.eye(4), grid.shape, grid.shape, 0) is not None
