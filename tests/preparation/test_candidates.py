import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import oblique_grids, turned_grids

from medunet.geometry import Grid, Shape
from medunet.preparation import candidates, resample_planes, take_largest


def label_plainly(scores: torch.Tensor, source: Grid, grid: Grid) -> np.ndarray:
    """By all classes: a decision that isn't known by name is given every score."""

    def decide(values: torch.Tensor) -> torch.Tensor:
        return take_largest(values)

    return resample_planes(scores.unbind(1), source, grid, decide)


def make_scores(kind: str, classes: int, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Scores (classes, I, J, K): noise, few values with many ties, near ties, or smooth bumps."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((classes, *shape), generator=generator)
    if kind == "ties":
        return noise.round()
    if kind == "near ties":
        # Classes differ by a few roundings of float32 everywhere.
        return 3.0 + 1e-6 * noise.round()
    if kind == "apart":
        # One class is far above the others, another one at each place.
        place = torch.randint(classes, shape, generator=generator) // 2 * 2 % classes
        return 30 * torch.nn.functional.one_hot(place, classes).permute(3, 0, 1, 2).float() + noise
    if kind == "box":
        # Outside of a box all classes are the same, as where the prediction is of a part of a scan.
        far = [torch.rand(size, generator=generator) < 0.3 for size in shape]
        noise[:, far[0][:, None, None] | far[1][:, None] | far[2]] = float(seed % 3)
    return noise


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.sampled_from(("noise", "ties", "near ties", "apart", "box")),
    st.integers(1, 9),
    st.integers(0, 999),
    st.sampled_from(((2, 1), (4, 3), (32, 8))),
)
def test_labels_are_those_of_all_classes_to_the_last_bit(
    data: st.DataObject, shape: Shape, kind: str, classes: int, seed: int, sides: tuple[int, int]
) -> None:
    source = Grid(shape, np.diag([1.5, 1.2, 0.9, 1]))
    grid = data.draw(st.one_of(turned_grids(source), oblique_grids(source)))
    scores = make_scores(kind, classes, source.shape, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "BLOCK", sides[0])
        patch.setattr(candidates, "POOL", sides[1])
        found = resample_planes(scores.unbind(1), source, grid, take_largest)
    assert np.array_equal(found, label_plainly(scores, source, grid))


def test_a_class_that_is_largest_at_no_voxel_may_be_between_them() -> None:
    """Of two voxels the first is of class 0, the second of class 1; halfway class 2 is above both."""
    scores = torch.tensor([[5.0, -5.0], [-5.0, 5.0], [4.0, 4.0]])[:, :, None, None].expand(3, 2, 3, 3).contiguous()
    source = Grid((2, 3, 3), np.diag([2.0, 1, 1, 1]))
    grid = Grid((3, 3, 3), np.eye(4))
    assert take_largest(scores).unique().tolist() == [0, 1]
    assert resample_planes(scores.unbind(1), source, grid, take_largest)[:, 0, 0].tolist() == [0, 2, 1]


def test_scores_that_are_no_numbers_are_decided_as_ever() -> None:
    scores = make_scores("noise", 4, (4, 5, 6), 3)
    scores[2, 1, 2, 3] = float("nan")
    source, grid = Grid((4, 5, 6), np.eye(4)), Grid((7, 9, 11), np.diag([0.5, 0.5, 0.5, 1]))
    found = resample_planes(scores.unbind(1), source, grid, take_largest)
    assert np.array_equal(found, label_plainly(scores, source, grid))


def test_what_is_known_is_not_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 compact classes, only those near each other are."""
    whole, counted = candidates.grid_sample, []

    def count(scores: torch.Tensor, positions: torch.Tensor, **options: object) -> torch.Tensor:
        counted.append(positions[..., 0].numel())
        return whole(scores, positions, **options)

    monkeypatch.setattr(candidates, "grid_sample", count)
    classes, shape = 60, (6, 64, 64)
    scores = torch.full((classes, *shape), -8.0)
    scores[0] = 0.0
    for value in range(1, classes):
        row, column = divmod(value, 8)
        scores[value, 1:5, 8 * row + 2 : 8 * row + 6, 8 * column + 2 : 8 * column + 6] = 8.0
    source, grid = Grid(shape, np.eye(4)), Grid((11, 127, 127), np.diag([0.5, 0.5, 0.5, 1]))
    found = resample_planes(scores.unbind(1), source, grid, take_largest)
    assert len(np.unique(found)) == classes
    assert sum(counted) < classes * found.size / 2
    counted.clear()
    scores[1:] = -8.0
    assert not resample_planes(scores.unbind(1), source, grid, take_largest).any()
    assert counted == []
    scores.zero_()
    assert not resample_planes(scores.unbind(1), source, grid, take_largest).any()
    assert counted == []
