from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medunet.evaluation import match_objects
from medunet.objects import BORDER, INTERIOR, make_border_target, number_parts, separate_objects
from medunet.planning.choice import BORDER as PLANNED


def draw_balls(shape: tuple[int, int, int], *balls: tuple[tuple[float, float, float], float]) -> np.ndarray:
    numbers = np.zeros(shape, np.uint16)
    place = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    for number, (centre, radius) in enumerate(balls, start=1):
        numbers[(np.linalg.norm(place - centre, axis=-1) <= radius) & (numbers == 0)] = 10 * number
    return numbers


PAIR = draw_balls((40, 30, 1), ((12, 15, 0), 8), ((26, 15, 0), 8), ((36, 3, 0), 2))
"""Two discs that overlap, and one alone."""


@pytest.mark.parametrize("border", [1, 2, 3])
def test_border_lies_where_another_object_is_near(border: int) -> None:
    target = make_border_target(PAIR, border)
    assert np.array_equal(target > 0, PAIR > 0)
    assert (target[PAIR == 30] == INTERIOR).all()
    rim = np.argwhere(target == BORDER)
    for number, other in ((10, 20), (20, 10)):
        own = [voxel for voxel in rim if PAIR[tuple(voxel)] == number]
        distances = [np.abs(np.argwhere(PAIR == other) - voxel).max(axis=1).min() for voxel in own]
        assert max(distances) == border
    again = separate_objects(target)
    assert again.max() == 3
    assert match_objects(again, PAIR).precision > 0.9
    assert number_parts(PAIR > 0).max() == 2


def test_an_object_that_is_all_border_keeps_its_middle() -> None:
    numbers = np.zeros((12, 12, 1), np.uint16)
    numbers[2:5, 2:5], numbers[5:11, 2:5], numbers[1, 2:5] = 3, 4, 7
    target = make_border_target(numbers, 3)
    assert {number: (target[numbers == number] == INTERIOR).any() for number in (3, 4, 7)} == {3: 1, 4: 1, 7: 1}
    assert target[3, 3, 0] == INTERIOR
    assert target[2, 2, 0] == BORDER


def test_balls_in_a_volume_are_kept_apart() -> None:
    balls = draw_balls((24, 16, 16), ((7, 8, 8), 6), ((17, 8, 8), 6))
    assert number_parts(balls).max() == 1
    assert match_objects(separate_objects(make_border_target(balls, 1)), balls).precision > 0.95


def test_what_is_too_small_is_no_object_and_founds_none() -> None:
    classes = np.zeros((30, 20, 1), np.uint8)
    classes[2:12, 2:12] = INTERIOR
    classes[12, 2:12] = BORDER
    classes[13:15, 6:8] = INTERIOR
    classes[20:23, 2:5] = BORDER
    assert separate_objects(classes).max() == 3
    numbers = separate_objects(classes, smallest=20)
    assert numbers.max() == 1
    assert np.count_nonzero(numbers) == 114
    assert separate_objects(np.zeros((3, 3, 1), np.uint8)).dtype == np.uint16


def test_more_objects_than_16_bits_number() -> None:
    classes = np.zeros((600, 600, 1), np.uint8)
    classes[::2, ::2] = INTERIOR
    numbers = separate_objects(classes)
    assert (numbers.dtype, numbers.max()) == (np.uint32, 90_000)


@pytest.mark.data
def test_real_nuclei_come_back_from_their_classes(nuclei: Path) -> None:
    """What the border can't tell bounds what the network can reach; without it they are joined."""
    precisions, parts = [], []
    for path in sorted((nuclei / "labels").iterdir())[::28]:
        with Image.open(path) as image:
            truth = np.asarray(image).T[:, :, None]
        again = separate_objects(make_border_target(truth, PLANNED), smallest=21)
        precisions.append(match_objects(again, truth).precision)
        parts.append(match_objects(number_parts(truth), truth).precision)
    assert len(precisions) == 13
    assert np.mean(precisions) > 0.97
    assert np.mean(precisions) > np.mean(parts) + 0.1
