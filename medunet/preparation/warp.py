"""Random changes of a patch's shape: rotation, scaling, elastic deformation and misaligned channels, resampled once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

CONTROL_POINTS = 6
"""Control points of the elastic deformation along each axis; three of their distances lie in the patch."""
BEND = 0.25
"""Largest move of a control point as a share of their distance; cubic B-splines fold from 0.4 on (Choi & Lee 2000)."""


@dataclass(frozen=True, slots=True)
class Warped:
    """Where a patch takes its voxels from.

    Attributes:
        offsets: (3, I, J, K), voxels of the case from the point that the patch's middle shows, float64.
        shifts: (channels, 3) voxels by which each channel is out of place, if any is.
    """

    offsets: npt.NDArray[np.float64]
    shifts: npt.NDArray[np.float64] | None


class Warp:
    """Draws patches, some of them turned, scaled and bent, each by itself as Isensee 2021 does.

    Turns and sizes are in mm, so that no anatomy is sheared where voxels are longer along one axis.

    Args:
        patch: voxels (I, J, K); an axis of 1 stays as it is.
        spacing_mm: of a voxel, (I, J, K).
        angles: largest turn about each axis, in radians.
        scales: smallest and largest size of things in the patch, log-uniform between.
        probabilities: of a turn, of another size, of bending, of misaligned channels.
        channels: input of the network at which each channel begins.
        shift_mm: largest misalignment of a channel but the first, along each axis.
    """

    def __init__(
        self,
        patch: Sequence[int],
        spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
        angles: Sequence[float] = (0.0, 0.0, 0.0),
        scales: tuple[float, float] = (1.0, 1.0),
        probabilities: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
        channels: Sequence[int] = (0,),
        shift_mm: float = 0.0,
    ) -> None:
        self.patch = np.array(patch)
        self._spacing = np.asarray(spacing_mm, dtype=float)
        self._angles = np.asarray(angles, dtype=float)
        self._scales = np.log(scales)
        self._probabilities = np.asarray(probabilities)
        self._channels = [*channels]
        self._shift = shift_mm / self._spacing
        self._bases = [_spline_basis(size) for size in patch]

    def draw(self, random: np.random.Generator) -> Warped | None:
        """How the next patch is changed; None if it stays as it is."""
        turns, scales, bends, misaligned = random.random(4) < self._probabilities
        if not (turns or scales or bends or misaligned):
            return None
        size = self.patch
        matrix = np.eye(3)
        if turns:
            matrix = _rotate(random.uniform(-self._angles, self._angles))
        if scales:
            matrix = matrix / np.exp(random.uniform(*self._scales))
        flat = size == 1
        matrix[flat], matrix[:, flat] = 0.0, 0.0
        grid = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in size), indexing="ij"))
        if bends:
            grid += self._bend_by(random)
        in_mm = matrix * self._spacing[None] / self._spacing[:, None]
        offsets = np.tensordot(in_mm, grid, axes=1)
        shifts = None
        if misaligned:
            shifts = random.uniform(-self._shift, self._shift, (len(self._channels), 3))
            shifts[0], shifts[:, flat] = 0.0, 0.0
        return Warped(offsets, shifts)

    def _bend_by(self, random: np.random.Generator) -> npt.NDArray[np.float64]:
        distance = (self.patch - 1) / (CONTROL_POINTS - 3)
        points = random.uniform(-BEND, BEND, (3, *[CONTROL_POINTS] * 3)) * distance[:, None, None, None]
        return np.einsum("xabc,ia,jb,kc->xijk", points, *self._bases, optimize=True)

    def sample(
        self, image: torch.Tensor, label: torch.Tensor, warped: Warped, at: npt.NDArray[np.float64]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A patch of `image` (C, I, J, K) linearly and of `label` (1, I, J, K) by nearest voxel.

        Further channels of `label` are probabilities, which are taken linearly.

        Outside lie the outermost voxels: 0 is the mean intensity of labels, and would teach that what looks like a
        lesion near the border isn't one.

        Args:
            image: float32.
            label: float32.
            warped: what `draw` returned.
            at: voxel that the middle of the patch shows.
        """
        places = warped.offsets + at[:, None, None, None]
        values = _resample(label[:1], places, "nearest")
        if len(label) > 1:
            values = torch.cat([values, _resample(label[1:], places, "bilinear")])
        if warped.shifts is None:
            return _resample(image, places, "bilinear"), values
        ends = [*self._channels[1:], len(image)]
        parts = [
            _resample(image[begin:end], places + shift[:, None, None, None], "bilinear")
            for begin, end, shift in zip(self._channels, ends, warped.shifts, strict=True)
        ]
        return torch.cat(parts), values


def find_box(
    warped: Warped, at: npt.NDArray[np.float64], lowest: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First voxel and size of what a patch with its middle at `at` needs of the voxels from `lowest` up to `end`."""
    flat = warped.offsets.reshape(3, -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    if warped.shifts is not None:
        low, high = low + warped.shifts.min(axis=0), high + warped.shifts.max(axis=0)
    first = np.clip(np.floor(low + at).astype(np.int64), lowest, end - 1)
    last = np.clip(np.ceil(high + at).astype(np.int64), first, end - 1)
    return first, last - first + 1


def _resample(volume: torch.Tensor, places: npt.NDArray[np.float64], mode: str) -> torch.Tensor:
    size = np.array(volume.shape[1:])
    # grid_sample counts from -1 to 1 between the middles of the outer voxels, last axis first.
    scaled = 2 * places / np.maximum(size - 1, 1)[:, None, None, None] - 1
    scaled[size == 1] = 0.0
    grid = torch.from_numpy(np.ascontiguousarray(scaled[::-1].transpose(1, 2, 3, 0), dtype=np.float32))
    return functional.grid_sample(volume[None], grid[None], mode=mode, padding_mode="border", align_corners=True)[0]


def _rotate(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (n for n in range(3) if n != axis)
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def _spline_basis(size: int) -> npt.NDArray[np.float64]:
    """(size, CONTROL_POINTS): weights of the control points at each voxel, by the uniform cubic B-spline."""
    at = np.linspace(0.0, CONTROL_POINTS - 3, size) if size > 1 else np.array([(CONTROL_POINTS - 3) / 2])
    piece = np.minimum(at.astype(int), CONTROL_POINTS - 4)
    t = at - piece
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    basis = np.zeros((size, CONTROL_POINTS))
    np.put_along_axis(basis, piece[:, None] + np.arange(4), weights, axis=1)
    return basis
