"""Find the class of the largest score on a plane of another grid, where only few classes can be it.

Scores are interpolated linearly, so within a block of the plane none is larger than the largest, or less than the
least, of the voxels around it. A class whose largest score there lies below the least score of another one is nowhere
the largest. It is left out, and nothing is interpolated where one class remains; labels are those of all classes, bit
for bit. That a class is the largest at no voxel isn't enough to leave it out: between voxels it may be.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

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


class BlockLabels:
    """Labels of planes that follow each other through scores which arrive plane by plane."""

    def __init__(self) -> None:
        # Least and largest scores of classes in squares of `POOL` voxels, by number of the plane.
        self._extremes: dict[int, tuple[Scores, Scores]] = {}

    def label(self, planes: Mapping[int, torch.Tensor], slab: range, positions: torch.Tensor) -> npt.NDArray[np.uint8]:
        """The class of the largest score at each voxel of a plane; of equal ones the first.

        Args:
            planes: scores (classes, J, K) float32 by their number.
            slab: numbers of those between which the plane lies.
            positions: (A, B, 3) in the slab, as `grid_sample` wants them.

        Returns:
            (A, B) uint8.
        """
        known = self._extremes
        self._extremes = {n: known[n] if n in known else _pool(planes[n].numpy()) for n in slab}
        least = np.minimum.reduce([self._extremes[n][0] for n in slab])
        most = np.maximum.reduce([self._extremes[n][1] for n in slab])
        places = positions.numpy()
        down, across = (_cut(size) for size in places.shape[:2])
        corners = places[down[:, [0, -1]]][:, :, across[:, [0, -1]]]
        possible = _find_possible(least, most, corners, planes[slab.start].shape[1:])
        labels = np.empty((len(down), len(across), BLOCK, BLOCK), dtype=np.uint8)
        labels[:] = possible.argmax(axis=0)[:, :, None, None]
        rows, columns = np.nonzero(possible.sum(axis=0) > 1)
        if len(rows):
            grid = places[down[rows][:, :, None], across[columns][:, None, :]]
            labels[rows, columns] = _compare(planes, slab, grid, possible[:, rows, columns])
        whole = labels.transpose(0, 2, 1, 3).reshape(down.size, across.size)
        return whole[: places.shape[0], : places.shape[1]]


def _compare(
    planes: Mapping[int, torch.Tensor], slab: range, grid: Scores, possible: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Interpolate each class in the blocks where it may be the largest, and take the largest.

    Args:
        planes: scores by their number.
        slab: numbers of those between which the blocks lie.
        grid: positions (blocks, A, B, 3).
        possible: (classes, blocks).

    Returns:
        (blocks, A, B).
    """
    labels, best = np.empty(grid.shape[:3], dtype=np.uint8), np.empty(grid.shape[:3], dtype=np.float32)
    fresh = np.ones(len(grid), dtype=np.bool_)
    for value in np.flatnonzero(possible.any(axis=1)):
        here = np.flatnonzero(possible[value])
        scores = torch.stack([planes[n][value] for n in slab])[None, None]
        blocks = torch.from_numpy(grid[here])[None]
        sampled = grid_sample(scores, blocks, padding_mode="border", align_corners=True)[0, 0].numpy()
        first, before = fresh[here][:, None, None], best[here]
        labels[here] = np.where(first | (sampled > before), np.uint8(value), labels[here])
        best[here] = np.where(first, sampled, np.maximum(before, sampled))
        fresh[here] = False
    return labels


def _pool(plane: Scores) -> tuple[Scores, Scores]:
    """Least and largest of a plane of scores (classes, J, K) in squares."""
    least, most = (_pool_axis(_pool_axis(plane, 1, take), 2, take) for take in (np.minimum, np.maximum))
    return least, most


def _pool_axis(scores: Scores, axis: int, take: np.ufunc) -> Scores:
    """Extremes along an axis of each `POOL` voxels, and of those that are left at its end."""
    whole = scores.shape[axis] // POOL
    main, rest = np.split(scores, [whole * POOL], axis=axis)
    shape = (*scores.shape[:axis], whole, POOL, *scores.shape[axis + 1 :])
    # Over whole axes, which is many times faster than numpy's reduceat.
    parts = [take.reduce(main.reshape(shape), axis=axis + 1)] if whole else []
    if rest.shape[axis]:
        parts.append(take.reduce(rest, axis=axis, keepdims=True))
    return np.concatenate(parts, axis=axis)


def _cut(size: int) -> Indices:
    """Voxels of blocks along an axis, (blocks, voxels), the last one again where they end before."""
    count = -(-size // BLOCK)
    return np.minimum(np.arange(count * BLOCK), size - 1).reshape(count, BLOCK)


def _find_possible(least: Scores, most: Scores, corners: Scores, shape: Any) -> npt.NDArray[np.bool_]:
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
    possible: npt.NDArray[np.bool_] = ~(top < floor.max(axis=0) - slack)
    return possible


def _find_squares(low: Scores, high: Scores, size: int) -> Indices:
    """Numbers of the squares between positions along an axis of so many voxels, (…, most); the last one again."""
    first, last = (((end.astype(np.float64) + 1) / 2 * (size - 1)) for end in (low, high))
    begin = np.clip(np.floor(first - REACH), 0, size - 1).astype(np.intp) // POOL
    end = np.clip(np.ceil(last + REACH), 0, size - 1).astype(np.intp) // POOL
    steps = np.arange(int((end - begin).max()) + 1)
    return np.minimum(begin[..., None] + steps, end[..., None])
