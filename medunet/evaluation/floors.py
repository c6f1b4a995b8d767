"""Floors: predictors without a network; a network that doesn't beat them clearly has learnt little.

The ellipsoid looks at no image at all, only at the box that the image fills; the threshold looks at single voxels.
Both are fitted on the training cases of a fold and scored on the same cases as the network.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.cohort import find_body, keep_largest
from medunet.geometry import Grid
from medunet.parts import Voxels
from medunet.reading import Volume
from medunet.records import Record

Image = npt.NDArray[Any]
"""Intensities of one channel, (I, J, K), of any real type."""

THRESHOLDS = 160
"""Thresholds that are tried, at even quantiles of the intensities inside the truth."""
SAMPLES = 4096
"""Quantiles kept of one case in place of its voxels."""
VOXELS = 1_000_000
"""Voxels of one case that are looked at, evenly strided."""


class EllipsoidFloor(Record):
    """An ellipsoid of the mean place and size of the training cases; it looks at no intensities."""

    centre: tuple[float, float, float]
    """Place along right, front and head, as fractions of the image's box from 0 to 1."""
    half_axes: tuple[float, float, float]
    """Half-axes along the same directions, as fractions too; 0 where no training case holds the label: it then
    predicts nothing."""

    def predict(self, image: Image, grid: Grid) -> Voxels:
        """Draw the ellipsoid.

        Args:
            image: (I, J, K), not looked at.
            grid: where the result shall lie.

        Returns:
            (I, J, K) bool.
        """
        if min(self.half_axes) <= 0:
            return np.zeros(grid.shape, dtype=np.bool_)
        distance = np.zeros(grid.shape, dtype=np.float32)
        for world, (axis, flipped) in enumerate(_find_directions(grid)):
            fraction = (np.arange(grid.shape[axis]) + 0.5) / grid.shape[axis]
            fraction = 1 - fraction if flipped else fraction
            away = (fraction - self.centre[world]) / self.half_axes[world]
            distance += np.float32(away**2).reshape([-1 if n == axis else 1 for n in range(3)])
        inside: Voxels = distance <= 1
        return inside


class ThresholdFloor(Record):
    """All voxels of the body between two intensities, of which the largest part is kept, or all of a picture."""

    low: float | None
    """Least intensity inside; None is no bound."""
    high: float | None
    """Greatest intensity inside; None is no bound."""
    modality: str
    """DICOM modality; only CT is restricted to the body."""
    holds: bool = True
    """False where no training case holds the label, which predicts nothing."""
    largest: bool = True
    """Keep the largest part only; not of pictures, which show many objects."""

    def predict(self, image: Image, grid: Grid) -> Voxels:
        """Apply the thresholds.

        Args:
            image: (I, J, K), in the intensities of the training images (HU, SUV, …).
            grid: where it lies.

        Returns:
            (I, J, K) bool: the largest part in the 6-neighbourhood, or all.
        """
        if not self.holds:
            return np.zeros(image.shape, dtype=np.bool_)
        inside = np.isfinite(image)
        if self.low is not None:
            inside &= image >= self.low
        if self.high is not None:
            inside &= image <= self.high
        if self.modality == "CT":
            inside &= find_body(image, grid)
        return keep_largest(inside) if self.largest else inside


def take_intensities(volume: Volume) -> Image:
    """What floors look at, (I, J, K): the first component; of a picture the mean of its colours.

    The intensities of pictures carry no unit and their exposures differ, so each is a z-score, as for the network.
    """
    if volume.grid.unit == "mm":
        return np.asarray(volume.voxels[0])
    grey: Image = volume.voxels.mean(axis=0, dtype=np.float32)
    return np.asarray((grey - grey.mean()) / max(float(grey.std()), 1e-6))


