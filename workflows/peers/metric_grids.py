"""What medunet measures of shapes that are known, on grids that others' functions can't describe: turned or sheared."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from medunet.evaluation.distances import measure_distances
from medunet.evaluation.voxels import measure_dice
from medunet.geometry import Affine, Grid

RADII = (20.0, 24.0)
GAP_MM = 6.0
ROOM_MM = 60.0


def make_grids() -> Iterator[tuple[str, Grid]]:
    """Grids of a cube of 60 mm about the origin, by what is odd about them."""
    plain, thick = np.diag([1.0, 1.0, 1.0]), np.diag([0.75, 0.75, 3.0])
    turn, tilt = math.radians(25), math.radians(15)
    about = np.array([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]])
    over = np.array([[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]])
    sheared = thick.copy()
    sheared[1, 2] = 3 * math.tan(tilt)
    yield "1 × 1 × 1 mm", _centre(plain)
    yield "0.75 × 0.75 × 3 mm", _centre(thick)
    yield "its axes in another order, one mirrored", _centre(thick[:, [2, 0, 1]] @ np.diag([-1.0, 1, 1]))
    yield "oblique, 0.75 × 0.75 × 3 mm", _centre(over @ about @ thick)
    yield "a gantry tilted by 15°, 0.75 × 0.75 × 3 mm", _centre(sheared)


def _centre(steps: Affine) -> Grid:
    """A grid of these steps with the origin in its middle, large enough for everything that is drawn."""
    shape = tuple(math.ceil(1.4 * ROOM_MM / size) for size in np.linalg.norm(steps, axis=0))
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = -steps @ ((np.array(shape) - 1) / 2)
    return Grid((shape[0], shape[1], shape[2]), affine)


def tabulate_grids() -> list[str]:
    """A line for each grid: shells about one middle, and a sphere that is moved, with what is known of both."""
    ball = 4 / 3 * math.pi * RADII[0] ** 3 / 1000
    small, large = (radius**3 for radius in RADII)
    head = "| grid | volume mL | Dice | HD95 | ASSD | NSD 3 mm | NSD 5 mm | HD95 moved | ASSD moved | NSD 2 mm moved |"
    known = (ball, 2 * small / (small + large), 4, 4, 0, 1, 0.95 * GAP_MM, GAP_MM / 2, 2 / GAP_MM)
    lines = [head, "|---" * 10 + "|", f"| known | {' | '.join(f'{value:.3f}' for value in known)} |"]
    for name, grid in make_grids():
        cells = " | ".join(f"{value:.3f}" for value in measure_grid(grid))
        lines.append(f"| {name} | {cells} |")
    return lines


def measure_grid(grid: Grid) -> tuple[float, ...]:
    """The values of a line."""
    places = grid.to_world(np.indices(grid.shape).reshape(3, -1).T).reshape(*grid.shape, 3)
    truth, outer = (_draw(places, radius) for radius in RADII)
    shells = measure_distances(outer, truth, grid)
    moved = measure_distances(_draw(places - (0, 0, GAP_MM), RADII[0]), truth, grid)
    if shells is None or moved is None:
        raise ValueError("the grid is too small for what is drawn")
    shared = [shells.find_nsd(tolerance) for tolerance in (3.0, 5.0)]
    return (
        float(np.count_nonzero(truth) * grid.voxel_volume / 1000),
        measure_dice(outer, truth),
        shells.find_hausdorff(),
        shells.find_mean(),
        *shared,
        moved.find_hausdorff(),
        moved.find_mean(),
        moved.find_nsd(2.0),
    )


def _draw(places: npt.NDArray[np.float64], radius: float) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = np.linalg.norm(places, axis=-1) <= radius
    return inside
