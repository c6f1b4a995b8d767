"""Restrict a prediction to a box in the patient."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from medunet.errors import InputError
from medunet.geometry import Affine, Grid, spread_row
from medunet.labels import Mask

AXES = ("to the right (x)", "to the front (y)", "to the head (z)")
"""Directions of the axes of a box."""


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

    def clear_outside(self, mask: Mask) -> Mask:
        """Make all voxels background whose centre lies outside."""
        inside = np.ones(mask.grid.shape, dtype=np.bool_)
        for world in range(3):
            place = spread_row(mask.grid.affine[world], mask.grid.shape, np.float32)
            inside &= (place >= self.low[world]) & (place <= self.high[world])
        return replace(mask, voxels=np.where(inside, mask.voxels, np.zeros((), mask.voxels.dtype)))


def parse_box(text: str) -> Box:
    """A box from "x0:x1,y0:y1,z0:z1" in RAS mm.

    Raises:
        InputError: it is none.
    """
    try:
        (x0, x1), (y0, y1), (z0, z1) = ([float(end) for end in side.split(":")] for side in text.split(","))
    except ValueError:
        x0 = x1 = y0 = y1 = z0 = z1 = float("nan")
    if not (x0 < x1 and y0 < y1 and z0 < z1):
        raise InputError(
            f"--box {text}",
            "it is no box",
            "write it like -60:60,-40:80,900:1100, in mm to the right, front and head",
            code="option-wrong",
        )
    return Box((x0, y0, z0), (x1, y1, z1))
