"""Large arrays piece by piece: copied in another order, compared, and their connected parts numbered slab by slab."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medunet.parts import CONNECTED, Crop, Voxels
from medunet.scratch import IN_MEMORY, Room

Numbers = npt.NDArray[np.int64]
Whole = npt.NDArray[np.int32]
Array = npt.NDArray[np.generic]
FEW = 1 << 18
"""Parts that are looked at together: each takes several numbers of 8 bytes then."""
PIECE = 1 << 22
"""Voxels after which what lies in a room is given back."""
TILE = 1 << 15
"""Voxels of a box that is brought to another order of axes in the processor's cache: three times as fast as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class LargeParts:
    """Parts, numbered from 1 on in the order of their first voxels: millions, of which nothing need be in memory.

    Attributes:
        numbers: (I, J, K) int32, of pieces of parts; 0 outside.
        whole: (pieces + 1,) int32, number of the part of each piece, 0 first.
        sizes: voxels of each part, (N,) int64.
        room: in which they lie.
        most: voxels that are looked at together.
    """

    numbers: Whole
    whole: Whole
    sizes: Numbers
    room: Room
    most: int

    def list_largest(self, most: int) -> list[int]:
        """Numbers of the largest parts, so many at most, the largest first and of equal ones the first first."""
        kept, sizes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        for block in _cut_few(self.sizes, self.most):
            sizes = np.concatenate([sizes, self.sizes[block]])
            order = np.argsort(-sizes, kind="stable")[:most]
            kept = np.concatenate([kept, np.arange(block.start, block.stop) + 1])[order]
            sizes = sizes[order]
            self.room.settle()
        return [int(number) for number in kept]

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

    def _shorten(self, parts: Sequence[int]) -> Whole:
        """From numbers of pieces to 1, 2, … for some parts, and 0 for all others."""
        wanted = np.array(parts, dtype=np.int64)
        order = np.argsort(wanted)
        short = self.room.make(self.whole.shape, np.int32)
        for block in _cut_few(short, self.most):
            mine = self.whole[block]
            places = np.minimum(np.searchsorted(wanted[order], mine), len(parts) - 1)
            short[block] = np.where(wanted[order][places] == mine, order[places] + 1, 0)
            self.room.settle()
        return short

    def take(self, part: int, box: Crop) -> Voxels:
        """Which voxels of a box belong to a part; in the room where they are many."""
        shape = tuple(side.stop - side.start for side in box)
        if int(np.prod(shape)) <= self.most:
            return np.asarray(self.whole[self.numbers[box]] == part)
        inside: Voxels = self.room.make(shape, np.bool_)
        for slab in cut_slabs(shape, self.most):
            inside[slab] = self.whole[self.numbers[box][slab]] == part
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


def _cut_few(known: Array, most: int) -> list[slice]:
    """Blocks of what is known of each part."""
    return cut_slabs(known.shape, min(FEW, most))


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


def copy_boxes(source: Array, target: Array, room: Room = IN_MEMORY) -> None:
    """Copy an array (I, J, K) into another one, whatever the order of their axes in memory and their types.

    Args:
        source: what is copied.
        target: of the same shape.
        room: in which they may lie, so that little of them is in memory at a time.
    """
    for part, into in _cut_both(source, target, room):
        into[...] = part


def are_equal(one: Array, other: Array, room: Room = IN_MEMORY) -> bool:
    """Whether two arrays (I, J, K) hold the same, whatever the order of their axes in memory; `room` as of a copy."""
    return one.shape == other.shape and all(np.array_equal(*both) for both in _cut_both(one, other, room))


def _cut_both(one: Array, other: Array, room: Room) -> Iterator[tuple[Array, Array]]:
    """Views of two arrays of one shape that fit the processor's cache; pages of the room are given back meanwhile."""
    for piece in cut_boxes(one.shape, PIECE):
        first, second = one[piece], other[piece]
        for box in cut_boxes(first.shape, TILE):
            yield first[box], second[box]
        room.settle()


