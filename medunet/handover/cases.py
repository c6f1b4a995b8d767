"""Made-up cases: ellipsoids of random values within the range of a channel, on which a network may find something."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.bundle import Recipe
from medunet.bundle.foreign_steps import name_target
from medunet.geometry import Grid
from medunet.reading import Source, Volume

EDGES = (32, 64)
"""Voxels along an axis of a volume, at least and at most."""
FLAT_EDGES = (64, 256)
"""The same of a picture or a slice."""
SLICES = 6
STEPS = 200
"""Different values between the lowest and the highest, so that files stay small."""
USUAL = {"px": (0.0, 255.0), "mm": (-200.0, 300.0)}
"""Values where neither training nor chain says which there are."""
COARSER = 1.5
"""How much larger voxels of the second channel are, so that its way onto the grid of the first is tested."""
OBJECTS = (1, 3, 8, 20)
"""How many ellipsoids a case holds, in turn: few large ones, or many small ones."""


@dataclass(frozen=True, slots=True)
class Range:
    """Values of a channel.

    Attributes:
        low: of what lies outside a body.
        middle: of an image.
        high: the highest.
        inside: lowest and highest of what is looked for, as far as the chain tells: of CT it scales just these.
    """

    low: float
    middle: float
    high: float
    inside: tuple[float, float]


def draw_case(recipe: Recipe, attempt: int) -> dict[str, Volume]:
    """Draw a case, another one for each attempt, always the same.

    Args:
        recipe: of the bundle, for channels, values, voxel size and patch.
        attempt: number from 0 on.

    Returns:
        A volume (C, I, J, K) for each key of the chain's images. Of volumes the axes point to the left, to the front
        and up, and voxels have the size of the network's grid, along x and y a tenth more.
    """
    task, random = recipe.task, np.random.default_rng(attempt)
    grid = _make_grid(recipe)
    bodies = _draw_shapes(random, grid, attempt)
    volumes = {}
    for number, (key, channel) in enumerate(zip(recipe.inputs, task.channels, strict=True)):
        values = find_range(recipe, key, channel)
        count = task.count_components(channel)
        voxels = np.stack([_fill(random, bodies, grid, values) for _ in range(count)])
        lies = grid
        if number and task.unit == "mm":
            voxels, lies = _coarsen(voxels, grid)
        volumes[key] = Volume(_store(voxels, values, task.unit), lies, Source(path=f"made up, attempt {attempt}"))
    return volumes


def find_range(recipe: Recipe, key: str, channel: str) -> Range:
    """Values of a channel: those of training, else those that its chain scales, else usual ones."""
    scaled: tuple[float, float] | None = None
    for step in recipe.preprocessing:
        if isinstance(step, Mapping) and name_target(step) == "ScaleIntensityRanged" and key in _list_keys(step):
            scaled = float(step["a_min"]), float(step["a_max"])
    known = recipe.values.get(channel)
    if known:
        low, middle, high = known.low[0], sum(known.middle) / 2, known.high[1]
    else:
        low, high = scaled or USUAL[recipe.task.unit]
        middle = low + (high - low) / 3
    return Range(low, middle, max(high, scaled[1]) if scaled else high, scaled or ((low + high) / 2, high))


def find_spacing(recipe: Recipe) -> tuple[float, ...]:
    """Size of the network's voxels in mm, 1 along an axis of which nothing is said."""
    found: Any = ()
    for step in recipe.preprocessing:
        if isinstance(step, Mapping) and name_target(step) == "Spacingd":
            found = step.get("pixdim", ())
    sizes = [float(size) if size and size > 0 else 1.0 for size in (found if isinstance(found, list | tuple) else ())]
    return tuple((sizes + [1.0] * 3)[:3])


def _list_keys(step: Mapping[str, Any]) -> list[str]:
    keys = step.get("keys", [])
    return [keys] if isinstance(keys, str) else list(keys)


def _make_grid(recipe: Recipe) -> Grid:
    flat = recipe.window.dims == 2
    low, high = FLAT_EDGES if flat else EDGES
    shape = [min(max(int(1.2 * edge), low), high) if edge else low for edge in recipe.window.patch]
    if recipe.task.unit == "px":
        return Grid((shape[0], shape[1], 1), np.eye(4), unit="px")
    if flat:
        shape[recipe.window.axis] = SLICES
    x, y, z = find_spacing(recipe)
    i, j, k = shape
    affine = np.diag([-1.1 * x, -1.1 * y, z, 1.0])
    affine[:3, 3] = 10.0, -20.0, 30.0
    return Grid((i, j, k), affine)


def _draw_shapes(random: np.random.Generator, grid: Grid, attempt: int) -> list[npt.NDArray[np.bool_]]:
    """A body, and ellipsoids in it."""
    axes = np.meshgrid(
        *(np.linspace(-1, 1, count) if count > 1 else np.zeros(1) for count in grid.shape), indexing="ij"
    )
    count = OBJECTS[attempt % len(OBJECTS)]
    body = np.sum([(axis / 0.9) ** 2 for axis in axes], axis=0) < 1
    shapes: list[npt.NDArray[np.bool_]] = [body]
    for _ in range(count):
        centre = random.uniform(-0.55, 0.55, 3)
        radii = random.uniform(0.25, 0.6, 3) / count ** (1 / 3)
        inside = np.sum([((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii, strict=True)], axis=0) < 1
        shapes.append(inside & body)
    return shapes


def _fill(
    random: np.random.Generator, shapes: list[npt.NDArray[np.bool_]], grid: Grid, values: Range
) -> npt.NDArray[np.float64]:
    """Values (I, J, K) of one component: each ellipsoid has one, edges are smooth, and there is a little noise."""
    voxels = np.full(grid.shape, values.low)
    low, high = values.inside
    body, bright = random.uniform(values.middle, (low + high) / 2), random.uniform(0.3, 1.0)
    for number, shape in enumerate(shapes):
        share = min(bright + random.uniform(-0.2, 0.2), 1.0)
        voxels[shape] = body if number == 0 else low + (high - low) * share
    smooth: npt.NDArray[np.float64] = ndimage.gaussian_filter(voxels, [0.7 if n > 1 else 0 for n in grid.shape])
    return smooth + random.normal(0, 0.01 * (values.high - values.low), grid.shape)


def _coarsen(voxels: npt.NDArray[np.float64], grid: Grid) -> tuple[npt.NDArray[np.float64], Grid]:
    """The same image with larger voxels, the first of which keeps its place."""
    shape = [max(int(count / COARSER), 1) for count in grid.shape]
    places = np.meshgrid(*(np.arange(count) * COARSER for count in shape), indexing="ij")
    moved = [ndimage.map_coordinates(part, places, order=1, mode="nearest") for part in voxels]
    affine = grid.affine.copy()
    affine[:3, :3] *= COARSER
    return np.stack(moved), Grid((shape[0], shape[1], shape[2]), affine)


def _store(voxels: npt.NDArray[np.float64], values: Range, unit: str) -> npt.NDArray[np.generic]:
    """The values in steps, as integers where these are fine enough."""
    if unit == "px":
        return np.clip(np.rint(voxels), 0, 255).astype(np.uint8)
    step = (values.high - values.low) / STEPS or 1.0
    if step >= 1:
        return np.rint(voxels).astype(np.int16)
    return (np.rint(voxels / step) * step).astype(np.float32)
