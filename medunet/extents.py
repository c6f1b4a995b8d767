"""Diameters of a set of voxels, exact for the solid that the voxels fill.

Distances are taken between the outer corners of voxels, which have a size of their own: a box of voxels is as long as
it is, and a ball is too long by one voxel's diagonal at most. They are found on the convex hull, whose corners are
found in voxel indices (any affine map keeps a hull) and measured in the world: right on oblique and sheared grids too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from medunet.geometry import Grid, Points
from medunet.parts import Voxels
from medunet.scratch import IN_MEMORY, Room

MOST = 1 << 22
"""Voxels that are looked at together."""
AT_ONCE = 512
"""Corners whose distances to all others are computed at once."""


@dataclass(frozen=True, slots=True)
class Diameters:
    """How far a set of voxels extends, in the unit of its grid.

    Attributes:
        longest: longest diameter within an axial plane.
        perpendicular: longest chord across it in the same plane.
        spatial: longest diameter in space; None in a picture.
    """

    longest: float
    perpendicular: float
    spatial: float | None


def measure_diameters(inside: Voxels, grid: Grid, room: Room = IN_MEMORY) -> Diameters:
    """Measure one connected or scattered set of voxels.

    Axial planes are those of the grid across the voxel axis that runs most nearly along the patient: the slices of an
    axial series, and planes across the slices of a sagittal or coronal one.

    Args:
        inside: (I, J, K) bool, some True; a part of the grid will do.
        grid: whose axes the array has; its offset doesn't matter.
        room: in which the array may lie, so that little of it is in memory at a time.
    """
    axis = grid.nearest_axes()[2]
    first, second = (n for n in range(3) if n != axis)
    frame = grid.affine[:3, [first, second]]
    longest, across = 0.0, 0.0
    corners: list[Points] = []
    for place, hull in _find_hulls(np.moveaxis(inside, (first, second, axis), (0, 1, 2)), room):
        world = hull @ frame.T
        length, *ends = _find_farthest(world)
        if length > longest:
            longest, across = length, _measure_across(world, *ends)
        for level in (place - 0.5, place + 0.5):
            points = np.empty((len(hull), 3))
            points[:, first], points[:, second], points[:, axis] = hull[:, 0], hull[:, 1], level
            corners.append(points)
    if grid.unit == "px":
        return Diameters(longest, across, None)
    points = np.concatenate(corners)
    return Diameters(longest, across, _find_farthest(points[ConvexHull(points).vertices] @ grid.affine[:3, :3].T)[0])


def _find_hulls(planes: Voxels, room: Room) -> Iterator[tuple[int, Points]]:
    """Index of each plane (A, B, planes) that isn't empty, and its convex hull's corners (N, 2) in indices, in turn."""
    first, last = _find_ends(planes, room)
    for place in np.flatnonzero((last >= 0).any(axis=0)):
        rows = np.flatnonzero(last[:, place] >= 0)
        low, high = first[rows, place] - 0.5, last[rows, place] + 0.5
        ends = np.concatenate([low, low, high, high])
        sides = np.concatenate([rows - 0.5, rows + 0.5] * 2)
        points = np.column_stack([ends, sides])
        yield int(place), points[ConvexHull(points).vertices]


def _find_ends(planes: Voxels, room: Room) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Where each line along the first axis of (A, B, planes) begins and ends, (B, planes); it ends at -1 if it's empty.

    The array is read once, in the order in which it lies in memory or in a file of the room.
    """
    first, last = np.zeros(planes.shape[1:], np.intp), np.full(planes.shape[1:], -1, np.intp)
    outer = int(np.argmax(np.abs(planes.strides)))
    step = max(1, MOST // max(1, planes.size // planes.shape[outer]))
    for start in range(0, planes.shape[outer], step):
        piece = [slice(None)] * 3
        piece[outer] = slice(start, start + step)
        part = planes[tuple(piece)]
        filled, begin = part.any(axis=0), part.argmax(axis=0)
        end = len(part) - 1 - part[::-1].argmax(axis=0)
        offset, lines = (start, (slice(None), slice(None))) if outer == 0 else (0, tuple(piece[1:]))
        first[lines] = np.where(filled & (last[lines] < 0), begin + offset, first[lines])
        last[lines] = np.where(filled, end + offset, last[lines])
        room.settle()
    return first, last


def _find_farthest(points: Points) -> tuple[float, int, int]:
    """Largest distance of two of the points (N, D), and which they are."""
    best = (-1.0, 0, 0)
    for start in range(0, len(points), AT_ONCE):
        distances = cdist(points[start : start + AT_ONCE], points[start:])
        place = int(distances.argmax())
        row, column = divmod(place, distances.shape[1])
        if distances[row, column] > best[0]:
            best = float(distances[row, column]), start + row, start + column
    return best


def _measure_across(corners: Points, one: int, other: int) -> float:
    """Longest chord across the line between two corners of a flat convex polygon whose corners (N, 3) lie in turn."""
    offsets = corners - corners[one]
    along = offsets[other] / np.linalg.norm(offsets[other])
    u = offsets @ along
    rest = offsets - u[:, None] * along
    # A polygon in space: the other direction within its plane is that of what lies farthest from the diameter.
    side = rest[np.linalg.norm(rest, axis=1).argmax()]
    v = rest @ (side / np.linalg.norm(side))
    return _find_chord(u, v)


def _find_chord(u: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> float:
    """Longest chord along v of a convex polygon with corners (u, v) in turn: it passes through a corner."""
    chords = np.zeros(len(u))
    for n in range(len(u)):
        ends = u[n], u[(n + 1) % len(u)]
        low, high = min(ends), max(ends)
        if high - low <= 1e-12:
            continue
        crossed = (u >= low) & (u <= high)
        share = (u[crossed] - u[n]) / (u[(n + 1) % len(u)] - u[n])
        height = v[n] + share * (v[(n + 1) % len(u)] - v[n])
        chords[crossed] = np.maximum(chords[crossed], np.abs(height - v[crossed]))
    return float(chords.max())
