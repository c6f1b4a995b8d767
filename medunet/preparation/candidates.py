"""Find the class of the largest score on a plane of another grid, where only few classes can be it.

Scores are interpolated linearly, so within a block of the plane none is larger than the largest, or less than the
least, of the voxels around it. A class whose largest score there lies below the least score of another one is nowhere
the largest. It is left out, as is one whose only score there an earlier class has, too, and nothing is interpolated
where one class remains; labels are those of all classes, bit for bit. That a class is the largest at no voxel isn't
enough to leave it out: between voxels it may be.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from medunet.geometry import Affine, Shape
from medunet.preparation.lines import Lines
from medunet.preparation.places import PlanePlaces

BLOCK = 32
"""Voxels of the plane along the side of a block."""
POOL = 8
"""Voxels along the side of what extremes of scores are kept of."""
SLACK = 1e-5
"""Of the largest amount of a score: by so much a class must lie below, far more than float32 rounds in between."""
REACH = 1e-3
"""Voxels by which positions may be off, far more than their rounding."""
Scores = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]


class BlockLabels:
    """Labels of planes that follow each other through scores which arrive plane by plane.

    Args:
        to_source: (4, 4) voxel index of the grid to that of the scores.
        source: shape (I, J, K) of the scores.
        grid: shape of the grid.
        axis: of the grid, across its planes.
    """

    def __init__(self, to_source: Affine, source: Shape, grid: Shape, axis: int) -> None:
        # Least and largest scores of classes in squares of `POOL` voxels, by number of the plane.
        self._extremes: dict[int, tuple[Scores, Scores]] = {}
        self._lines = Lines.find(to_source, source, grid, axis)

    def label(self, planes: Mapping[int, torch.Tensor], slab: range, places: PlanePlaces) -> npt.NDArray[np.uint8]:
        """The class of the largest score at each voxel of a plane; of equal ones the first.

        Args:
            planes: scores (classes, J, K) float32 by their number.
            slab: numbers of those between which the plane lies.
            places: of the plane.

        Returns:
            (A, B) uint8.
        """
        known = self._extremes
        self._extremes = {n: known[n] if n in known else _pool(planes[n]) for n in slab}
        least = np.minimum.reduce([self._extremes[n][0] for n in slab])
        most = np.maximum.reduce([self._extremes[n][1] for n in slab])
        down, across = (_cut(size) for size in places.shape)
        ends = (torch.from_numpy(cut[:, [0, -1]].reshape(-1)) for cut in (down, across))
        corners = places.place(next(ends)[:, None], next(ends), slab).numpy().reshape(len(down), 2, len(across), 2, 3)
        possible = _find_possible(least, most, corners, planes[slab.start].shape[1:])
        sole = possible.argmax(axis=0).astype(np.uint8)
        unclear: Flags = possible.sum(axis=0) > 1
        if not unclear.any():
            return _spread(sole, places.shape)
        if self._lines is None:
            found = _compare_blocks(planes, slab, places, possible, unclear)
        else:
            slack = SLACK * max(-float(least.min()), float(most.max()))
            found = _compare_lines(self._lines, planes, slab, places, possible & unclear, slack)
        return np.where(_spread(unclear, places.shape), found, _spread(sole, places.shape))


def _compare_blocks(
    planes: Mapping[int, torch.Tensor], slab: range, places: PlanePlaces, possible: Flags, unclear: Flags
) -> npt.NDArray[np.uint8]:
    """Labels (A, B) in the blocks that aren't clear."""
    down, across = (_cut(size) for size in places.shape)
    rows, columns = np.nonzero(unclear)
    grid = places.place(torch.from_numpy(down[rows][:, :, None]), torch.from_numpy(across[columns][:, None]), slab)
    labels = np.zeros((len(down), len(across), BLOCK, BLOCK), dtype=np.uint8)
    labels[rows, columns] = _compare(planes, slab, grid, possible[:, rows, columns])
    whole = labels.transpose(0, 2, 1, 3).reshape(down.size, across.size)
    return whole[: places.shape[0], : places.shape[1]]


