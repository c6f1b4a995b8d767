from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stock import measure_dice
from streams import follow_live_bytes, oblique_grids, turned_grids

from medunet.geometry import Grid
from medunet.preparation import (
    count_resampling,
    paint_regions,
    resample_image,
    resample_labels,
    resample_numbers,
    resample_planes,
    take_largest,
    take_likely,
)


def ball(grid: Grid, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    world = grid.to_world(np.argwhere(np.ones(grid.shape, bool)))
    return (np.linalg.norm(world - centre, axis=1) < radius).reshape(grid.shape)


def one_hot(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([~mask, mask]).astype(np.float32))


def test_the_same_grid_is_the_identity() -> None:
    grid = Grid((9, 8, 7), np.diag([2.0, 3.0, 4.0, 1.0]))
    mask = np.random.default_rng(0).random(grid.shape) > 0.5
    assert np.array_equal(resample_labels(one_hot(mask), grid.affine, grid), mask)


@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_a_ball_keeps_its_place_on_a_turned_sheared_and_flipped_grid(tilt: float) -> None:
    source = Grid((60, 60, 60), np.diag([2.0, 2.0, 2.0, 1.0]))
    affine = np.array([[0, -2.5, 0, 110], [1.5, 0, tilt, 2], [0, tilt, 4.0, 3], [0, 0, 0, 1.0]])
    target = Grid((70, 40, 28), affine)
    centre = (55.0, 58.0, 60.0)
    there = resample_labels(one_hot(ball(source, centre, 25.0)), source.affine, target)
    expected = ball(target, centre, 25.0)
    assert measure_dice(there, expected) > 0.97


def test_three_classes_take_the_largest_score() -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    scores = torch.rand(3, 4, 4, 4)
    assert np.array_equal(resample_labels(scores, grid.affine, grid), scores.argmax(0).numpy())


def test_an_image_keeps_its_values_where_the_world_is_linear() -> None:
    source = Grid((20, 18, 16), np.diag([2.0, 3.0, 4.0, 1.0]))
    affine = np.array([[0, -2.5, 0, 30], [1.5, 0, 0.3, 4], [0, 0.3, 4.0, 5], [0, 0, 0, 1.0]])
    target = Grid((20, 9, 7), affine)

    def ramp(grid: Grid) -> np.ndarray:
        world = grid.to_world(np.argwhere(np.ones(grid.shape, bool))).reshape(*grid.shape, 3)
        return np.stack([world @ (1.0, -2.0, 0.5), world[..., 2]])

    assert np.abs(resample_image(ramp(source), source.affine, target) - ramp(target)).max() < 1e-3


def test_numbers_of_objects_are_never_mixed() -> None:
    source = Grid((10, 8, 6), np.diag([2.0, 2.0, 2.0, 1.0]))
    numbers = np.zeros(source.shape, np.uint32)
    numbers[:5], numbers[5:] = 70_001, 4
    assert np.array_equal(resample_numbers(numbers, source.affine, source), numbers)
    moved = resample_numbers(numbers, source.affine, Grid((19, 15, 11), np.diag([1.0, 1.0, 1.0, 1.0])))
    assert np.unique(moved).tolist() == [4, 70_001]
    assert (moved[:9] == 70_001).all()
    assert (moved[10:] == 4).all()


SHAPES = st.tuples(*[st.integers(1, 9)] * 3)


def fold_bits(scores: torch.Tensor) -> torch.Tensor:
    """A byte of all bits of all scores of a voxel, instead of labels; 0.0 is -0.0."""
    bits = (scores + 0.0).contiguous().view(torch.int32)
    mixed = bits ^ (bits >> 8) ^ (bits >> 16) ^ (bits >> 24)
    places = torch.arange(1, len(scores) + 1)[:, None, None, None]
    return ((mixed & 255) * places).sum(0).to(torch.uint8)


@settings(max_examples=150, deadline=None)
@given(SHAPES, st.integers(1, 4), st.data())
def test_scores_that_arrive_plane_by_plane_are_the_same_to_the_last_bit(
    shape: tuple[int, int, int], classes: int, data: st.DataObject
) -> None:
    source = Grid(shape, np.diag([1.5, 2.0, 3.0, 1.0]))
    target = data.draw(st.one_of(turned_grids(source), oblique_grids(source)))
    scores = torch.randn((classes, *shape), generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99))))
    whole = resample_labels(scores, source.affine, target, fold_bits)
    assert np.array_equal(resample_planes(scores.unbind(1), source, target, fold_bits), whole)


