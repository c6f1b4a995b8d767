import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medunet.parts import count_least, drop_small, find_extent, keep_largest, number_parts, widen_box


def test_voxels_that_share_a_corner_are_one_part() -> None:
    inside = np.zeros((4, 4, 4), bool)
    inside[0, 0, 0] = inside[1, 1, 1] = inside[3, 3, 3] = True
    numbers, count = number_parts(inside)
    assert count == 2
    assert numbers[0, 0, 0] == numbers[1, 1, 1] == 1
    assert numbers[3, 3, 3] == 2


def test_more_parts_than_16_bits_number_are_counted() -> None:
    inside = np.zeros((2, 2, 2 * 70_000), bool)
    inside[0, 0, ::2] = True
    numbers, count = number_parts(inside)
    assert (count, int(numbers.max())) == (70_000, 70_000)


def test_the_smallest_box_holds_all() -> None:
    inside = np.zeros((5, 6, 7), bool)
    assert find_extent(inside) is None
    inside[1, 2, 3] = inside[3, 2, 5] = True
    assert find_extent(inside) == (slice(1, 4), slice(2, 3), slice(3, 6))


def test_box_holds_both_masks() -> None:
    first, second = np.zeros((2, 9, 9, 9), bool)
    first[1:3, 2:4, 0:9] = True
    second[5:6, 3:8, 4:5] = True
    assert find_extent(first, second) == (slice(1, 6), slice(2, 8), slice(0, 9))
    assert find_extent(np.zeros((3, 3, 3), dtype=bool)) is None


def test_labels_are_looked_at_one_by_one_or_together() -> None:
    labels = np.array([[[1, 1, 2, 0, 2, 2, 2, 0, 1]]], np.uint8)
    assert keep_largest(labels, [(1,), (2,)]).ravel().tolist() == [1, 1, 0, 0, 2, 2, 2, 0, 0]
    assert keep_largest(labels, [(2,)]).ravel().tolist() == [1, 1, 0, 0, 2, 2, 2, 0, 1]
    tie = keep_largest(labels, [(1, 2), (3,)]).ravel()
    assert tie.tolist() in ([1, 1, 2, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 2, 2, 2, 0, 0])
    assert drop_small(labels, [(1,), (2,)], 2).ravel().tolist() == [1, 1, 0, 0, 2, 2, 2, 0, 0]
    assert drop_small(labels, [(1, 2)], 2).ravel().tolist() == [1, 1, 2, 0, 2, 2, 2, 0, 0]
    assert labels.ravel().tolist() == [1, 1, 2, 0, 2, 2, 2, 0, 1], "what is given stays"


def test_a_part_of_exactly_the_size_stays() -> None:
    assert count_least(0.1, 0.001) == 100
    assert count_least(0.1, 0.1 / 3) == 3
    assert count_least(0.1001, 0.001) == 101
    assert count_least(1e-9, 1.0) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.sampled_from((0.05, 0.2, 0.4)), st.integers(1, 9))
def test_parts_are_those_of_the_whole_volume(seed: int, share: float, least: int) -> None:
    rng = np.random.default_rng(seed)
    labels = ((rng.random((7, 8, 6)) < share) * rng.integers(1, 4, (7, 8, 6))).astype(np.uint8)
    kept, large = keep_largest(labels, [(1,), (3,)]), drop_small(labels, [(1,), (3,)], least)
    assert np.array_equal(kept[labels == 2], labels[labels == 2])
    for value in (1, 3):
        numbers, count = ndimage.label(labels == value, np.ones((3, 3, 3)))
        sizes = [int((numbers == n).sum()) for n in range(1, count + 1)]
        assert int((kept == value).sum()) == max(sizes, default=0)
        assert ndimage.label(kept == value, np.ones((3, 3, 3)))[1] == min(count, 1)
        assert int((large == value).sum()) == sum(size for size in sizes if size >= least)


def test_a_box_is_widened_as_far_as_there_are_voxels() -> None:
    box = (slice(1, 3), slice(0, 4), slice(6, 9))
    assert widen_box(box, (2, 1, 0), (9, 4, 9)) == (slice(0, 5), slice(0, 4), slice(6, 9))
