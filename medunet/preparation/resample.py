"""Linear resampling to another grid, plane by plane: of images, and of class scores straight to labels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from medunet.geometry import Affine, Grid, Shape
from medunet.preparation.candidates import BlockLabels
from medunet.preparation.places import PlanePlaces, move_to_slab, place_box
from medunet.scratch import IN_MEMORY, Room

PLANE_BUDGET = 4_000_000
"""Target voxels that are interpolated at once: bounds the memory to some 100 MB for two classes."""
FOLLOWS = 0.4
"""Source planes that a plane of the target may lean over to follow them: then it lies between three at most."""
POSITION_BYTES = 48
"""For a target voxel that is interpolated: its position (three float32), float64 that it is computed with, labels."""

Decide = Callable[[torch.Tensor], torch.Tensor]
"""A function from scores (C, I, J, K) to labels (I, J, K) uint8."""
Box = tuple[slice, slice, slice]
Keep = Callable[[torch.Tensor, Box], None]
"""Takes the scores (C, I, J, K) of a box of the target, of which labels are made; they are gone afterwards."""


def take_largest(scores: torch.Tensor) -> torch.Tensor:
    """Index of the largest score along the first axis; a running maximum, 10 times faster than argmax here."""
    best = scores[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8)
    for value in range(1, scores.shape[0]):
        larger = scores[value] > best
        labels[larger] = value
        best = torch.maximum(best, scores[value])
    return labels


def paint_regions(scores: torch.Tensor, values: Sequence[int], thresholds: Sequence[float | None] = ()) -> torch.Tensor:
    """Value of the last region whose logit is above 0, its probability above one half; 0 where none is.

    Args:
        scores: (regions, I, J, K) logits.
        values: of each region.
        thresholds: the probability that is enough for each; above one half where it is None.
    """
    labels = torch.zeros(scores.shape[1:], dtype=torch.uint8)
    least = thresholds or (None,) * len(values)
    for score, value, enough in zip(scores, values, least, strict=True):
        labels[score > 0 if enough is None else torch.sigmoid(score) >= enough] = value
    return labels


def take_likely(scores: torch.Tensor, thresholds: Sequence[float | None]) -> torch.Tensor:
    """Index of the class by its probability, where some classes have thresholds.

    A class with a threshold is taken where its probability is at least that; of several such the most probable. Where
    there is none, it is the class of the largest score among those without thresholds.

    Args:
        scores: (classes, I, J, K).
        thresholds: of each class; None where it has none, as one at least.
    """
    others = scores.clone()
    others[[value is not None for value in thresholds]] = -torch.inf
    labels, best = take_largest(others), torch.zeros(scores.shape[1:])
    for index, (value, likely) in enumerate(zip(thresholds, torch.softmax(scores, dim=0), strict=True)):
        if value is not None:
            taken = (likely >= value) & (likely > best)
            labels[taken] = index
            best = torch.where(taken, likely, best)
    return labels


def resample_labels(
    scores: torch.Tensor,
    affine: Affine,
    grid: Grid,
    decide: Decide = take_largest,
    keep: Keep | None = None,
    room: Room = IN_MEMORY,
) -> npt.NDArray[np.uint8]:
    """Labels at every voxel of another grid: the class of largest score, unless decided otherwise.

    Scores are interpolated linearly and kept at the border outside. They exist on the target grid only for a
    few planes at a time. Any pair of affines is right, sheared ones too.

    Args:
        scores: (classes, I, J, K) float, logits or one-hot labels, on the grid of `affine`.
        affine: (4, 4) voxel index to RAS mm of `scores`.
        grid: where labels are wanted.
        decide: makes labels of scores.
        keep: is given the scores, too.
        room: where the labels lie.

    Returns:
        (I, J, K) uint8 on `grid`.
    """
    labels = room.make(grid.shape, np.uint8)
    if tuple(scores.shape[1:]) == grid.shape and np.array_equal(affine, grid.affine):
        _settle(labels, (slice(None), slice(None), slice(None)), scores.float(), decide, keep)
        return labels
    for planes, sampled in _sample_planes(scores.float(), affine, grid):
        _settle(labels, (slice(None), slice(None), planes), sampled, decide, keep)
        room.settle()
    return labels


def _settle(labels: npt.NDArray[np.uint8], box: Box, scores: torch.Tensor, decide: Decide, keep: Keep | None) -> None:
    """Write the labels of a box from its scores, and hand these on."""
    labels[box] = decide(scores).numpy()
    if keep is not None:
        keep(scores, box)


def resample_planes(
    planes: Iterable[torch.Tensor],
    source: Grid,
    grid: Grid,
    decide: Decide = take_largest,
    keep: Keep | None = None,
    room: Room = IN_MEMORY,
) -> npt.NDArray[np.uint8]:
    """As `resample_labels`, bit for bit, of scores that arrive plane by plane along the first axis of their grid.

    Where planes of the target follow those of the source, which the grid of a network does but for sheared scans,
    three planes of scores exist at a time. Else all are held: a plane of an oblique target cuts through them.

    Args:
        planes: (classes, J, K) float for each i of `source`, in order; all are taken.
        source: grid of the scores.
        grid: where labels are wanted.
        decide: makes labels of scores.
        keep: is given the scores of each box of `grid`, too.
        room: where the labels lie, and scores that must be held.

    Returns:
        (I, J, K) uint8 on `grid`.
    """
    if source.shape == grid.shape and np.array_equal(source.affine, grid.affine):
        same = room.make(grid.shape, np.uint8)
        for i, plane in enumerate(planes):
            _settle(same, (slice(i, i + 1), slice(None), slice(None)), plane.float()[:, None], decide, keep)
            room.settle()
        return same
    axis = _find_following(source, grid)
    if axis is None:
        return resample_labels(_hold(planes, source.shape, room), source.affine, grid, decide, keep, room)
    return _follow_planes(enumerate(planes), source, grid, axis, decide, keep, room)


def count_resampling(source: Grid, grid: Grid, classes: int, *, held: bool = True) -> int:
    """Bytes that `resample_planes` holds at most: labels, and scores on either grid.

    Args:
        source: grid of the scores.
        grid: where labels are wanted.
        classes: scores of a voxel.
        held: labels, and scores that must be held, are in memory.
    """
    labels, plane = int(np.prod(grid.shape)), 4 * classes * int(np.prod(source.shape[1:]))
    axis, one = _find_following(source, grid), 4 * classes + POSITION_BYTES
    lasting, passing = labels, 6 * plane + (0 if axis is None else one * labels // grid.shape[axis])
    if source.shape == grid.shape and np.array_equal(source.affine, grid.affine):
        passing = plane + POSITION_BYTES * int(np.prod(grid.shape[1:]))
    elif axis is None:
        flat = grid.shape[0] * grid.shape[1]
        lasting = labels + plane * source.shape[0]
        passing = one * flat * min(grid.shape[2], max(1, PLANE_BUDGET // flat))
    return passing + (lasting if held else 0)


def _find_following(source: Grid, grid: Grid) -> int | None:
    """The axis of a grid whose planes lie between neighbouring planes, along its first axis, of the source."""
    row = np.abs((np.linalg.inv(source.affine) @ grid.affine)[0, :3])
    axis = int(row.argmax())
    leans = (np.delete(row, axis) * (np.delete(np.array(grid.shape), axis) - 1)).sum()
    return axis if leans <= FOLLOWS else None


def _hold(planes: Iterable[torch.Tensor], shape: Shape, room: Room) -> torch.Tensor:
    """All planes as one tensor, (classes, I, J, K)."""
    held: torch.Tensor | None = None
    for i, plane in enumerate(planes):
        if held is None:
            held = torch.from_numpy(room.make((len(plane), *shape), np.float32))
        held[:, i] = plane
        room.settle()
    if held is None:
        raise ValueError("a grid has at least one plane")
    return held


def _follow_planes(
    arriving: Iterator[tuple[int, torch.Tensor]],
    source: Grid,
    grid: Grid,
    axis: int,
    decide: Decide,
    keep: Keep | None,
    room: Room,
) -> npt.NDArray[np.uint8]:
    """Labels plane by plane along `axis`, in the order in which the planes of scores arrive."""
    labels = room.make(grid.shape, np.uint8)
    to_source = np.linalg.inv(source.affine) @ grid.affine
    order = range(grid.shape[axis]) if to_source[0, axis] > 0 else reversed(range(grid.shape[axis]))
    held: dict[int, torch.Tensor] = {}
    # Nobody else wants the scores: then most classes needn't be interpolated.
    blocks = BlockLabels(to_source, source.shape, grid.shape, axis) if decide is take_largest and keep is None else None
    for index in order:
        ranges = tuple(range(index, index + 1) if n == axis else range(size) for n, size in enumerate(grid.shape))
        places = PlanePlaces(axis, index, to_source, grid.shape, source.shape)
        slab = places.find_slab()
        while max(held, default=-1) < slab.stop - 1:
            number, plane = next(arriving)
            held[number] = plane.float()
        held = {number: plane for number, plane in held.items() if number >= slab.start}
        i, j, k = (slice(part.start, part.stop) for part in ranges)
        if blocks is not None:
            labels[i, j, k] = np.expand_dims(blocks.label(held, slab, places), axis)
        else:
            positions = place_box(ranges, to_source, source.shape)
            move_to_slab(positions, source.shape[0], slab)
            whole = torch.stack([held[number] for number in slab], dim=1)
            sampled = grid_sample(whole[None], positions[None], padding_mode="border", align_corners=True)
            _settle(labels, (i, j, k), sampled[0], decide, keep)
        room.settle()
    # Whoever makes the planes says how far that is, to the last.
    for _ in arriving:
        pass
    return labels


def resample_image(voxels: npt.NDArray[np.generic], affine: Affine, grid: Grid) -> npt.NDArray[np.float32]:
    """An image at every voxel of another grid, interpolated linearly and kept at the border outside.

    Args:
        voxels: (C, I, J, K) of any number type, on the grid of `affine`.
        affine: (4, 4) voxel index to RAS mm of `voxels`.
        grid: where values are wanted.

    Returns:
        (C, I, J, K) float32 on `grid`.
    """
    image = np.empty((len(voxels), *grid.shape), dtype=np.float32)
    source = torch.from_numpy(np.ascontiguousarray(voxels, dtype=np.float32))
    for planes, sampled in _sample_planes(source, affine, grid):
        image[..., planes] = sampled.numpy()
    return image


def resample_numbers(
    numbers: npt.NDArray[np.unsignedinteger],
    affine: Affine,
    grid: Grid,
    dtype: type[np.integer] = np.int64,
    room: Room = IN_MEMORY,
) -> npt.NDArray[Any]:
    """Numbers at every voxel of another grid: those of the nearest voxel, since they can't be mixed.

    Args:
        numbers: of objects or labels, (I, J, K), below 2 ** 24.
        affine: (4, 4) voxel index to RAS mm of `numbers`.
        grid: where they are wanted.
        dtype: of the result.
        room: where the result lies.
    """
    if numbers.shape == grid.shape and np.array_equal(affine, grid.affine):
        return numbers.astype(dtype)
    moved = room.make(grid.shape, dtype)
    source = torch.from_numpy(numbers.astype(np.float32))[None]
    for planes, sampled in _sample_planes(source, affine, grid, "nearest"):
        moved[:, :, planes] = sampled[0].numpy()
        room.settle()
    return moved


def _sample_planes(
    values: torch.Tensor, affine: Affine, grid: Grid, mode: str = "bilinear"
) -> Iterator[tuple[slice, torch.Tensor]]:
    """A few planes of the grid at a time, and the values (C, I, J, planes) there."""
    to_source = np.linalg.inv(affine) @ grid.affine
    step = max(1, PLANE_BUDGET // (grid.shape[0] * grid.shape[1]))
    for start in range(0, grid.shape[2], step):
        stop = min(start + step, grid.shape[2])
        ranges = (range(grid.shape[0]), range(grid.shape[1]), range(start, stop))
        positions = place_box(ranges, to_source, values.shape[1:])
        sampled = grid_sample(values[None], positions[None], mode=mode, padding_mode="border", align_corners=True)
        yield slice(start, stop), sampled[0]
