"""Outlines of a mask on one slice: polygons along the edges of its voxels.

Along edges, not through centres: then no centre lies on a polygon, so that every program that fills polygons by voxel
centres finds the same mask, whatever it does with a centre on a line; a lone voxel has four corners; and a polygon
encloses the area of its voxels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Voxels = npt.NDArray[np.bool_]
"""One structure on a slice, (I, J), True inside."""
Corners = npt.NDArray[np.int64]
"""(N, 2) corners of voxels: (i, j) is where the voxel (i, j) begins, half a voxel below its centre along each axis."""
STEPS = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
"""Directions of edges. What is inside lies to the left: an outer outline turns left, from I to J."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a mask, whose voxels share edges.

    Attributes:
        outer: corners of its outline, closed from the last to the first.
        holes: corners of the outline of each hole, in the other direction. Background that touches across a corner
            belongs together.
    """

    outer: Corners
    holes: tuple[Corners, ...]

    def join_holes(self) -> Corners:
        """One polygon in place of several: from each hole a channel without width runs to what lies beside it.

        The channel runs along edges of voxels as well, there and back, so that it takes no centre away (the keyhole
        technique of DICOM PS3.3 C.8.8.6.3).
        """
        line = [tuple(corner) for corner in _fill_in(self.outer).tolist()]
        for hole in sorted((_fill_in(hole) for hole in self.holes), key=lambda hole: int(hole[:, 0].min())):
            corners = [tuple(corner) for corner in hole.tolist()]
            first = corners.index(min(corners))
            (i, j), met = corners[first], {corner: place for place, corner in enumerate(line)}
            # To its left nothing but this part comes before the next outline, which is in the line already: a hole
            # that reaches as far to the left would be this hole's own.
            reach = next(left for left in range(i, -1, -1) if (left, j) in met)
            at = met[reach, j]
            channel = [(left, j) for left in range(reach + 1, i)]
            ring = [*corners[first:], *corners[: first + 1]]
            line = [*line[: at + 1], *channel, *ring, *reversed(channel), *line[at:]]
        return _drop_straight(np.array(line))


def trace_parts(mask: Voxels) -> list[Part]:
    """The outlines of all parts of a mask (I, J).

    Voxels that touch across a corner only are parts of their own; the order is that of their first voxels.
    """
    labels, count = ndimage.label(mask)
    outer: list[Corners] = [np.empty((0, 2), np.int64)] * count
    holes: list[list[Corners]] = [[] for _ in range(count)]
    for corners, voxel in _trace(mask):
        part = labels[voxel] - 1
        turning = corners - corners[0]
        area = int((turning[:, 0] * np.roll(turning[:, 1], -1) - np.roll(turning[:, 0], -1) * turning[:, 1]).sum())
        if area > 0:
            outer[part] = corners
        else:
            holes[part].append(corners)
    return [Part(line, tuple(inner)) for line, inner in zip(outer, holes, strict=True)]


def _trace(mask: Voxels) -> Iterator[tuple[Corners, tuple[int, int]]]:
    """Every closed line around a mask, each with one of the voxels inside it that touch it."""
    inside = np.pad(mask, 1)
    # By direction, whether an edge begins at a corner (i, j): the voxel to its left is inside, the other one isn't.
    beside = [inside[1:, 1:], inside[:-1, 1:], inside[:-1, :-1], inside[1:, :-1]]
    edges = np.stack([beside[d] & ~beside[d - 1] for d in range(4)])
    kind, i, j = np.nonzero(edges)
    ends = np.stack([i, j], axis=1) + STEPS[kind]
    number = np.full(edges.shape, -1, np.int64)
    number[kind, i, j] = np.arange(len(kind))
    # Where two edges go on from a corner, the left one stays with the same voxel.
    following = np.full(len(kind), -1, np.int64)
    for turn in (3, 0, 1):
        found = number[(kind + turn) % 4, ends[:, 0], ends[:, 1]]
        following = np.where(found >= 0, found, following)
    turns = kind != kind[_invert(following)]
    seen = np.zeros(len(kind), np.bool_)
    links, corners = following.tolist(), np.stack([i, j], axis=1)
    lefts = np.array([(0, 0), (-1, 0), (-1, -1), (0, -1)])
    for first in range(len(links)):
        if seen[first]:
            continue
        line, at = [first], links[first]
        while at != first:
            line.append(at)
            at = links[at]
        seen[line] = True
        a, b = corners[first] + lefts[kind[first]]
        yield corners[[n for n in line if turns[n]]], (int(a), int(b))


def _invert(order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return back


def _fill_in(corners: Corners) -> Corners:
    """A line with all corners of voxels that it passes, not only those where it turns."""
    steps = np.roll(corners, -1, axis=0) - corners
    lengths = np.abs(steps).max(axis=1)
    along = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    filled: Corners = np.repeat(corners, lengths, axis=0) + along[:, None] * np.repeat(np.sign(steps), lengths, axis=0)
    return filled


def _drop_straight(line: Corners) -> Corners:
    """A line of neighbouring corners without those where it goes straight on."""
    before, after = line - np.roll(line, 1, axis=0), np.roll(line, -1, axis=0) - line
    turning: Corners = line[(before != after).any(axis=1)]
    return turning