class EllipsoidFit:
    """Fits the mean place and size, case by case: means of the centroid and of the half-axes.

    The half-axes of a case are half the sides of the box around its mask. As fractions of the image's box they
    make a stronger floor than in mm where images are cut around what is sought (on the sarcomas Dice 0.58, not 0.49).
    """

    def __init__(self) -> None:
        self._centres: list[list[float]] = []
        self._halves: list[list[float]] = []

    def add(self, mask: Voxels, grid: Grid) -> None:
        """Take a training case in, mask (I, J, K); an empty mask is passed over."""
        if not mask.any():
            return
        centre, half = [], []
        for axis, flipped in _find_directions(grid):
            profile = np.count_nonzero(mask, axis=tuple(n for n in range(3) if n != axis))
            filled = np.flatnonzero(profile)
            fraction = float((profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum() / len(profile))
            centre.append(1 - fraction if flipped else fraction)
            half.append((filled[-1] - filled[0] + 1) / len(profile) / 2)
        self._centres.append(centre)
        self._halves.append(half)

    def finish(self) -> EllipsoidFloor:
        """Give the floor; it predicts nothing where no case held the label."""
        if not self._centres:
            return EllipsoidFloor(centre=(0.5, 0.5, 0.5), half_axes=(0.0, 0.0, 0.0))
        return EllipsoidFloor(
            centre=_triple(np.mean(self._centres, axis=0)), half_axes=_triple(np.mean(self._halves, axis=0))
        )


class ThresholdFit:
    """Fits the interval of intensities, open at either end or at neither, with the best mean Dice over the cases.

    Each case leaves quantiles of its intensities inside the body and inside the truth, from which the Dice of
    every interval follows to about 1 / 4096; the largest part is not part of the fit.

    Args:
        modality: DICOM modality of the images; for CT only the body is looked at.
    """

    def __init__(self, modality: str) -> None:
        self._modality = modality
        self._largest = True
        self._everywhere: list[Image] = []
        self._inside: list[Image] = []
        self._volumes: list[tuple[int, int, int]] = []

    def add(self, image: Image, mask: Voxels, grid: Grid, known: Voxels | None = None) -> None:
        """Take the known voxels of a training case in, all (I, J, K); an empty mask is passed over."""
        self._largest = grid.unit == "mm"
        if not mask.any():
            return
        where = np.isfinite(image)
        if self._modality == "CT":
            where &= find_body(image, grid)
        if known is not None:
            where &= known
        self._everywhere.append(_take_quantiles(image, where))
        self._inside.append(_take_quantiles(image, where & mask))
        self._volumes.append(
            (int(np.count_nonzero(where)), int(np.count_nonzero(where & mask)), int(np.count_nonzero(mask)))
        )

    def finish(self) -> ThresholdFloor:
        """Give the floor; it predicts nothing where no case held the label."""
        filled = [values for values in self._inside if len(values)]
        if not filled:
            return ThresholdFloor(low=None, high=None, modality=self._modality, holds=False, largest=self._largest)
        bounds = np.unique(np.quantile(np.concatenate(filled), np.linspace(0, 1, THRESHOLDS)))
        # Row 0 is "no lower bound", the last column "no upper bound".
        dice = np.zeros((len(bounds) + 1, len(bounds) + 1))
        cases = zip(self._everywhere, self._inside, self._volumes, strict=True)
        for values, within, (count, count_within, count_truth) in cases:
            predicted = _count_between(values, bounds) * count
            common = _count_between(within, bounds) * count_within
            dice += 2 * common / (predicted + count_truth)
        row, column = np.unravel_index(np.argmax(dice), dice.shape)
        low = None if row == 0 else float(bounds[row - 1])
        high = None if column == len(bounds) else float(bounds[column])
        return ThresholdFloor(low=low, high=high, modality=self._modality, largest=self._largest)


def _find_directions(grid: Grid) -> tuple[tuple[int, bool], ...]:
    """For right, front and head the voxel axis, and whether its index runs the other way."""
    return tuple((axis, bool(grid.affine[world, axis] < 0)) for world, axis in enumerate(grid.nearest_axes()))


def _take_quantiles(image: Image, where: Voxels) -> Image:
    """Sorted intensities inside `where`, (N,), thinned to at most 4096."""
    values = image[where]
    values = np.sort(values[:: max(1, len(values) // VOXELS)])
    if len(values) <= SAMPLES:
        return values
    # The middles of equal parts of the sorted values: each stands for as many voxels as the next.
    middles: Image = values[((np.arange(SAMPLES) + 0.5) * len(values) / SAMPLES).astype(int)]
    return middles


def _count_between(values: Image, bounds: Image) -> npt.NDArray[np.float64]:
    """Share of sorted values in every interval: rows are lower bounds (first none), columns upper ones (last none)."""
    below = np.concatenate([[0], np.searchsorted(values, bounds, side="left")])
    upto = np.concatenate([np.searchsorted(values, bounds, side="right"), [len(values)]])
    shares: npt.NDArray[np.float64] = np.maximum(0, upto[None, :] - below[:, None]) / max(1, len(values))
    return shares


def _triple(values: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