def _compare_lines(
    lines: Lines, planes: Mapping[int, torch.Tensor], slab: range, places: PlanePlaces, possible: Flags, slack: float
) -> npt.NDArray[np.uint8]:
    """Labels (A, B) in the blocks that aren't clear, by scores that are interpolated axis by axis.

    These are rounded in other places than those of `grid_sample`. So where another score is as large but for `slack`,
    they are compared once more, as everywhere else.
    """
    best, second = (torch.full(places.shape, -torch.inf) for _ in range(2))
    labels = torch.zeros(places.shape, dtype=torch.uint8)
    pair = lines.find_planes(places, slab)
    for value in np.flatnonzero(possible.any(axis=(1, 2))):
        box = tuple(_span(possible[value].any(axis=1 - n), size) for n, size in enumerate(places.shape))
        scores, before = lines.interpolate(planes, int(value), pair, box), best[box]
        second[box] = torch.maximum(second[box], torch.minimum(scores, before))
        labels[box].masked_fill_(scores > before, int(value))
        best[box] = torch.maximum(scores, before)
    wanted = np.asarray(possible.any(axis=0))
    # What is no number is larger than nothing.
    close = ~(best - second > slack).numpy() & _spread(wanted, places.shape)
    found: npt.NDArray[np.uint8] = labels.numpy()
    if close.any():
        rows, columns = np.nonzero(close)
        grid = places.place(torch.from_numpy(rows), torch.from_numpy(columns), slab)
        maybe = possible[:, rows // BLOCK, columns // BLOCK]
        found[rows, columns] = _compare(planes, slab, grid[:, None, None], maybe)[:, 0, 0]
    return found


def _compare(planes: Mapping[int, torch.Tensor], slab: range, grid: torch.Tensor, possible: Flags) -> Any:
    """Interpolate each class in the blocks where it may be the largest, and take the largest.

    Args:
        planes: scores by their number.
        slab: numbers of those between which the blocks lie.
        grid: positions (blocks, A, B, 3).
        possible: (classes, blocks).

    Returns:
        (blocks, A, B) uint8.
    """
    labels, best = np.empty(grid.shape[:3], dtype=np.uint8), np.empty(grid.shape[:3], dtype=np.float32)
    fresh = np.ones(len(grid), dtype=np.bool_)
    for value in np.flatnonzero(possible.any(axis=1)):
        here = np.flatnonzero(possible[value])
        scores = torch.stack([planes[n][value] for n in slab])[None, None]
        blocks = grid[torch.from_numpy(here)][None]
        sampled = grid_sample(scores, blocks, padding_mode="border", align_corners=True)[0, 0].numpy()
        first, before = fresh[here][:, None, None], best[here]
        labels[here] = np.where(first | (sampled > before), np.uint8(value), labels[here])
        best[here] = np.where(first, sampled, np.maximum(before, sampled))
        fresh[here] = False
    return labels


def _span(blocks: Flags, size: int) -> slice:
    """Voxels from the first to the last block that is wanted."""
    wanted = np.flatnonzero(blocks)
    return slice(int(wanted[0]) * BLOCK, min((int(wanted[-1]) + 1) * BLOCK, size))


def _spread(blocks: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[Any]:
    """What is said of blocks for each of their voxels."""
    return blocks.repeat(BLOCK, axis=0)[: shape[0]].repeat(BLOCK, axis=1)[:, : shape[1]]


def _pool(plane: torch.Tensor) -> tuple[Scores, Scores]:
    """Least and largest of a plane of scores (classes, J, K) in squares."""
    # Rows first, whose elements follow each other in memory: many times faster than `max_pool2d`.
    rows = plane.split(plane.shape[1] // POOL * POOL or plane.shape[1], dim=1)
    found = []
    for take in (torch.amin, torch.amax):
        parts = [take(part.unflatten(1, (-1, min(POOL, part.shape[1]))), dim=2) for part in rows]
        pooled = torch.cat(parts, dim=1)
        columns = pooled.split(pooled.shape[2] // POOL * POOL or pooled.shape[2], dim=2)
        parts = [take(part.unflatten(2, (-1, min(POOL, part.shape[2]))), dim=3) for part in columns]
        found.append(torch.cat(parts, dim=2).numpy())
    return found[0], found[1]


def _cut(size: int) -> Indices:
    """Voxels of blocks along an axis, (blocks, voxels), the last one again where they end before."""
    count = -(-size // BLOCK)
    return np.minimum(np.arange(count * BLOCK), size - 1).reshape(count, BLOCK)


def _find_possible(least: Scores, most: Scores, corners: Scores, shape: Any) -> Flags:
    """Which classes may be the largest in which blocks, (classes, blocks down, blocks across).

    Args:
        least: of each class in squares of the planes between which the blocks lie, (classes, squares, squares).
        most: the same of the largest.
        corners: positions (blocks down, 2, blocks across, 2, 3); those within a block lie between them.
        shape: (J, K) of the planes.
    """
    low, high = corners.min(axis=(1, 3)), corners.max(axis=(1, 3))
    # Of positions the last axis is first.
    rows, columns = (_find_squares(low[..., 1 - axis], high[..., 1 - axis], shape[axis]) for axis in (0, 1))
    squares = (slice(None), rows[..., :, None], columns[..., None, :])
    floor, top = least[squares].min(axis=(-2, -1)), most[squares].max(axis=(-2, -1))
    slack = SLACK * np.maximum(np.abs(floor), np.abs(top)).max(axis=0)
    # What is no number is below nothing, so that it stays.
    possible: Flags = ~(top < floor.max(axis=0) - slack)
    return possible & ~_find_repeated(floor, top)


def _find_repeated(floor: Scores, top: Scores) -> Flags:
    """Which classes have one score all over a block that an earlier one has, too, as all have outside of a box.

    They are interpolated to the same numbers, of which the first counts.
    """
    even = np.where(floor == top, top, -np.inf)
    largest: Flags = (even == even.max(axis=0)) & (floor == top)
    return largest & (np.arange(len(top))[:, None, None] != largest.argmax(axis=0))


def _find_squares(low: Scores, high: Scores, size: int) -> Indices:
    """Numbers of the squares between positions along an axis of so many voxels, (…, most); the last one again."""
    first, last = (((end.astype(np.float64) + 1) / 2 * (size - 1)) for end in (low, high))
    begin = np.clip(np.floor(first - REACH), 0, size - 1).astype(np.intp) // POOL
    end = np.clip(np.ceil(last + REACH), 0, size - 1).astype(np.intp) // POOL
    steps = np.arange(int((end - begin).max()) + 1)
    return np.minimum(begin[..., None] + steps, end[..., None])
