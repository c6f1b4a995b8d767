import numpy as np
import pytest
import torch
from stock import measure_dice

from medunet.geometry import Grid
from medunet.preparation import resample_image, resample_labels, resample_numbers


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
