"""A picture of a prediction: three planes through its largest lesion, a row for each channel, outlines in colours.

Planes lie along the axes of the mask's grid and are hung as in `drawings`; where nothing was found they cut through
the middle of the scan. Channels on other grids are interpolated linearly in these planes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from medunet.errors import ResourceError
from medunet.geometry import RECORDED_MM, Grid, measure_displacement
from medunet.labels import Mask
from medunet.measures import Channel, sample_image
from medunet.report.drawings import (
    FAINT,
    INK,
    LINE,
    MARGIN,
    PAPER,
    Colour,
    draw_outlines,
    mark_sides,
    write_line,
)
from medunet.windows import SOFT_TISSUE, find_window
from medunet.writing import Format, Result, check_nothing, list_channels

SIDE = 420
"""Pixels of the longest side of a plane; all have one scale."""
PLANES = (("axial", 2), ("coronal", 1), ("sagittal", 0))
"""Names, and the world axis that each lies across."""
BREADTH = 3
"""Of outlines, two to a pixel."""
NEAR = 32
"""Voxels around the centre of a lesion in which one of its own is looked for."""
WINDOWS = {"HU": SOFT_TISSUE}
"""Level and width by the unit of values; of others 0.5th to 99.5th percentile of what is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """One plane of a grid, turned as it is shown.

    Attributes:
        name: with its place in the grid.
        index: (3,) slices and indices that cut it from an array of the grid.
        order: of the voxel axes that it holds: those of its columns and rows.
        flips: whether columns and rows are turned round.
        size: width and height, in the unit of the grid.
        sides: letters of the patient's sides on the left and on the right.
    """

    name: str
    index: tuple[Any, ...]
    order: tuple[int, int]
    flips: tuple[bool, bool]
    size: tuple[float, float]
    sides: tuple[str, str]

    def turn(self, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Rows from top to bottom and columns from left to right of what was cut out."""
        turned = flat if self.order[0] > self.order[1] else flat.T
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in reversed(self.flips))]


def draw_prediction(mask: Mask, channels: Sequence[Channel], place: Sequence[float], title: str = "") -> Image.Image:
    """Draw the planes through a voxel, a row for each channel.

    Args:
        mask: what was predicted.
        channels: images; one without any is a black row.
        place: voxel index (3,) that the planes meet in.
        title: a short text above.
    """
    planes = list(_cut_planes(mask.grid, place))
    scale = SIDE / max(side for plane in planes for side in plane.size)
    rows = [_draw_row(mask, channel, planes, scale) for channel in channels]
    tall, wide = max((row.height for row in rows), default=0), max((row.width for row in rows), default=SIDE)
    top = MARGIN + LINE + 6
    sheet = Image.new("RGB", (wide + 2 * MARGIN, top + len(rows) * (tall + MARGIN) + LINE + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    write_line(pen, (MARGIN, MARGIN), title, 20, INK, wide)
    for n, row in enumerate(rows):
        sheet.paste(row, (MARGIN, top + n * (tall + MARGIN)))
    left = MARGIN
    for name, colour in _list_colours(mask):
        middle = sheet.height - MARGIN - LINE // 2
        pen.line((left, middle, left + 26, middle), fill=colour, width=4)
        left += 34 + write_line(pen, (left + 34, middle - 9), name, 15, INK, wide - left) + 22
    return sheet


def _cut_planes(grid: Grid, place: Sequence[float]) -> Iterator[_Plane]:
    """The planes through a voxel; of a picture the only one."""
    axes = grid.nearest_axes()
    voxel = [int(np.clip(round(x), 0, n - 1)) for x, n in zip(place, grid.shape, strict=True)]
    for name, world in PLANES[: 1 if grid.shape[axes[2]] == 1 else 3]:
        across = axes[world]
        column, row = (axes[n] for n in range(3) if n != world)
        # The patient's right and front are on the left, and front or head on top; pictures lie as they are stored.
        flips = tuple((grid.affine[n, axes[n]] > 0) != (grid.unit == "px") for n in range(3) if n != world)
        said = f"{name}, slice {voxel[across] + 1} of {grid.shape[across]}"
        yield _Plane(
            name=said if grid.unit == "mm" else grid.describe(),
            index=tuple(voxel[n] if n == across else slice(None) for n in range(3)),
            order=(column, row),
            flips=(flips[0], flips[1]),
            size=(grid.shape[column] * grid.spacing[column], grid.shape[row] * grid.spacing[row]),
            sides=("R", "L") if world else ("A", "P"),
        )


def _draw_row(mask: Mask, channel: Channel, planes: Sequence[_Plane], scale: float) -> Image.Image:
    cut = [_cut_channel(channel, mask.grid, plane) for plane in planes]
    window = WINDOWS.get(channel.unit)
    if mask.grid.unit == "px" and channel.voxels.dtype == np.uint8:
        window = (127.5, 255.0)  # pictures are shown as they are
    low, high = find_window(np.concatenate([part.ravel() for part in cut]), window)
    panels = []
    for plane, part in zip(planes, cut, strict=True):
        grey = np.clip((np.nan_to_num(part.astype(np.float32), nan=low) - low) / (high - low), 0, 1)
        shown = np.stack([plane.turn(one) for one in (grey * 255).astype(np.uint8)], axis=-1)
        labels = plane.turn(mask.voxels[plane.index])
        size = (max(1, round(plane.size[0] * scale)), max(1, round(plane.size[1] * scale)))
        outlines = [(inside, colour, BREADTH) for inside, colour in _split_labels(mask, labels)]
        panels.append((plane, draw_outlines(shown if shown.shape[-1] == 3 else shown[..., 0], outlines, size)))
    tall = max(panel.height for _, panel in panels)
    row = Image.new("RGB", (sum(p.width + MARGIN for _, p in panels) - MARGIN, LINE + tall), PAPER)
    pen, left = ImageDraw.Draw(row), 0
    for plane, panel in panels:
        unit = f" in {channel.unit}" if channel.unit else ""
        write_line(pen, (left, 0), f"{channel.name}{unit}, {plane.name}", 15, FAINT, panel.width)
        corner = (left, LINE + (tall - panel.height) // 2)
        row.paste(panel, corner)
        if mask.grid.unit == "mm":
            mark_sides(pen, corner, panel.size, plane.sides)
        left += panel.width + MARGIN
    return row


def _cut_channel(channel: Channel, grid: Grid, plane: _Plane) -> npt.NDArray[Any]:
    """What a channel shows in a plane of a grid, (C, A, B); the first component, or the three of colours."""
    components = channel.voxels if len(channel.voxels) == 3 and grid.unit == "px" else channel.voxels[:1]
    if measure_displacement(channel.grid, grid) <= RECORDED_MM:
        return np.stack([one[plane.index] for one in components])
    ranges = [np.arange(n) if isinstance(i, slice) else [i] for i, n in zip(plane.index, grid.shape, strict=True)]
    indices = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
    shape = tuple(n for i, n in zip(plane.index, grid.shape, strict=True) if isinstance(i, slice))
    points = grid.to_world(indices.reshape(-1, 3))
    return np.stack([sample_image(one, channel.grid, points).reshape(shape) for one in components])


def _list_colours(mask: Mask) -> list[tuple[str, Colour]]:
    return [(label.name, label.colour) for label in mask.table.labels]


def _split_labels(mask: Mask, labels: npt.NDArray[Any]) -> Iterator[tuple[npt.NDArray[np.bool_], Colour]]:
    """Each label of a plane with its colour; objects that touch without the line between them."""
    if mask.kind == "classes":
        for label in mask.table.labels:
            yield labels == label.value, label.colour
        return
    drawn = labels > 0
    for axis, size in enumerate(labels.shape):
        low, high = (np.take(labels, range(*ends), axis) for ends in ((0, size - 1), (1, size)))
        first = tuple(slice(0, -1) if n == axis else slice(None) for n in range(2))
        drawn[first] &= (high == 0) | (high == low)
    yield drawn, mask.table.labels[0].colour


def draw_result(result: Result) -> Image.Image:
    """Draw a result through the middle of its largest lesion, or of the scan where there is none."""
    lesion = result.measures.find_largest()
    place = _find_inside(result.mask, lesion.centre_voxel) if lesion else [(n - 1) / 2 for n in result.mask.grid.shape]
    return draw_prediction(result.mask, list_channels(result.volumes), place, _title(result))


def _write(result: Result, path: Path) -> None:
    picture = draw_result(result)
    picture.save(path, format="PNG")
    with Image.open(path) as again:
        if not np.array_equal(np.asarray(again), np.asarray(picture)):
            raise ResourceError(path, "what was read back differs", "check the disk", code="output-differs")


def _find_inside(mask: Mask, centre: Sequence[float]) -> Sequence[float]:
    """The labelled voxel nearest to the centre of a lesion, which may lie outside of it."""
    low = [max(0, round(x) - NEAR) for x in centre]
    part = tuple(slice(start, round(x) + NEAR + 1) for start, x in zip(low, centre, strict=True))
    found = np.argwhere(mask.is_labelled()[part]) + low
    if not len(found):
        return centre
    return [float(x) for x in found[np.abs(found - np.asarray(centre)).max(axis=1).argmin()]]


def _title(result: Result) -> str:
    said = []
    for item in result.measures.structures:
        if item.whole:
            count = f"{item.lesion_count} objects, " if result.mask.kind == "instances" else ""
            size = f"{item.whole.volume:.3g} mL" if result.mask.grid.unit == "mm" else f"{item.whole.volume:.0f} px"
            said.append(f"{item.name} {count}{size}")
    return f"{result.name or result.algorithm.name}: {', '.join(said) or 'nothing found'}"


FORMAT = Format(name="picture", ending=".picture.png", unit=None, check=check_nothing, write=_write, read=None)
