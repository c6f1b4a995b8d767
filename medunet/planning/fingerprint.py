"""Measure a cohort once: spacings, shapes, label volumes, and intensities inside the labels."""

import logging
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from medunet.cohort import Case, Cohort, read_channel, read_label
from medunet.errors import LabelError
from medunet.geometry import Grid, Points
from medunet.progress import track
from medunet.reading import Volume
from medunet.records import Record

LOGGER = logging.getLogger(__name__)
SAMPLES = 10_000
"""Foreground voxels taken of one case, so that a large tumor counts no more than a small one."""


class ChannelStatistics(Record):
    """Intensities of one channel inside the labels, over all cases."""

    mean: float
    sd: float
    low: float
    """0.5th percentile."""
    high: float
    """99.5th percentile."""


class CaseMeasure(Record):
    """What was measured of one case, on the grid of its first channel."""

    id: str
    shape: tuple[int, int, int]
    """Voxels along the axes nearest to x, y, z."""
    spacing_mm: tuple[float, float, float]
    """Along the same axes."""
    label_ml: dict[str, float]


class Fingerprint(Record):
    """What a plan is made from."""

    version: Literal[1] = 1
    channels: dict[str, ChannelStatistics]
    cases: tuple[CaseMeasure, ...]

    def median_shape_at(self, spacing_mm: tuple[float, float, float]) -> tuple[int, int, int]:
        """Median over cases of the shape (x, y, z) after resampling to a spacing."""
        shapes = [np.array(case.shape) * case.spacing_mm / np.array(spacing_mm) for case in self.cases]
        median = np.maximum(1, np.round(np.median(shapes, axis=0))).astype(int)
        return int(median[0]), int(median[1]), int(median[2])

    def largest_extent(self) -> tuple[float, float, float]:
        """Largest extents of the cases along x, y, z in mm."""
        x, y, z = np.max([np.array(case.shape) * case.spacing_mm for case in self.cases], axis=0)
        return round(float(x), 1), round(float(y), 1), round(float(z), 1)


def measure_cohort(cohort: Cohort) -> Fingerprint:
    """Read every case once, one in memory at a time.

    Raises:
        LabelError: no case holds any label.
    """
    samples: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in cohort.channels}
    cases = []
    for case in track(cohort.cases, "measuring cases", len(cohort.cases)):
        reference = read_channel(case, cohort.channels[0])
        mask = read_label(cohort, case, reference.grid)
        cases.append(_measure_case(case, reference.grid, mask.volumes_ml()))
        points = _sample_foreground(mask.voxels, reference.grid, seed=len(cases))
        if len(points) == 0:
            LOGGER.warning("%s: it holds no label, so it teaches background only", case.id)
            continue
        for name, volume in _volumes(cohort, case, reference):
            samples[name].append(_intensities_at(volume, points))
    if not any(samples.values()):
        raise LabelError("cohort", "no case holds any voxel of a label", "check the contours or label maps")
    statistics = {name: _summarize(np.concatenate(values)) for name, values in samples.items()}
    return Fingerprint(channels=statistics, cases=tuple(cases))


def _volumes(cohort: Cohort, case: Case, reference: Volume) -> Iterator[tuple[str, Volume]]:
    yield cohort.channels[0], reference
    for name in cohort.channels[1:]:
        yield name, read_channel(case, name)


def _measure_case(case: Case, grid: Grid, label_ml: dict[str, float]) -> CaseMeasure:
    x, y, z = grid.nearest_axes()
    shape, spacing = grid.shape, grid.spacing
    return CaseMeasure(
        id=case.id,
        shape=(shape[x], shape[y], shape[z]),
        spacing_mm=(spacing[x], spacing[y], spacing[z]),
        label_ml={name: round(volume, 4) for name, volume in label_ml.items()},
    )


def _sample_foreground(voxels: npt.NDArray[np.unsignedinteger], grid: Grid, seed: int) -> Points:
    indices = np.argwhere(voxels > 0)
    if len(indices) > SAMPLES:
        indices = indices[np.random.default_rng(seed).choice(len(indices), SAMPLES, replace=False)]
    return grid.to_world(indices)


def _intensities_at(volume: Volume, points: Points) -> npt.NDArray[np.float32]:
    nearest = np.rint(volume.grid.to_voxel(points)).astype(int)
    inside = np.all((nearest >= 0) & (nearest < volume.grid.shape), axis=1)
    i, j, k = nearest[inside].T
    values: npt.NDArray[np.float32] = volume.voxels[0, i, j, k].astype(np.float32)
    return values


def _summarize(values: npt.NDArray[np.float32]) -> ChannelStatistics:
    low, high = np.percentile(values, [0.5, 99.5])
    return ChannelStatistics(
        mean=round(float(values.mean()), 4),
        sd=round(max(float(values.std()), 1e-6), 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
    )
