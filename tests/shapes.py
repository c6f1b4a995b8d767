"""Analytic shapes as voxels on straight, oblique and sheared grids."""

import numpy as np
import numpy.typing as npt

from medunet.geometry import Grid, Points, Shape

Bools = npt.NDArray[np.bool_]
SPACINGS = ((1.0, 1.0, 1.0), (0.7, 0.9, 2.5))
TURNS = (0.0, 0.3, 0.7)
"""Radians about the head, then half of them about the right."""


def make_grid(shape: Shape, spacing: tuple[float, float, float], turn: float = 0.0, shear: float = 0.0) -> Grid:
    """A grid that is turned, whose slices are moved along the first axis by `shear` times their distance."""
    z, x = (np.cos(turn), np.sin(turn)), (np.cos(turn / 2), np.sin(turn / 2))
    about = np.array([[z[0], -z[1], 0], [z[1], z[0], 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, x[0], -x[1]], [0, x[1], x[0]]])
    affine = np.eye(4)
    affine[:3, :3] = tilt @ about @ np.diag(spacing)
    affine[:3, 2] += shear * affine[:3, 0] / spacing[0] * spacing[2]
    affine[:3, 3] = 11, -7, 30
    return Grid(shape, affine)


def list_places(grid: Grid) -> Points:
    """World places (I, J, K, 3) of all voxels."""
    return grid.to_world(np.argwhere(np.ones(grid.shape, bool))).reshape(*grid.shape, 3)


def draw_ellipsoid(grid: Grid, radii: tuple[float, float, float], turned: bool = True) -> Bools:
    """An ellipsoid in the middle of a grid, its axes along those of the grid, or of the world."""
    centre = grid.to_world([(np.array(grid.shape) - 1) / 2])[0]
    offsets = list_places(grid) - centre
    if turned:
        offsets = offsets @ (grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0))
    inside: Bools = ((offsets / radii) ** 2).sum(axis=-1) <= 1
    return inside
