import numpy as np
import pytest

from medunet.evaluation import match_objects

EMPTY = np.zeros((20, 20, 1), np.uint16)


def draw(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    numbers = EMPTY.copy()
    for number, (top, bottom, left, right) in enumerate(boxes, start=5):
        numbers[top:bottom, left:right] = number
    return numbers


def match_densely(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    """By the definition, one pair of objects after the other."""
    theirs, ours = ([numbers == n for n in np.unique(numbers) if n] for numbers in (predicted, truth))
    matched = sum((a & b).sum() / (a | b).sum() > threshold for a in theirs for b in ours)
    return matched / (len(theirs) + len(ours) - matched)


def test_precision_at_each_overlap() -> None:
    truth = draw((0, 10, 0, 10), (10, 20, 10, 20))
    # The first overlaps by 0.8, the second is missed, one is false.
    score = match_objects(draw((0, 8, 0, 10), (0, 5, 15, 20)), truth)
    assert score.precisions == pytest.approx([1 / 3] * 6 + [0] * 4)
    assert score.precision == pytest.approx(0.6 / 3)
    assert (score.found, score.missed, score.false_found, score.false_voxels) == (1, 1, 1, 25)


def test_it_follows_the_definition() -> None:
    random = np.random.default_rng(3)
    coarse = random.integers(0, 9, (8, 8)).repeat(5, axis=0).repeat(5, axis=1)[:, :, None]
    for shift in (0, 1, 2):
        moved = np.roll(coarse, shift, axis=0)
        score = match_objects(moved.astype(np.uint16), coarse.astype(np.uint16))
        assert score.precisions == pytest.approx([match_densely(moved, coarse, n / 100) for n in range(50, 96, 5)])


def test_numbers_mean_nothing() -> None:
    truth = draw((0, 10, 0, 10), (10, 20, 0, 10))
    assert match_objects(np.where(truth, 70_000 - truth.astype(np.uint32), 0), truth).precision == 1.0


def test_a_half_is_no_match() -> None:
    score = match_objects(draw((0, 5, 0, 10), (5, 10, 0, 10)), draw((0, 10, 0, 10)))
    assert score.precisions[0] == 0
    assert (score.found, score.false_found, score.false_voxels) == (0, 2, 100)


def test_empty_masks() -> None:
    some = draw((0, 10, 0, 10))
    assert match_objects(EMPTY, EMPTY).precision is None
    assert match_objects(some, EMPTY).precision == 0.0
    assert match_objects(EMPTY, some).precision == 0.0
    assert match_objects(some, EMPTY).false_voxels == 100
    assert match_objects(EMPTY, some).missed == 1
    assert match_objects(np.ones_like(EMPTY), np.ones_like(EMPTY)).precision == 1.0


def test_panoptic_quality_by_hand() -> None:
    truth = draw((0, 10, 0, 10), (10, 20, 10, 20))
    # One is matched at an IoU of 0.8, one is missed, one is false: recognition 1 / (1 + 1 / 2 + 1 / 2).
    score = match_objects(draw((0, 8, 0, 10), (0, 5, 15, 20)), truth)
    assert (score.quality, score.recognition, score.panoptic) == pytest.approx((0.8, 0.5, 0.4))
    assert (score.found_sizes, score.missed_sizes, score.false_sizes) == ((100,), (100,), (25,))
    assert match_objects(truth, truth).panoptic == 1.0
    assert match_objects(EMPTY, EMPTY).panoptic is None
    assert match_objects(EMPTY, truth).panoptic == 0.0
    assert match_objects(EMPTY, truth).quality is None


def test_objects_are_the_same_mirrored_and_renumbered() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 6, (5, 5, 2)).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint16)
    predicted = np.roll(truth, 1, axis=1)
    names = np.array([0, *(random.permutation(5) + 40)], np.uint16)
    score = match_objects(predicted, truth)
    assert score == match_objects(names[predicted][::-1], truth[::-1])
    assert score == match_objects(predicted.transpose(2, 0, 1), names[truth].transpose(2, 0, 1))