@pytest.mark.parametrize("size", [2, 3, 30, 97, 300, 511])
@pytest.mark.parametrize("turn", [1.0, -1.0])
def test_long_axes_are_the_same_to_the_last_bit(size: int, turn: float) -> None:
    source = Grid((size, 3, 2), np.eye(4))
    scores = torch.randn((2, size, 3, 2), generator=torch.Generator().manual_seed(size))
    step = 0.371
    affine = np.diag([turn * step, 0.9, 0.8, 1.0])
    affine[0, 3] = 0.1 if turn > 0 else size - 1.1
    # Headers give directions in six digits, so that axes lean a little.
    affine[0, 1:3] = 0.13, -0.02
    target = Grid((int(size / step) + 5, 4, 3), affine)
    whole = resample_labels(scores, source.affine, target, fold_bits)
    assert np.array_equal(resample_planes(scores.unbind(1), source, target, fold_bits), whole)


def test_planes_are_taken_when_they_are_needed_and_let_go() -> None:
    source, target = Grid((20, 6, 5), np.diag([2.0, 2, 2, 1])), Grid((5, 10, 30), np.eye(4)[[2, 1, 0, 3]])
    asked: list[int] = []
    decided: list[int] = []

    def make() -> Iterator[torch.Tensor]:
        for i in range(20):
            asked.append(i)
            yield torch.zeros(2, 6, 5)

    def decide(scores: torch.Tensor) -> torch.Tensor:
        decided.append(max(asked))
        return torch.zeros(scores.shape[1:], dtype=torch.uint8)

    resample_planes(make(), source, target, decide)
    # Those that no plane of the target needs, too, so that whoever makes them comes to an end.
    assert asked == list(range(20))
    # The plane on either side of each; an index that is rounded down lies a plane earlier.
    assert all(k // 2 <= last <= min(k // 2 + 1, 19) for k, last in enumerate(decided))


@pytest.mark.parametrize("tilt", [0.0, 0.5], ids=["followed", "oblique"])
def test_memory_is_what_was_counted(tilt: float) -> None:
    source = Grid((40, 30, 20), np.diag([2.0, 2, 2, 1]))
    affine = np.diag([1.0, 1, 1, 1])
    affine[0, 1] = tilt
    target = Grid((80, 60, 40), affine)

    def make() -> Iterator[torch.Tensor]:
        for _ in range(40):
            yield torch.rand(5, 30, 20)

    with follow_live_bytes() as live:
        labels = resample_planes(make(), source, target)
    counted = count_resampling(source, target, 5)
    assert counted / 3 < live.peak + labels.nbytes <= counted
    assert (counted > 4 * 5 * 40 * 30 * 20) == bool(tilt)


def test_a_class_is_taken_from_its_threshold_on() -> None:
    likely = torch.tensor([[0.6, 0.3, 0.1], [0.45, 0.2, 0.35], [0.2, 0.45, 0.35], [0.1, 0.55, 0.35], [0.05, 0.5, 0.45]])
    scores = likely.log().T.reshape(3, 5, 1, 1)

    def take(*thresholds: float | None) -> list[int]:
        return take_likely(scores, thresholds).ravel().tolist()

    assert take(None, None, None) == take_largest(scores).ravel().tolist() == [0, 0, 1, 1, 1]
    assert take(None, 0.25, None) == [1, 0, 1, 1, 1]
    # A threshold takes voxels away, too: then the others are looked at.
    assert take(None, 0.52, None) == [0, 0, 2, 1, 2]
    # Of several that reach theirs the most probable, whatever the background is.
    assert take(None, 0.29, 0.29) == [1, 2, 1, 1, 1]
    assert take(None, 0.9, 0.9) == [0] * 5


def test_a_region_is_painted_from_its_threshold_on() -> None:
    scores = torch.logit(torch.tensor([[0.2, 0.4, 0.6, 0.9], [0.1, 0.3, 0.55, 0.8]])).reshape(2, 4, 1, 1)
    assert paint_regions(scores, (1, 2)).ravel().tolist() == [0, 0, 2, 2]
    assert paint_regions(scores, (1, 2), (0.35, 0.7)).ravel().tolist() == [0, 1, 1, 2]
    assert paint_regions(scores, (1, 2), (None, 0.05)).ravel().tolist() == [2, 2, 2, 2]


def test_scores_are_handed_on_with_the_box_of_their_labels() -> None:
    source, scores = Grid((6, 5, 4), np.diag([2.0, 2, 2, 1])), torch.randn(3, 6, 5, 4)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    oblique = np.eye(4)
    oblique[:3, :3] = turn
    for grid in (source, Grid((11, 9, 7), np.eye(4)), Grid((7, 8, 9), oblique)):
        kept = np.full((3, *grid.shape), np.nan, np.float32)

        def keep(part: torch.Tensor, box: tuple[slice, slice, slice], kept: np.ndarray = kept) -> None:
            kept[(slice(None), *box)] = part.numpy()

        labels = resample_planes(scores.unbind(1), source, grid, keep=keep)
        assert np.array_equal(kept.argmax(axis=0), labels)
        assert np.array_equal(labels, resample_planes(scores.unbind(1), source, grid))
