"""Distances between two surfaces, each element weighted by its area: what NSD, HD95 and ASSD are made of.

The distance of an element (`surfaces`) is that from its middle to the nearest middle of the other surface, in the
world, so that anisotropic, oblique and sheared grids are right; elements that both surfaces have are 0 apart. Each
weighs by its area (in an image of one slice by its length), so that no spacing or direction counts more than another.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from medunet.evaluation.surfaces import Surface, find_surface
from medunet.geometry import Grid, Points
from medunet.parts import Voxels

ROUNDING_MM = 1e-6
"""A distance of exactly the tolerance counts as within it, whatever the rounding of world positions."""
SHARE = 0.95
"""Of the area of each surface, of HD95."""
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Directed:
    """From one surface to the other.

    Attributes:
        distances: (N,) of its elements to the other surface, in the unit of the grid.
        areas: (N,) of its elements.
    """

    distances: Values
    areas: Values

    def find_quantile(self, share: float) -> float:
        """The least distance within which at least this share of the area lies."""
        order = np.argsort(self.distances, kind="stable")
        reached = np.cumsum(self.areas[order])
        place = np.searchsorted(reached, share * reached[-1] * (1 - 1e-12))
        return float(self.distances[order[min(int(place), len(order) - 1)]])


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Between two surfaces that are both there.

    Attributes:
        there: from the first to the second.
        back: from the second to the first.
    """

    there: Directed
    back: Directed

    def find_nsd(self, tolerance: float) -> float:
        """Share of the area of both that lies within a distance of the other, 0 to 1 (normalised surface distance)."""
        limit = tolerance + ROUNDING_MM
        near = (float(one.areas[one.distances <= limit].sum()) for one in (self.there, self.back))
        return min(1.0, sum(near) / float(self.there.areas.sum() + self.back.areas.sum()))

    def find_hausdorff(self, share: float = SHARE) -> float:
        """The larger of both distances within which this share of a surface lies; HD95 by default."""
        return max(self.there.find_quantile(share), self.back.find_quantile(share))

    def find_mean(self) -> float:
        """Mean over the area of both surfaces (average symmetric surface distance)."""
        moments = (float((one.distances * one.areas).sum()) for one in (self.there, self.back))
        return sum(moments) / float(self.there.areas.sum() + self.back.areas.sum())


def measure_distances(predicted: Voxels, truth: Voxels, grid: Grid, known: Voxels | None = None) -> Distances | None:
    """Measure how far two surfaces lie from each other.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        grid: where both lie; its offset doesn't matter.
        known: (I, J, K) bool, holds both masks; there is no surface between a mask and what lies outside.

    Returns:
        None where one of both has no surface.
    """
    first, second = (find_surface(mask, grid, known) for mask in (predicted, truth))
    if not len(first.areas) or not len(second.areas):
        return None
    return Distances(_measure(first, second), _measure(second, first))


def _measure(surface: Surface, other: Surface) -> Directed:
    """Elements that both have need no search."""
    place = np.minimum(np.searchsorted(other.cells, surface.cells), len(other.cells) - 1)
    alone = other.cells[place] != surface.cells
    distances = np.zeros(len(surface.cells))
    distances[alone] = _search(surface.places[alone], other.places)
    return Directed(distances, surface.areas)


def _search(points: Points, others: Points) -> Values:
    # A tree that isn't balanced takes half as long to make, and none that finds neighbours is slower by as much.
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    found: Values = tree.query(points)[0]
    return found
