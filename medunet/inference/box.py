"""Restrict a prediction to a box in the patient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from medunet.cohort.body import BODY_HU, BODY_STEP_MM
from medunet.errors import InputError
from medunet.geometry import Affine, Grid, spread_row
from medunet.large_parts import cut_slabs
from medunet.parts import Voxels

AXES = ("to the right (x)", "to the front (y)", "to the head (z)")
"""Directions of the axes of a box."""
AT_ONCE = 1 << 22
"""Voxels that are compared with a box at once."""
BODY_PART = 0.2
"""Parts of at least this share of the largest one are of the body as well: two legs, but not the table."""
BODY_MARGIN_MM = 8.0
"""Around the body, whose border is found in steps of `BODY_STEP_MM`."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box with edges along right, front and head of the patient.

    Attributes:
        low: RAS mm of its left, back, lower corner.
        high: RAS mm of its right, front, upper corner.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def describe(self) -> str:
        """The box as text that `parse_box` takes."""
        return ",".join(f"{a:g}:{b:g}" for a, b in zip(self.low, self.high, strict=True))

    def crop(self, image: torch.Tensor, affine: Affine, subject: str) -> tuple[torch.Tensor, Affine]:
        """Cut the part of a prepared image that holds the box.

        Args:
            image: (C, I, J, K).
            affine: (4, 4) voxel index to RAS mm.
            subject: name of the scan, for messages.

        Returns:
            A view of the part, and its affine.

        Raises:
            InputError: the box lies outside of the image.
        """
        corners = np.array(np.meshgrid(*zip(self.low, self.high, strict=True))).reshape(3, -1).T
        grid = Grid(image.shape[1:], affine)  # type: ignore[arg-type]
        indices = grid.to_voxel(corners)
        start = np.maximum(np.floor(indices.min(axis=0)).astype(int), 0)
        stop = np.minimum(np.ceil(indices.max(axis=0)).astype(int) + 1, grid.shape)
        if (stop <= start).any():
            raise self._miss(grid, subject)
        moved = np.array(affine)
        moved[:3, 3] = grid.to_world(start)
        part = image[(slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))]
        return part, moved

    def _miss(self, grid: Grid, subject: str) -> InputError:
        """The error of a box outside, with the place of the scan in mm as `--box` is written."""
        ends = grid.to_world(grid.corners() + np.where(grid.corners() > 0, 0.5, -0.5))
        shown = [(float(low), float(high)) for low, high in zip(ends.min(axis=0), ends.max(axis=0), strict=True)]
        sides = zip(AXES, self.low, self.high, shown, strict=True)
        off = [
            f"{axis} it goes from {low:g} to {high:g} mm, the scan from {first:.0f} to {last:.0f} mm"
            for axis, low, high, (first, last) in sides
            if high < first or low > last
        ]
        said = f"it lies outside of {subject}{': ' if off else ''}{'; '.join(off)}"
        inside = ",".join(f"{low:.0f}:{high:.0f}" for low, high in shown)
        expected = f"a part of {inside}, in mm to the right, front and head"
        return InputError(f"--box {self.describe()}", said, "choose one inside", expected, code="option-wrong")

    def find_outside(self, grid: Grid) -> Iterator[tuple[slice, Voxels]]:
        """Which voxels of a grid have their centre outside, a few planes along its first axis at a time."""
        return find_beyond(grid, np.eye(4), self.low, self.high)


def find_beyond(
    grid: Grid, frame: Affine, low: Sequence[float], high: Sequence[float]
) -> Iterator[tuple[slice, Voxels]]:
    """Which voxels of a grid have their centre below or above bounds, a few planes along its first axis at a time.

    Args:
        grid: whose voxels they are.
        frame: (4, 4), from the world to the axes along which the bounds lie.
        low: along each axis.
        high: along each axis.
    """
    for planes in cut_slabs(grid.shape, AT_ONCE):
        part = grid.take_planes(planes)
        outside = np.zeros(part.shape, dtype=np.bool_)
        for row, least, most in zip(frame @ part.affine, low, high, strict=False):
            place = spread_row(row, part.shape, np.float32)
            outside |= (place < least) | (place > most)
        yield planes, outside


