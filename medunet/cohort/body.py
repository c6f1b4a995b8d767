"""Find the body in a scan, which also shows air, the table and noise."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.geometry import Grid
from medunet.reading import Volume

BODY_HU = -400.0
"""Between air (-1000) and soft tissue (about 40), rounded up so that the rim of the body stays out."""
BODY = {("CT", "HU"): BODY_HU, ("CT", ""): BODY_HU, ("PT", "SUVbw"): 0.1}
"""By modality and unit: above this, a voxel is of a body rather than of air or of the noise in it."""
BODY_STEP_MM = 4.0
"""Steps in which the box around the body is measured."""
Voxels = npt.NDArray[np.bool_]


def find_body(image: npt.NDArray[Any], grid: Grid) -> Voxels:
    """Find the body in a CT: the largest part above -400 HU, holes filled slice by slice.

    Args:
        image: (I, J, K) in HU.
        grid: where it lies; slices are those nearest to axial.

    Returns:
        (I, J, K) bool; all True where no voxel is above -400 HU.
    """
    body = keep_largest(np.asarray(image > BODY_HU))
    if not body.any():
        return np.ones(image.shape, dtype=np.bool_)
    slices = np.moveaxis(body, grid.nearest_axes()[2], 0)
    for plane in slices:
        ndimage.binary_fill_holes(plane, output=plane)
    return body


def measure_body(volume: Volume, modality: str) -> tuple[int, int, int]:
    """Voxels along x, y, z of the box around the body; of the whole image where there is none.

    Args:
        volume: an image.
        modality: DICOM modality; of CT in HU and PET in SUV the largest piece above a threshold is the body, of
            others what isn't 0.
    """
    grid, threshold = volume.grid, BODY.get((modality, volume.source.units))
    step = (1, 1, 1)
    if threshold is None:
        inside = (volume.voxels != 0).any(axis=0)
    else:
        x, y, z = (max(1, int(BODY_STEP_MM / size)) for size in grid.spacing)
        step = (x, y, z)
        inside = keep_largest(np.greater(volume.voxels[0, ::x, ::y, ::z], threshold))
    sizes = []
    for axis, whole in enumerate(grid.shape):
        planes = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        sizes.append(min(whole, int(planes[-1] - planes[0] + 1) * step[axis]) if len(planes) else whole)
    i, j, k = grid.nearest_axes()
    return sizes[i], sizes[j], sizes[k]


def keep_largest(mask: Voxels) -> Voxels:
    """Keep the largest part of a mask (I, J, K) in the 6-neighbourhood; of equal ones the first."""
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    largest: Voxels = parts == np.argmax(np.bincount(parts[mask]))
    return largest
