"""Metrics of one label in one case that look at voxels: overlap, distance of surfaces, volumes.

A *surface* is measured by its area (`surfaces`); what lies outside the array counts as background. Surfaces of
*voxels*, a mask minus its erosion by the 6-neighbourhood (in an image of one slice by the 4 neighbours in it), count
a voxel of any spacing and direction alike; scores of that kind are kept beside the others, since some are published.

The *outcome* says which of truth and prediction hold the label at all; an overlap is measured only where the truth
holds it, since a Dice of 0 for one stray voxel in a healthy patient would read like a tumor that was missed (nnU-Net's
issue 380 is about such a mix-up). Where the prediction lacks it, overlaps are 0 and distances the worst that the image
has room for, the diagonal of its voxels' centres (Metrics Reloaded: Maier-Hein et al., Nature Methods 2024, doi
10.1038/s41592-023-02151-z, on aggregating undefined values).

Where the truth has voxels that nobody looked at, only the *known* others count. There is no surface between a mask and
what isn't known: where the label ends there, nobody can say.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from medunet.evaluation.distances import ROUNDING_MM, measure_distances
from medunet.evaluation.surfaces import find_surface
from medunet.geometry import Grid, Points
from medunet.parts import Voxels, find_extent, widen_box

Outcome = Literal["both", "missed", "falsely_found", "correct_absent"]
"""Which of truth and prediction hold the label: both, truth alone, prediction alone, neither."""

TOLERANCE_MM = 2.0
"""Distance within which two surfaces agree, unless another is asked for."""


@dataclass(frozen=True, slots=True)
class VoxelScore:
    """What was measured of one label in one case.

    Overlaps and distances are None where the truth is empty, distances also where neither has a known surface.

    Attributes:
        outcome: which of truth and prediction hold the label.
        dice: 0 to 1; 0 where the prediction is empty.
        nsd: normalised surface distance by area, 0 to 1; as `dice`.
        nsd_voxels: the same by counting voxels.
        truth_ml: volume in mL, or in voxels where the grid has no physical size.
        predicted_ml: the same of the prediction.
        iou: common voxels over those of either, 0 to 1.
        sensitivity: share of the truth's voxels that were predicted.
        voxel_precision: share of the predicted voxels that are right; 0 where the prediction is empty.
        hd95_mm: distance within which 95 % of the area of each surface lies from the other, in the unit of the grid;
            the diagonal of the image where the prediction is empty.
        assd_mm: mean distance over the area of both surfaces; likewise.
    """

    outcome: Outcome
    dice: float | None
    nsd: float | None
    nsd_voxels: float | None
    truth_ml: float
    predicted_ml: float
    iou: float | None = None
    sensitivity: float | None = None
    voxel_precision: float | None = None
    hd95_mm: float | None = None
    assd_mm: float | None = None


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
    box = find_extent(predicted, truth)
    if box is None:
        return VoxelScore("correct_absent", None, None, None, 0.0, 0.0)
    if known is not None:
        box = widen_box(box, (1, 1, 1), truth.shape)  # since what isn't known may begin right beside it
        known = known[box]
    predicted, truth = predicted[box], truth[box]
    factor = grid.voxel_volume / 1000 if grid.unit == "mm" else 1.0
    truth_ml, predicted_ml = (float(np.count_nonzero(mask) * factor) for mask in (truth, predicted))
    if not truth_ml:
        return VoxelScore("falsely_found", None, None, None, 0.0, predicted_ml)
    if not predicted_ml:
        worst = measure_diagonal(grid)
        return VoxelScore("missed", 0.0, 0.0, 0.0, truth_ml, 0.0, 0.0, 0.0, 0.0, worst, worst)
    common = int(np.count_nonzero(predicted & truth))
    ours, theirs = int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
    distances = measure_distances(predicted, truth, grid, known)
    nsd = distances.find_nsd(tolerance_mm) if distances else _judge_missing(predicted, truth, grid, known)
    voxels = measure_nsd_voxels(predicted, truth, grid, tolerance_mm, known)
    return VoxelScore(
        outcome="both",
        dice=measure_dice(predicted, truth),
        nsd=None if np.isnan(nsd) else nsd,
        nsd_voxels=None if np.isnan(voxels) else voxels,
        truth_ml=truth_ml,
        predicted_ml=predicted_ml,
        iou=common / (ours + theirs - common),
        sensitivity=common / theirs,
        voxel_precision=common / ours,
        hd95_mm=None if distances is None else distances.find_hausdorff(),
        assd_mm=None if distances is None else distances.find_mean(),
    )


def measure_diagonal(grid: Grid) -> float:
    """The largest distance between centres of voxels, in the unit of the grid."""
    corners = grid.to_world(grid.corners())
    return float(np.linalg.norm(corners[:, None] - corners[None], axis=-1).max())


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
    """Normalised surface distance: the share of the area of both surfaces that lies near the other surface.

    The distance is the Euclidean one between the middles of surface elements in the world, and areas are those of the
    world, so both are right for anisotropic, oblique and sheared grids (tilted gantry). In an image of one slice they
    are lengths of outlines. Source of the measure: Nikolov et al., arXiv:1809.04430.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        grid: where both lie; its offset doesn't matter.
        tolerance_mm: largest distance that counts as near, in the unit of the grid.
        known: (I, J, K) bool, holds both masks; there is no surface between a mask and what lies outside.

    Returns:
        0 to 1; 0 if one mask has no surface, NaN if neither has.
    """
    distances = measure_distances(predicted, truth, grid, known)
    return distances.find_nsd(tolerance_mm) if distances else _judge_missing(predicted, truth, grid, known)


def _judge_missing(predicted: Voxels, truth: Voxels, grid: Grid, known: Voxels | None) -> float:
    """NSD where a surface is missing: 0 where the other one is there, else NaN."""
    return 0.0 if any(len(find_surface(mask, grid, known).areas) for mask in (predicted, truth)) else float("nan")


def measure_nsd_voxels(
    predicted: Voxels, truth: Voxels, grid: Grid, tolerance_mm: float = TOLERANCE_MM, known: Voxels | None = None
) -> float:
    """Normalised surface distance by voxels: the share of surface voxels of both masks that lie near the other's.

    The distance is the exact Euclidean one between the centres of surface voxels in the world, so it is right for
    oblique and for sheared grids too; but the share depends on spacing and direction, since each voxel counts alike.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        grid: where both lie; its offset doesn't matter.
        tolerance_mm: largest distance that counts as near, in the unit of the grid.
        known: (I, J, K) bool, holds both masks; what lies outside has no surface with them.

    Returns:
        0 to 1; 0 if one mask has no surface, NaN if neither has.
    """
    surfaces = [find_surface_voxels(mask, flat=grid.shape[2] == 1, known=known) for mask in (predicted, truth)]
    counts = [np.count_nonzero(surface) for surface in surfaces]
    if not all(counts):
        return 0.0 if any(counts) else float("nan")
    # A surface voxel that both share is at distance 0; only the others need a search.
    shared = np.count_nonzero(surfaces[0] & surfaces[1])
    first, second = (grid.to_world(np.argwhere(surface)) for surface in surfaces)
    lone = [grid.to_world(np.argwhere(surfaces[n] & ~surfaces[1 - n])) for n in (0, 1)]
    near = [_are_near(*pair, tolerance_mm) for pair in ((lone[0], second), (lone[1], first))]
    return float((2 * shared + sum(map(np.count_nonzero, near))) / sum(counts))


def _are_near(points: Points, others: Points, tolerance_mm: float) -> npt.NDArray[np.bool_]:
    """Which points (N, 3) lie within the tolerance of another one."""
    limit = tolerance_mm + ROUNDING_MM
    # A tree that isn't balanced takes half as long to make, and none that finds neighbours is slower by as much.
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    near: npt.NDArray[np.bool_] = tree.query(points, distance_upper_bound=limit)[0] <= limit
    return near


def find_surface_voxels(mask: Voxels, *, flat: bool = False, known: Voxels | None = None) -> Voxels:
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
