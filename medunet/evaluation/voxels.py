"""Voxel metrics of one label in one case: overlap, agreement of surfaces, volumes.

A *surface* is the mask minus its erosion by the 6-neighbourhood (in an image of one slice by the 4 neighbours in
it); what lies outside the array counts as background. The *outcome* says which of truth and prediction hold the
label at all; an overlap is measured only where the truth holds it, since a Dice of 0 for one stray voxel in a healthy
patient would read like a tumor that was missed (nnU-Net's issue 380 is about such a mix-up).

Where the truth has voxels that nobody looked at, only the *known* others count. There is no surface between a mask and
what isn't known: where the label ends there, nobody can say.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from medunet.geometry import Grid, Points

Voxels = npt.NDArray[np.bool_]
"""One structure, (I, J, K), True inside."""
Crop = tuple[slice, slice, slice]
Outcome = Literal["both", "missed", "falsely_found", "correct_absent"]
"""Which of truth and prediction hold the label: both, truth alone, prediction alone, neither."""

TOLERANCE_MM = 2.0
"""Distance within which two surfaces agree, unless another is asked for."""
ROUNDING_MM = 1e-6
"""A distance of exactly the tolerance counts as within it, whatever the rounding of world positions."""


@dataclass(frozen=True, slots=True)
class VoxelScore:
    """What was measured of one label in one case.

    Attributes:
        outcome: which of truth and prediction hold the label.
        dice: 0 to 1; 0 where the prediction is empty; None where the truth is.
        nsd: normalised surface distance, 0 to 1; as `dice`, and None where neither has a known surface.
        truth_ml: volume in mL, or in voxels where the grid has no physical size.
        predicted_ml: the same of the prediction.
    """

    outcome: Outcome
    dice: float | None
    nsd: float | None
    truth_ml: float
    predicted_ml: float


def measure_voxels(
    predicted: Voxels, truth: Voxels, grid: Grid, tolerance_mm: float = TOLERANCE_MM, known: Voxels | None = None
) -> VoxelScore:
    """Measure one structure; only the box around both masks is worked on.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        grid: where both lie; of a part of an array the grid of the whole will do, since its offset cancels out.
        tolerance_mm: of the surface distance, in the unit of the grid.
        known: (I, J, K) bool, the voxels that count; all of them if not given.
    """
    if known is not None:
        predicted, truth = predicted & known, truth & known
    box = find_box(predicted, truth)
    if box is None:
        return VoxelScore("correct_absent", None, None, 0.0, 0.0)
    if known is not None:
        box = widen_box(box)  # since what isn't known may begin right beside it
        known = known[box]
    predicted, truth = predicted[box], truth[box]
    factor = grid.voxel_volume / 1000 if grid.unit == "mm" else 1.0
    truth_ml, predicted_ml = (float(np.count_nonzero(mask) * factor) for mask in (truth, predicted))
    if not truth_ml:
        return VoxelScore("falsely_found", None, None, 0.0, predicted_ml)
    if not predicted_ml:
        return VoxelScore("missed", 0.0, 0.0, truth_ml, 0.0)
    nsd = measure_nsd(predicted, truth, grid, tolerance_mm, known)
    dice = measure_dice(predicted, truth)
    return VoxelScore("both", dice, None if np.isnan(nsd) else nsd, truth_ml, predicted_ml)


def measure_dice(predicted: Voxels, truth: Voxels) -> float:
    """Dice: twice the common voxels over the voxels of both; 0 if one mask is empty, NaN if both are.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
    """
    both = np.count_nonzero(predicted) + np.count_nonzero(truth)
    return float(2 * np.count_nonzero(predicted & truth) / both) if both else float("nan")


def measure_nsd(
    predicted: Voxels, truth: Voxels, grid: Grid, tolerance_mm: float = TOLERANCE_MM, known: Voxels | None = None
) -> float:
    """Normalised surface distance: the share of the surface voxels of both masks that lie near the other surface.

    The distance is the exact Euclidean one between the centres of surface voxels in the world, so it is right for
    oblique and for sheared grids (tilted gantry) too. Source of the measure: Nikolov et al., arXiv:1809.04430;
    surfaces here are made of voxels, not of areas.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        grid: where both lie; its offset doesn't matter.
        tolerance_mm: largest distance that counts as near, in the unit of the grid.
        known: (I, J, K) bool, holds both masks; what lies outside has no surface with them.

    Returns:
        0 to 1; 0 if one mask has no surface, NaN if neither has.
    """
    surfaces = [find_surface(mask, flat=grid.shape[2] == 1, known=known) for mask in (predicted, truth)]
    counts = [np.count_nonzero(surface) for surface in surfaces]
    if not all(counts):
        return 0.0 if any(counts) else float("nan")
    # A surface voxel that both share is at distance 0; only the others need a search.
    shared = np.count_nonzero(surfaces[0] & surfaces[1])
    first, second = (grid.to_world(np.argwhere(surface)) for surface in surfaces)
    lone = [grid.to_world(np.argwhere(surfaces[n] & ~surfaces[1 - n])) for n in (0, 1)]
    near = 2 * shared + _count_near(lone[0], second, tolerance_mm) + _count_near(lone[1], first, tolerance_mm)
    return float(near / sum(counts))


def _count_near(points: Points, others: Points, tolerance_mm: float) -> int:
    if not len(points):
        return 0
    limit = tolerance_mm + ROUNDING_MM
    distances, _ = cKDTree(others).query(points, distance_upper_bound=limit)
    return int(np.count_nonzero(distances <= limit))


def find_surface(mask: Voxels, *, flat: bool = False, known: Voxels | None = None) -> Voxels:
    """Voxels of a mask (I, J, K) with a 6-neighbour outside it; the rim of the array touches the outside.

    Args:
        mask: (I, J, K) bool.
        flat: look at the neighbours along I and J only, since the image is one slice, which is all rim along K.
        known: (I, J, K) bool, neighbours that may be outside; all if not given.
    """
    neighbours = ndimage.generate_binary_structure(3, 1)
    if flat:
        neighbours[:, :, [0, 2]] = False
    surface: Voxels = mask & ~ndimage.binary_erosion(mask if known is None else mask | ~known, neighbours)
    return surface


def find_box(*masks: Voxels) -> Crop | None:
    """Smallest box that holds all masks (I, J, K), or None where they are all empty."""
    bounds = []
    for axis in range(3):
        others = tuple(n for n in range(3) if n != axis)
        filled = np.flatnonzero(np.logical_or.reduce([mask.any(axis=others) for mask in masks]))
        if not len(filled):
            return None
        bounds.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return bounds[0], bounds[1], bounds[2]


def widen_box(box: Crop) -> Crop:
    """A box with one more voxel on each side, as far as there are some."""
    first, second, third = (slice(max(0, side.start - 1), side.stop + 1) for side in box)
    return first, second, third
