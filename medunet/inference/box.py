"""Restrict a prediction to a box in the patient, and tell when a scan shows far more than training saw."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch

from medunet.errors import InputError
from medunet.geometry import Affine, Grid, spread_row
from medunet.labels import Mask

LOGGER = logging.getLogger(__name__)
MUCH_LARGER = 1.5
"""Times the largest extent in training from which a scan is told to be larger."""


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
            ends = grid.corners()
            sides = zip(ends.min(axis=0), ends.max(axis=0), strict=True)
            seen = ",".join(f"{a:.0f}:{b:.0f}" for a, b in sides)
            raise InputError(
                f"--box {self.describe()}",
                f"it lies outside of {subject}",
                "choose one inside",
                seen,
                code="option-wrong",
            )
        moved = np.array(affine)
        moved[:3, 3] = grid.to_world(start)
        part = image[(slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))]
        return part, moved

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


def warn_if_larger(grid: Grid, extent_mm: tuple[float, float, float] | None, subject: str) -> None:
    """Warn where a scan is far larger than every one of training: what lies outside of their kind is guesswork.

    Args:
        grid: of the scan's first channel.
        extent_mm: largest extents in training along x, y, z, where they are known.
        subject: name of the scan.
    """
    if extent_mm is None:
        return
    own = [grid.shape[axis] * grid.spacing[axis] for axis in grid.nearest_axes()]
    if any(size > MUCH_LARGER * limit for size, limit in zip(own, extent_mm, strict=True)):
        shown, seen = (" × ".join(f"{size:.0f}" for size in sizes) for sizes in (own, extent_mm))
        LOGGER.warning(
            "%s: it shows %s mm, training saw at most %s mm; restrict it with --box to where the finding is",
            subject,
            shown,
            seen,
        )
