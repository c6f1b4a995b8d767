import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import oblique_grids, turned_grids
from torch.nn.functional import grid_sample

from medunet.geometry import Grid, Shape
from medunet.preparation.places import PlanePlaces, find_index, move_to_slab, place_box


def test_corners_are_the_outer_centres() -> None:
    positions = place_box([range(4), range(3), range(2)], np.eye(4), (4, 3, 2))
    assert positions[0, 0, 0].tolist() == [-1, -1, -1]
    assert positions[-1, -1, -1].tolist() == [1, 1, 1]
    assert torch.allclose(find_index(positions[..., 2], 4)[:, 0, 0], torch.arange(4.0), atol=1e-6)
    assert place_box([range(1)] * 3, np.eye(4), (1, 1, 1)).tolist() == [[[[-1, -1, -1]]]]


@settings(max_examples=80, deadline=None)
@given(st.data(), st.tuples(*[st.integers(1, 12)] * 3), st.integers(0, 99))
def test_a_plane_in_its_slab_has_the_values_of_the_volume(data: st.DataObject, shape: Shape, seed: int) -> None:
    """To the last bit, whichever voxels of the plane are asked for."""
    source = Grid(shape, np.diag([1.5, 1.2, 0.9, 1]))
    grid = data.draw(st.one_of(turned_grids(source), oblique_grids(source)))
    to_source = np.linalg.inv(source.affine) @ grid.affine
    row = np.abs(to_source[0, :3])
    axis = int(row.argmax())
    if (np.delete(row, axis) * (np.delete(np.array(grid.shape), axis) - 1)).sum() > 0.4:
        return
    scores = torch.randn((1, 1, *shape), generator=torch.Generator().manual_seed(seed))
    for number in range(grid.shape[axis]):
        ranges = [range(number, number + 1) if n == axis else range(size) for n, size in enumerate(grid.shape)]
        positions = place_box(ranges, to_source, shape)
        wanted = grid_sample(scores, positions[None], padding_mode="border", align_corners=True)[0, 0]
        places = PlanePlaces(axis, number, to_source, grid.shape, source.shape)
        slab = places.find_slab()
        part = scores[:, :, slab.start : slab.stop]
        rows, columns = (torch.arange(size) for size in places.shape)
        some = places.place(rows[:, None], columns, slab)
        found = grid_sample(part, some[None, None], padding_mode="border", align_corners=True)[0, 0, 0]
        assert torch.equal(found, wanted.squeeze(axis))
        move_to_slab(positions, shape[0], slab)
        assert torch.equal(positions.squeeze(axis), some)
