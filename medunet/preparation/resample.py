"""Linear resampling to another grid, plane by plane: of images, and of class scores straight to labels."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from medunet.geometry import Affine, Grid

PLANE_BUDGET = 4_000_000
"""Target voxels that are interpolated at once: bounds the memory to some 100 MB for two classes."""


def resample_labels(scores: torch.Tensor, affine: Affine, grid: Grid) -> npt.NDArray[np.uint8]:
    """Class of largest score at every voxel of another grid.

    Scores are interpolated linearly and kept at the border outside. They exist on the target grid only for a
    few planes at a time. Any pair of affines is right, sheared ones too.

    Args:
        scores: (classes, I, J, K) float, logits or one-hot labels, on the grid of `affine`.
        affine: (4, 4) voxel index to RAS mm of `scores`.
        grid: where labels are wanted.

    Returns:
        (I, J, K) uint8 on `grid`.
    """
    if tuple(scores.shape[1:]) == grid.shape and np.array_equal(affine, grid.affine):
        return _largest(scores.float()).numpy()
    labels = np.empty(grid.shape, dtype=np.uint8)
    for planes, sampled in _sample_planes(scores.float(), affine, grid):
        labels[:, :, planes] = _largest(sampled).numpy()
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


def resample_numbers(numbers: npt.NDArray[np.unsignedinteger], affine: Affine, grid: Grid) -> npt.NDArray[np.int64]:
    """Numbers of objects at every voxel of another grid: those of the nearest voxel, since they can't be mixed.

    Args:
        numbers: (I, J, K), below 2 ** 24.
        affine: (4, 4) voxel index to RAS mm of `numbers`.
        grid: where they are wanted.
    """
    if numbers.shape == grid.shape and np.array_equal(affine, grid.affine):
        return numbers.astype(np.int64)
    moved = np.empty(grid.shape, dtype=np.int64)
    source = torch.from_numpy(numbers.astype(np.float32))[None]
    for planes, sampled in _sample_planes(source, affine, grid, "nearest"):
        moved[:, :, planes] = sampled[0].numpy()
    return moved


def _sample_planes(
    values: torch.Tensor, affine: Affine, grid: Grid, mode: str = "bilinear"
) -> Iterator[tuple[slice, torch.Tensor]]:
    """A few planes of the grid at a time, and the values (C, I, J, planes) there."""
    to_source = np.linalg.inv(affine) @ grid.affine
    step = max(1, PLANE_BUDGET // (grid.shape[0] * grid.shape[1]))
    for start in range(0, grid.shape[2], step):
        stop = min(start + step, grid.shape[2])
        positions = _source_positions(grid.shape, start, stop, to_source, values.shape[1:])
        sampled = grid_sample(values[None], positions[None], mode=mode, padding_mode="border", align_corners=True)
        yield slice(start, stop), sampled[0]


def _source_positions(
    shape: tuple[int, int, int], start: int, stop: int, to_source: Affine, source: torch.Size
) -> torch.Tensor:
    """Positions (I, J, planes, 3) as `grid_sample` wants them: last axis first, -1 and 1 at the outer centres."""
    axes = [torch.arange(shape[0]), torch.arange(shape[1]), torch.arange(start, stop)]
    out = torch.empty((shape[0], shape[1], stop - start, 3))
    for axis in range(3):
        row = to_source[axis]
        terms = [(axes[n].double() * row[n]).reshape([-1 if m == n else 1 for m in range(3)]) for n in range(3)]
        index = terms[0] + terms[1] + terms[2] + row[3]
        out[..., 2 - axis] = index * (2.0 / max(source[axis] - 1, 1)) - 1.0
    return out


def _largest(scores: torch.Tensor) -> torch.Tensor:
    """Index of the largest score along the first axis; a running maximum, 10 times faster than argmax here."""
    best = scores[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8)
    for value in range(1, scores.shape[0]):
        larger = scores[value] > best
        labels[larger] = value
        best = torch.maximum(best, scores[value])
    return labels
