import numpy as np
import numpy.typing as npt
import pytest

from medunet.evaluation.lesions import LesionScore, count_lesions

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
    assert count_lesions(predicted, truth) == LesionScore(found=1, missed=1, false_found=2, false_voxels=7)


@pytest.mark.parametrize(("voxels", "found"), [(9, 0), (10, 1), (11, 1)])
def test_a_tenth_of_a_lesion_must_be_covered(masks: tuple[Bools, Bools], voxels: int, found: int) -> None:
    predicted, truth = masks
    truth[0:10, 0:10, 0] = True
    predicted[0, 0:voxels, 0] = True
    predicted[0, 10, 0] = voxels == 11
    score = count_lesions(predicted, truth)
    # A part that touches a lesion is not false, even if it covers too little of it.
    assert score == LesionScore(found, 1 - found, 0, 0)


def test_corners_connect(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    for n in range(5):
        truth[n, n, n] = True
    assert count_lesions(predicted, truth) == LesionScore(0, 1, 0, 0)
    assert count_lesions(truth, predicted) == LesionScore(0, 0, 1, 5)


def test_one_part_may_find_two_lesions(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    truth[0:2], truth[4:6] = True, True
    predicted[0:6] = True
    assert count_lesions(predicted, truth) == LesionScore(2, 0, 0, 0)


def test_empty_masks(masks: tuple[Bools, Bools]) -> None:
    assert count_lesions(*masks) == LesionScore(0, 0, 0, 0)


def test_the_share_can_be_chosen(masks: tuple[Bools, Bools]) -> None:
    predicted, truth = masks
    truth[0:4] = True
    predicted[0:1] = True
    assert count_lesions(predicted, truth, 0.25).found == 1
    assert count_lesions(predicted, truth, 0.3).found == 0
