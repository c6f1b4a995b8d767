from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from medunet.large_parts import cut_boxes, cut_slabs, number_large_parts
from medunet.parts import number_parts
from medunet.scratch import IN_MEMORY, Scratch


@settings(max_examples=100, deadline=None)
@given(arrays(np.bool_, st.tuples(*[st.integers(1, 9)] * 3)), st.integers(1, 120))
def test_parts_are_those_of_the_whole(inside: np.ndarray, most: int) -> None:
    numbers, count = number_parts(inside)
    parts = number_large_parts(inside, IN_MEMORY, most)
    assert len(parts.sizes) == count
    assert np.array_equal(parts.whole[parts.numbers], numbers)
    assert np.array_equal(parts.sizes, np.bincount(numbers.ravel(), minlength=count + 1)[1:])
    assert parts.list_largest(3) == [int(n) + 1 for n in np.argsort(-parts.sizes, kind="stable")[:3]]
    some = list(range(count, 0, -2))
    boxes = parts.find_boxes(some) if some else []
    assert boxes == [ndimage.find_objects(numbers)[n - 1] for n in some]
    for number, box in zip(some, boxes, strict=True):
        assert np.array_equal(parts.take(number, box), numbers[box] == number)


def test_what_is_large_lies_in_the_room(tmp_path: Path) -> None:
    with Scratch(tmp_path) as room:
        parts = number_large_parts(np.ones((6, 5, 4), np.bool_), room, 30)
        for array in (parts.numbers, parts.whole, parts.sizes):
            assert room.holds(array)
        assert room.holds(parts.take(1, (slice(0, 6), slice(0, 5), slice(0, 4))))


@given(st.tuples(*[st.integers(1, 12)] * 3), st.integers(1, 100))
def test_pieces_fill_the_whole(shape: tuple[int, int, int], most: int) -> None:
    seen = np.zeros(shape, dtype=int)
    for box in cut_boxes(shape, most):
        assert seen[box].size <= most
        seen[box] += 1
    for slab in cut_slabs(shape, most):
        seen[slab] += 1
    assert (seen == 2).all()
