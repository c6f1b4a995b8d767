"""Connected parts of labelled voxels: number them, keep the largest, leave small ones out.

Voxels that share a face, an edge or a corner are connected: 26 neighbours, in one slice 8. It is the neighbourhood in
which lesions are scored, and that of MONAI's KeepLargestConnectedComponent.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Voxels = npt.NDArray[np.bool_]
"""(I, J, K), True inside."""
Labels = npt.NDArray[np.unsignedinteger]
Crop = tuple[slice, slice, slice]
CONNECTED = np.ones((3, 3, 3), dtype=np.bool_)
ROUNDING = 1e-6
"""Of a voxel: a part of exactly the smallest volume stays, whatever its division by that of a voxel rounds to."""


def find_extent(*masks: Voxels) -> Crop | None:
    """Smallest box that holds all masks (I, J, K), or None where they are all empty."""
    sides = []
    for axis in range(3):
        others = tuple(n for n in range(3) if n != axis)
        filled = np.flatnonzero(np.logical_or.reduce([mask.any(axis=others) for mask in masks]))
        if not len(filled):
            return None
        sides.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return sides[0], sides[1], sides[2]


def widen_box(box: Crop, margins: Sequence[int], shape: Sequence[int]) -> Crop:
    """A box with so many more voxels on both sides along each axis, as far as an array of a shape has them."""
    first, second, third = (
        slice(max(0, side.start - margin), min(size, side.stop + margin))
        for side, margin, size in zip(box, margins, shape, strict=True)
    )
    return first, second, third


def number_parts(inside: Voxels) -> tuple[npt.NDArray[np.integer], int]:
    """Number connected parts (I, J, K) from 1 on, in the order of their first voxels; and how many there are."""
    numbers: npt.NDArray[np.integer] = np.empty(inside.shape, dtype=np.uint16)
    try:
        return numbers, int(ndimage.label(inside, CONNECTED, output=numbers))
    except RuntimeError:  # more parts than 16 bits can number
        numbers, count = ndimage.label(inside, CONNECTED)
        return numbers, int(count)


def keep_largest(labels: Labels, groups: Sequence[Sequence[int]]) -> Labels:
    """Leave of each group of label values its largest connected part only; the rest becomes background.

    Args:
        labels: (I, J, K).
        groups: values that are taken together, such as those of a region.
    """
    kept = labels.copy()
    for values in groups:
        inside, box = _find_group(kept, values)
        if box is None:
            continue
        numbers, count = number_parts(inside)
        if count > 1:
            sizes = np.bincount(numbers.ravel())
            sizes[0] = 0
            # As MONAI chooses, also where two are equally large.
            largest = np.argsort(sizes)[::-1][0]
            kept[box][inside & (numbers != largest)] = 0
    return kept


def drop_small(labels: Labels, groups: Sequence[Sequence[int]], least: int) -> Labels:
    """Make each connected part of a group of label values background that has fewer voxels than `least`.

    Args:
        labels: (I, J, K).
        groups: as of `keep_largest`.
        least: voxels.
    """
    kept = labels.copy()
    for values in groups:
        inside, box = _find_group(kept, values)
        if box is not None:
            numbers, _ = number_parts(inside)
            small = np.bincount(numbers.ravel()) < least
            small[0] = False
            kept[box][small[numbers]] = 0
    return kept


def count_least(smallest: float, voxel_volume: float) -> int:
    """Voxels that a part has at least so that its volume is `smallest`, in the unit of `voxel_volume`."""
    return 1 + int(smallest / voxel_volume - ROUNDING)


def is_any(labels: Labels, values: Sequence[int]) -> Voxels:
    """Which voxels (I, J, K) have one of these label values."""
    return labels == values[0] if len(values) == 1 else np.isin(labels, values)


def _find_group(labels: Labels, values: Sequence[int]) -> tuple[Voxels, Crop | None]:
    """Voxels of a group in their smallest box, and that."""
    inside = is_any(labels, values)
    box = find_extent(inside)
    return (inside, None) if box is None else (inside[box], box)
