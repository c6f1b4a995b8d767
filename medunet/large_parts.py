"""Large arrays piece by piece: copied in another order, compared, and their connected parts numbered slab by slab."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medunet.parts import CONNECTED, Crop, Voxels
from medunet.scratch import Room

Numbers = npt.NDArray[np.int64]
TILE = 1 << 15
"""Voxels of a box that is brought to another order of axes in the processor's cache: three times as fast as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class LargeParts:
    """Parts, numbered from 1 on in the order of their first voxels.

    Attributes:
        numbers: (I, J, K) int32, of pieces of parts; 0 outside.
        whole: number of the part of each piece, 0 first.
        sizes: voxels of each part, (N,).
        room: in which they lie.
        most: voxels that are looked at together.
    """

    numbers: npt.NDArray[np.int32]
    whole: Numbers
    sizes: Numbers
    room: Room
    most: int

    def find_boxes(self, parts: Sequence[int]) -> list[Crop]:
        """The smallest box of each of some parts."""
        short = self._shorten(parts)
        boxes: list[list[slice] | None] = [None] * len(parts)
        for slab in cut_slabs(self.numbers.shape, self.most):
            found = ndimage.find_objects(short[self.numbers[slab]], max_label=len(parts))
            for number, box in enumerate(found):
                if box is not None:
                    first = slice(slab.start + box[0].start, slab.start + box[0].stop)
                    boxes[number] = _join(boxes[number], [first, *box[1:]])
            self.room.settle()
        return [(box[0], box[1], box[2]) for box in boxes if box is not None]

    def _shorten(self, parts: Sequence[int]) -> npt.NDArray[np.int32]:
        """From numbers of pieces to 1, 2, … for some parts, and 0 for all others."""
        short = np.zeros(len(self.sizes) + 1, dtype=np.int32)
        short[np.array(parts, dtype=np.int64)] = np.arange(1, len(parts) + 1)
        return short[self.whole]

    def take(self, part: int, box: Crop) -> Voxels:
        """Which voxels of a box belong to a part; in the room where they are many."""
        mine = self.whole == part
        shape = tuple(side.stop - side.start for side in box)
        if int(np.prod(shape)) <= self.most:
            return np.asarray(mine[self.numbers[box]])
        inside: Voxels = self.room.make(shape, np.bool_)
        for slab in cut_slabs(shape, self.most):
            inside[slab] = mine[self.numbers[box][slab]]
            self.room.settle()
        return inside


def _join(box: list[slice] | None, other: list[slice]) -> list[slice]:
    if box is None:
        return other
    return [slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(box, other, strict=True)]


def cut_slabs(shape: Sequence[int], most: int) -> list[slice]:
    """Slabs of whole planes along the first axis, of so many voxels at most, or of one plane."""
    step = max(1, most // max(1, int(np.prod(shape[1:]))))
    return [slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]


def cut_boxes(shape: Sequence[int], most: int) -> Iterator[Crop]:
    """Boxes with sides alike that fill an array (I, J, K), of so many voxels at most.

    Of arrays that lie otherwise in their files they need few pages, which slabs of one of them wouldn't.
    """

    def cut(box: Crop) -> Iterator[Crop]:
        sides = [side.stop - side.start for side in box]
        if int(np.prod(sides)) <= max(most, 1):
            yield box
            return
        axis = int(np.argmax(sides))
        middle = (box[axis].start + box[axis].stop) // 2
        for half in (slice(box[axis].start, middle), slice(middle, box[axis].stop)):
            i, j, k = (half if n == axis else side for n, side in enumerate(box))
            yield from cut((i, j, k))

    i, j, k = (slice(0, size) for size in shape)
    yield from cut((i, j, k))


def copy_boxes(source: npt.NDArray[np.generic], target: npt.NDArray[np.generic]) -> None:
    """Copy an array (I, J, K) into another one, whatever the order of their axes in memory and their types."""
    for box in cut_boxes(source.shape, TILE):
        target[box] = source[box]


def are_equal(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> bool:
    """Whether two arrays (I, J, K) hold the same, whatever the order of their axes in memory."""
    return one.shape == other.shape and all(np.array_equal(one[box], other[box]) for box in cut_boxes(one.shape, TILE))


def number_large_parts(inside: Voxels, room: Room, most: int) -> LargeParts:
    """Number connected parts as `parts.number_parts` does.

    Args:
        inside: (I, J, K), True inside.
        room: for the numbers.
        most: voxels that are looked at together.
    """
    numbers = room.make(inside.shape, np.int32)
    sizes, pairs = [np.zeros(1, dtype=np.int64)], [np.zeros((0, 2), dtype=np.int64)]
    count, before = 0, None
    for slab in cut_slabs(inside.shape, most):
        found, more = ndimage.label(inside[slab], CONNECTED)
        sizes.append(np.bincount(found.ravel(), minlength=more + 1)[1:])
        found[found > 0] += count
        if before is not None:
            pairs.append(_list_neighbours(before, found[0]))
        numbers[slab], before, count = found, found[-1].copy(), count + more
        room.settle()
    whole = _join_pieces(np.concatenate(pairs), count)
    joined = np.zeros(int(whole.max(initial=0)) + 1, dtype=np.int64)
    np.add.at(joined, whole, np.concatenate(sizes))
    return LargeParts(numbers, whole, joined[1:], room, most)


def _list_neighbours(one: npt.NDArray[np.int32], other: npt.NDArray[np.int32]) -> Numbers:
    """Pairs (N, 2) of numbers of two planes (J, K) whose voxels touch."""
    padded = np.pad(one, 1)
    found = []
    for j in range(3):
        for k in range(3):
            beside = padded[j : j + other.shape[0], k : k + other.shape[1]]
            both = (beside > 0) & (other > 0)
            found.append(np.unique(np.stack([beside[both], other[both]], axis=1), axis=0))
    return np.unique(np.concatenate(found), axis=0).astype(np.int64)


def _join_pieces(pairs: Numbers, count: int) -> Numbers:
    """The number of the part of each piece, by the first piece of each; 0 first."""
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count + 1, count + 1))
    _, labels = connected_components(graph, directed=False)
    _, firsts, places = np.unique(labels, return_index=True, return_inverse=True)
    ranks = np.empty(len(firsts), dtype=np.int64)
    ranks[np.argsort(firsts, kind="stable")] = np.arange(len(firsts))
    return np.asarray(ranks[places])
