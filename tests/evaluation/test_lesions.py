import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medunet.evaluation.lesions import LesionScore, count_lesions, find_f1

Bools = npt.NDArray[np.bool_]


@pytest.fixture
def masks() -> tuple[Bools, Bools]:
    """Empty prediction and truth, (20, 20, 20)."""
    return np.zeros((20, 20, 20), dtype=bool), np.zeros((20, 20, 20), dtype=bool)


def test_found_missed_and_falsely_found(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    truth[0:4, 0:4, 0:4] = True
    truth[10:12, 10:12, 10:12] = True
    predicted[1:5, 0:4, 0:4] = True
    predicted[18, 18, 18] = True
    predicted[0:2, 15:18, 15] = True
    assert count_lesions(predicted, truth) == LesionScore((64,), (8,), (1, 6))


@pytest.mark.parametrize(("voxels", "found"), [(9, 0), (10, 1), (11, 1)])
def test_a_tenth_of_a_lesion_must_be_covered(masks: tuple[Bools, Bools], voxels: int, found: int) -> None:
    predicted, truth = masks
    truth[0:10, 0:10, 0] = True
    predicted[0, 0:voxels, 0] = True
    predicted[0, 10, 0] = voxels == 11
    score = count_lesions(predicted, truth)
    # A part that touches a lesion is not false, even if it covers too little of it.
    assert score == (LesionScore((100,)) if found else LesionScore((), (100,)))


def test_corners_connect(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    for n in range(5):
        truth[n, n, n] = True
    assert count_lesions(predicted, truth) == LesionScore((), (5,))
    assert count_lesions(truth, predicted) == LesionScore((), (), (5,))


def test_one_part_may_find_two_lesions(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    truth[0:2], truth[4:6] = True, True
    predicted[0:6] = True
    assert count_lesions(predicted, truth) == LesionScore((800, 800))


def test_empty_masks(masks: tuple[Bools, Bools]) -> None:
    assert count_lesions(*masks) == LesionScore()


def test_the_share_can_be_chosen(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    truth[0:4] = True
    predicted[0:1] = True
    assert count_lesions(predicted, truth, 0.25).found == 1
    assert count_lesions(predicted, truth, 0.3).found == 0


def test_fragments_within_one_lesion_find_it_once(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    truth[0:10, 0:10, 0] = True
    predicted[0:10:2, 0:10, 0] = True
    predicted[1, 0:10, 0] = False
    assert count_lesions(predicted, truth) == LesionScore((100,))


def test_f1_by_hand() -> None:
    assert find_f1(2, 1, 1) == pytest.approx(2 * 2 / (4 + 1 + 1))
    assert find_f1(0, 0, 3) == find_f1(0, 3, 0) == 0
    assert find_f1(0, 0, 0) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nothing_is_lost_and_no_direction_matters(seed: int) -> None:
    random = np.random.default_rng(seed)
    predicted, truth = random.random((2, 9, 8, 7)) < np.array([0.1, 0.08]).reshape(2, 1, 1, 1)
    score = count_lesions(predicted, truth)
    assert sum(score.found_sizes) + sum(score.missed_sizes) == np.count_nonzero(truth)
    assert score.false_voxels <= np.count_nonzero(predicted & ~truth)
    for axes, flips in (((0, 1, 2), 0), ((2, 0, 1), (0, 2)), ((1, 0, 2), (1,))):
        assert count_lesions(*(np.flip(mask.transpose(axes), flips) for mask in (predicted, truth))) == score
    # What is found of a mask in itself is all of it.
    assert count_lesions(truth, truth) == LesionScore(tuple(sorted((*score.found_sizes, *score.missed_sizes))))
