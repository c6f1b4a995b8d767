import numpy as np
from scipy import ndimage

from medunet.evaluation import find_detections, match_detections
from medunet.parts import CONNECTED


def make(shape: tuple[int, int, int], *boxes: tuple[int, int]) -> np.ndarray:
    """True from one number along the first axis to another."""
    mask = np.zeros(shape, bool)
    for low, high in boxes:
        mask[low:high, 2:6, 2:6] = True
    return mask


SHAPE = (60, 8, 8)


def test_parts_are_right_that_share_voxels_with_a_lesion_that_was_found() -> None:
    # One is covered by a fifth, one by a twentieth; the last part lies alone.
    truth = make(SHAPE, (0, 10), (20, 40))
    predicted = make(SHAPE, (8, 12), (39, 44), (50, 55))
    numbers, right = find_detections(predicted, truth)
    assert right.tolist() == [True, False, False]
    assert [numbers[10, 3, 3], numbers[42, 3, 3], numbers[52, 3, 3], numbers[30, 3, 3]] == [1, 2, 3, 0]
    assert ((numbers > 0) == predicted).all()


def test_one_part_over_two_lesions_and_fragments_of_one_are_all_right() -> None:
    truth = make(SHAPE, (0, 10), (12, 20), (30, 50))
    predicted = make(SHAPE, (0, 20), (31, 34), (40, 44))
    assert find_detections(predicted, truth)[1].tolist() == [True, True, True]


def test_nothing_on_either_side() -> None:
    empty, some = make(SHAPE), make(SHAPE, (0, 5))
    assert find_detections(empty, some)[1].tolist() == []
    assert find_detections(some, empty)[1].tolist() == [False]
    numbers = some.astype(np.uint16)
    assert match_detections(empty.astype(np.uint16), numbers)[1].tolist() == []
    assert match_detections(numbers, empty.astype(np.uint16))[1].tolist() == [False]


def test_objects_are_right_above_an_overlap_of_one_half_whatever_their_numbers() -> None:
    truth, _ = ndimage.label(make(SHAPE, (0, 10), (20, 30), (40, 50)), CONNECTED)
    # Overlaps of 9/10, exactly one half, and none.
    predicted = np.zeros(SHAPE, np.uint16)
    for number, (low, high) in ((70, (0, 9)), (9, (20, 25)), (5, (52, 58))):
        predicted[low:high, 2:6, 2:6] = number
    numbers, right = match_detections(predicted, truth)
    by_place = {place: bool(right[numbers[place, 3, 3] - 1]) for place in (4, 22, 55)}
    assert by_place == {4: True, 22: False, 55: False}
    whole = np.full(SHAPE, 3, np.uint16)
    numbers, right = match_detections(whole, whole)
    assert right.tolist() == [True]
    assert (numbers == 1).all()