def number_large_parts(inside: Voxels, room: Room, most: int) -> LargeParts:
    """Number connected parts as `parts.number_parts` does.

    Args:
        inside: (I, J, K), True inside.
        room: for the numbers, and all that is known of each part.
        most: voxels that are looked at together.
    """
    numbers = room.make(inside.shape, np.int32)
    counts = [0]
    for slab in cut_slabs(inside.shape, most):
        found, more = ndimage.label(inside[slab], CONNECTED)
        found[found > 0] += counts[-1]
        numbers[slab] = found
        counts.append(counts[-1] + more)
        room.settle()
    first = _join_pieces(numbers, counts[-1], room, most)
    whole, parts = _number_parts(first, room, most)
    sizes = room.make((parts,), np.int64)
    for slab, start, stop in zip(cut_slabs(inside.shape, most), counts, counts[1:], strict=False):
        of_pieces = np.bincount(np.maximum(numbers[slab].ravel() - start, 0), minlength=stop - start + 1)[1:]
        np.add.at(sizes, whole[start + 1 : stop + 1] - 1, of_pieces)
        room.settle()
    return LargeParts(numbers, whole, sizes, room, most)


def _join_pieces(numbers: Whole, count: int, room: Room, most: int) -> Whole:
    """For each piece the first of its part, (count + 1,), 0 first.

    Slab by slab pieces that touch are joined, each to a piece before it; of those far from where two slabs touch
    nothing is in memory.
    """
    first = room.make((count + 1,), np.int32)
    for block in _cut_few(first, most):
        first[block] = np.arange(block.start, block.stop)
    for slab in cut_slabs(numbers.shape, most)[1:]:
        pairs = _list_neighbours(numbers[slab.start - 1], numbers[slab.start])
        for column in (0, 1):
            pairs[:, column] = _follow(first, pairs[:, column])
        # By the places of these few, in ascending order, so that the first is the least.
        known, places = np.unique(pairs, return_inverse=True)
        one, other = places.reshape(pairs.shape).T
        graph = coo_array((np.ones(len(pairs), dtype=np.int8), (one, other)), shape=(len(known), len(known)))
        _, groups = connected_components(graph, directed=False)
        _, firsts = np.unique(groups, return_index=True)
        first[known] = known[firsts[groups]]
        room.settle()
    return first


def _follow(first: Whole, pieces: Numbers) -> Numbers:
    """The piece that each was joined to in the end."""
    while True:
        further = first[pieces].astype(np.int64)
        if np.array_equal(further, pieces):
            return pieces
        pieces = further


def _number_parts(first: Whole, room: Room, most: int) -> tuple[Whole, int]:
    """The number of the part of each piece, by the order of their first pieces; and how many parts there are."""
    whole, count = room.make(first.shape, np.int32), 0
    for block in _cut_few(first, most):
        pieces = np.arange(block.start, block.stop)
        ends = _follow(first, pieces)
        # 0 is no piece, and numbered 0.
        numbers = count + np.cumsum((ends == pieces) & (pieces > 0))
        whole[block] = np.where(ends == pieces, numbers * (pieces > 0), 0)
        whole[block] = whole[ends]
        count = int(numbers[-1])
        room.settle()
    return whole, count


def _list_neighbours(one: Whole, other: Whole) -> Numbers:
    """Pairs (N, 2) of numbers of two planes (J, K) whose voxels touch."""
    padded = np.pad(one, 1).astype(np.int64)
    found = []
    for j in range(3):
        for k in range(3):
            beside = padded[j : j + other.shape[0], k : k + other.shape[1]]
            both = (beside > 0) & (other > 0)
            # One number for each pair: rows are sorted a hundred times slower.
            found.append(np.unique(beside[both] << 32 | other[both]))
    pairs = np.unique(np.concatenate(found))
    return np.stack([pairs >> 32, pairs & 0xFFFFFFFF], axis=1)