def parse_box(text: str) -> Box:
    """A box from "x0:x1,y0:y1,z0:z1" in RAS mm.

    Raises:
        InputError: it is none.
    """
    try:
        (x0, x1), (y0, y1), (z0, z1) = ([float(end) for end in side.split(":")] for side in text.split(","))
    except ValueError:
        x0 = x1 = y0 = y1 = z0 = z1 = float("nan")
    for axis, low, high in (("x", x0, x1), ("y", y0, y1), ("z", z0, z1)):
        if low >= high:
            runs = f"{axis} runs from {low:g} down to {high:g}" if low > high else f"{axis} is {low:g} at both ends"
            remedy = "swap them" if low > high else "write a larger second end"
            raise InputError(f"--box {text}", runs, remedy, code="option-wrong")
    if not (x0 < x1 and y0 < y1 and z0 < z1):
        raise InputError(
            f"--box {text}",
            "it is no box",
            "write it like -60:60,-40:80,900:1100, in mm to the right, front and head",
            code="option-wrong",
        )
    return Box((x0, y0, z0), (x1, y1, z1))


@dataclass(frozen=True, slots=True)
class BodyBox:
    """The box around a body, and what it leaves out.

    Attributes:
        box: in the patient.
        share: of the scan's volume, inside.
        left_ml: volume in mL above -400 HU that lies outside, as of a table.
    """

    box: Box
    share: float
    left_ml: float

    def describe(self) -> str:
        """What was done, in words."""
        left = f", {self.left_ml:.0f} mL above {BODY_HU:g} HU lie outside" if self.left_ml else ""
        return f"only the box around the body was predicted, {self.share:.0%} of the scan{left} ({self.box.describe()})"


def find_body_box(image: npt.NDArray[np.generic], grid: Grid) -> BodyBox | None:
    """Find the box around the body in a CT: around its largest part above -400 HU and others nearly as large.

    Args:
        image: (I, J, K) in HU.
        grid: where it lies.

    Returns:
        The box with a margin of 8 mm; None where that is the whole scan, or nothing is above -400 HU.
    """
    steps = tuple(max(1, int(BODY_STEP_MM / size)) for size in grid.spacing)
    dense = np.greater(image[tuple(slice(None, None, step) for step in steps)], BODY_HU)
    parts, _ = ndimage.label(dense)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    if not sizes.any():
        return None
    found = ndimage.find_objects(parts)
    body = [found[number - 1] for number in np.flatnonzero(sizes >= BODY_PART * sizes.max())]
    margin = [int(np.ceil(BODY_MARGIN_MM / size)) for size in grid.spacing]
    low = [max(0, min(box[n].start for box in body) * steps[n] - margin[n]) for n in range(3)]
    last = [size - 1 for size in grid.shape]
    high = [min(last[n], (max(box[n].stop for box in body)) * steps[n] - 1 + margin[n]) for n in range(3)]
    if low == [0, 0, 0] and high == last:
        return None
    inside = tuple(slice(-(-a // step), b // step + 1) for a, b, step in zip(low, high, steps, strict=True))
    # Of the body nothing lies outside.
    left = int(np.count_nonzero(dense)) - int(np.count_nonzero(dense[inside]))
    ends = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
    corners = np.round(grid.to_world(ends), 3)
    box = Box(tuple(corners.min(axis=0).tolist()), tuple(corners.max(axis=0).tolist()))
    share = float(np.prod([(b - a + 1) / n for a, b, n in zip(low, high, grid.shape, strict=True)]))
    return BodyBox(box, share, left * float(np.prod(steps)) * grid.voxel_volume / 1000)
