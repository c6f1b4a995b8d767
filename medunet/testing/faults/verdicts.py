"""Judges what a reader made of a scan, by content: every slice of the output is found again among the true ones.

So it doesn't matter which order and axes a reader chose; only where it puts each slice, and with what values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from medunet.geometry import ACCEPTED_MM, Affine
from medunet.testing.faults.scans import Scan, Slice

ALIKE = 0.9
"""Correlation from which a plane is taken for a slice; planes of different slices stay below 0.7."""
Volumes = Sequence[tuple[npt.NDArray[np.generic], Affine]]
"""Arrays, of three axes or of four with the last one counting volumes, and their affines to RAS."""
Axes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader delivered of a scan, against the truth.

    Attributes:
        millimetres: largest distance between where an affine puts the corner of a slice and where its header does.
        units: largest difference of a value, in units of the values (HU of a CT).
        delivered: slices that were found again.
        wanted: slices that had to be, of the groups that were delivered at all.
        invented: planes that resemble no slice.
        mixed: whether a volume holds slices of several groups.
    """

    millimetres: float
    units: float
    delivered: int
    wanted: int
    invented: int
    mixed: bool

    def is_right(self, millimetres: float = ACCEPTED_MM, units: float = 0.01) -> bool:
        """Whether every slice is there, in its place, with its values, and nothing else.

        Args:
            millimetres: the largest distance that is right.
            units: the largest difference of a value that is right.
        """
        whole = self.delivered == self.wanted > 0 and not self.invented and not self.mixed
        return whole and self.millimetres <= millimetres and self.units <= units


@dataclass(frozen=True, slots=True)
class _Match:
    number: int
    alike: float
    millimetres: float
    units: float


def judge(volumes: Volumes, scan: Scan) -> Verdict:
    """Compare the output of a reader with the truth.

    Args:
        volumes: what the reader made; several where it split the scan. Each has its axes in any order and direction,
            as its affine to RAS+ mm says; a fourth axis counts volumes of one affine.
        scan: what was written.

    Returns:
        What was found of the slices. A reader that delivers one of several images in full has done right by them.
    """
    matches: list[_Match] = []
    mixed, invented = False, 0
    for array, affine in _split(volumes):
        found = [_match_plane(plane, corners, scan.slices) for plane, corners in _find_planes(array, affine, scan)]
        known = [match for match in found if match.alike >= ALIKE]
        invented += len(found) - len(known)
        mixed |= len({scan.slices[match.number].group for match in known}) > 1
        matches += known
    seen = {match.number for match in matches}
    groups = {scan.slices[number].group for number in seen}
    wanted = {k for k, item in enumerate(scan.slices) if not item.extra and (item.group in groups or not groups)}
    return Verdict(
        millimetres=max((match.millimetres for match in matches), default=0.0),
        units=max((match.units for match in matches), default=0.0),
        delivered=len(seen & wanted),
        wanted=len(wanted),
        invented=invented,
        mixed=mixed,
    )


def _split(volumes: Volumes) -> Volumes:
    split = []
    for array, affine in volumes:
        squeezed = array.reshape(array.shape + (1,) * (3 - array.ndim))
        parts = [squeezed] if squeezed.ndim == 3 else list(np.moveaxis(squeezed, -1, 0))
        split += [(part, affine) for part in parts]
    return split


def _find_planes(array: npt.NDArray[np.generic], affine: Affine, scan: Scan) -> list[tuple[Axes, Axes]]:
    """Planes along the axis of slices, and the world positions (4, 3) of their corners in the order of `Slice`."""
    shapes = {tuple(sorted(item.values.shape)) for item in scan.slices}
    fitting = [axis for axis in range(3) if tuple(sorted(np.delete(array.shape, axis))) in shapes]
    if array.ndim != 3 or array.dtype.kind not in "biuf" or not fitting:
        return []
    axis = fitting[-1]
    rest = [n for n in range(3) if n != axis]
    planes = []
    for k in range(array.shape[axis]):
        index = np.zeros((4, 3))
        index[:, axis] = k
        index[:, rest] = list(product(*((0, array.shape[n] - 1) for n in rest)))
        plane = np.take(array, k, axis=axis).astype(np.float64)
        planes.append((plane, index @ affine[:3, :3].T + affine[:3, 3]))
    return planes


def _match_plane(plane: Axes, corners: Axes, slices: Sequence[Slice]) -> _Match:
    """The slice, in any of its eight orientations, that resembles a plane most; the nearest of equal ones."""
    best = _Match(-1, -1.0, np.inf, np.inf)
    for number, item in enumerate(slices):
        for turned, order in _turn(plane):
            if turned.shape != item.values.shape:
                continue
            alike = _correlate(turned, item.values)
            if alike < best.alike - 1e-9:
                continue
            millimetres = float(np.linalg.norm(corners[order] - item.corners(), axis=1).max())
            if alike > best.alike + 1e-9 or millimetres < best.millimetres:
                best = _Match(number, alike, millimetres, float(np.abs(turned - item.values).max()))
    return best


def _turn(plane: Axes) -> list[tuple[Axes, list[int]]]:
    """A plane in its eight orientations, each with the order of the corners that goes with it."""
    numbers = np.arange(4).reshape(2, 2)
    turned = []
    for swap, first, second in product((False, True), (1, -1), (1, -1)):
        order = (numbers.T if swap else numbers)[::first, ::second]
        turned.append(((plane.T if swap else plane)[::first, ::second], order.ravel().tolist()))
    return turned


def _correlate(first: Axes, second: Axes) -> float:
    one, other = first - first.mean(), second - second.mean()
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / size if size > 0 and np.isfinite(size) else -1.0
