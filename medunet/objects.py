"""From numbers of objects to the classes that a network learns, and from its classes back to numbers.

A network that knows only foreground joins objects that touch. So it learns a class more: of each object the *border*
is what lies near another object, the *interior* is the rest (the border class of the winners of the 2018 Data Science
Bowl, Caicedo et al. 2019, doi 10.1038/s41592-019-0612-7). A *part* is what interior and border connect; each connected
piece of interior in it is the *core* of an object, and the border goes to the nearest core: a watershed whose relief is
the distance to the cores.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Numbers = npt.NDArray[np.unsignedinteger]
"""One number an object, 0 outside of them, (I, J, K)."""
INTERIOR, BORDER = 1, 2
"""Classes of the network beside the background, 0."""
AROUND = np.ones((3, 3, 3), dtype=np.bool_)
"""Pieces of interior that share a corner are one core."""
SPECK = 0.3
"""A core smaller than this share of the smallest object founds none where its part has a larger core."""
DEEP = 0.75
"""An object that is all border keeps as interior what is at least this share of its depth inside."""


def make_border_target(numbers: npt.NDArray[np.integer], border: int) -> npt.NDArray[np.uint8]:
    """Interior and border of objects; every object has an interior, however small it is.

    Args:
        numbers: (I, J, K), one number an object, 0 outside of them.
        border: voxels within which another object makes border.

    Returns:
        (I, J, K) of 0, `INTERIOR` and `BORDER`, which together are the foreground.
    """
    size = [2 * border + 1 if length > 1 else 1 for length in numbers.shape]
    inside = numbers > 0
    wide = numbers.astype(np.int64)
    highest = ndimage.maximum_filter(wide, size, mode="nearest")
    # The lowest number but 0 that is near.
    lowest = ndimage.minimum_filter(np.where(inside, wide, wide.max(initial=0) + 1), size, mode="nearest")
    near = inside & ((highest != wide) | (lowest != wide))
    target = np.where(near, BORDER, inside).astype(np.uint8)
    _keep_interiors(numbers, target)
    return target


def _keep_interiors(numbers: npt.NDArray[np.integer], target: npt.NDArray[np.uint8]) -> None:
    """Give each object that is all border its deepest voxels back as interior."""
    lost = np.setdiff1d(numbers[target == BORDER], numbers[target == INTERIOR])
    if not len(lost):
        return
    compact = np.searchsorted(lost, numbers) + 1
    compact[~np.isin(numbers, lost)] = 0
    pad = [(int(length > 1),) * 2 for length in numbers.shape]
    for number, box in enumerate(ndimage.find_objects(compact), start=1):
        own = compact[box] == number
        depth = ndimage.distance_transform_edt(np.pad(own, pad))[
            tuple(slice(low, low + length) for (low, _), length in zip(pad, own.shape, strict=True))
        ]
        target[box][own & (depth >= DEEP * depth.max())] = INTERIOR


def separate_objects(classes: npt.NDArray[np.uint8], smallest: float = 0.0) -> Numbers:
    """Number the objects of a class map: one for each core, and one for a part without any.

    Args:
        classes: (I, J, K) of 0, `INTERIOR` and `BORDER`; with 0 and `INTERIOR` alone each part is an object.
        smallest: voxels; smaller objects are left out.

    Returns:
        (I, J, K) of the numbers 1, 2, … without a gap; uint16, or uint32 for more than 65535 objects.
    """
    parts, _ = ndimage.label(classes > 0)
    numbers = np.zeros(classes.shape, dtype=np.uint32)
    last = 0
    for part, box in enumerate(ndimage.find_objects(parts), start=1):
        inside = parts[box] == part
        cores, count = ndimage.label(inside & (classes[box] == INTERIOR), AROUND)
        sizes = np.bincount(cores.ravel())
        sizes[0] = 0
        kept = sizes >= max(1.0, min(SPECK * smallest, sizes.max()))
        if np.count_nonzero(kept) < 2:
            last += 1
            numbers[box][inside] = last
            continue
        nearest = ndimage.distance_transform_edt(~kept[cores], return_distances=False, return_indices=True)
        numbers[box][inside] = last + cores[tuple(nearest)][inside]
        last += count
    return _renumber(numbers, smallest)


def _renumber(numbers: Numbers, smallest: float) -> Numbers:
    """Close the gaps, after objects that are too small."""
    sizes = np.bincount(numbers.ravel())
    kept = sizes >= max(1.0, smallest)
    kept[0] = False
    fresh = np.where(kept, np.cumsum(kept), 0)
    if fresh.max() < 2**16:
        return np.asarray(fresh.astype(np.uint16)[numbers], dtype=np.uint16)
    return np.asarray(fresh.astype(np.uint32)[numbers], dtype=np.uint32)


def number_parts(mask: npt.NDArray[np.generic]) -> Numbers:
    """Number the connected parts of a foreground (I, J, K), by faces: what objects are without a border class."""
    return separate_objects((mask != 0).astype(np.uint8))
