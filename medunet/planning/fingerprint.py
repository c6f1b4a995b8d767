"""Measure a cohort once: spacings, shapes, components, label volumes, and intensities inside the labels."""

import logging
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from medunet.cohort import (
    Case,
    CaseFacts,
    Cohort,
    ImageFacts,
    agree_on_components,
    agree_on_labels,
    agree_on_unit,
    agree_on_values,
    compare_cases,
    gather_facts,
    measure_image,
    read_channel,
    read_label,
)
from medunet.geometry import Grid, Points, Unit, check_same_pixels
from medunet.progress import track
from medunet.reading import Volume
from medunet.records import Record

LOGGER = logging.getLogger(__name__)
SAMPLES = 10_000
"""Foreground voxels taken of one case, so that a large tumor counts no more than a small one."""


class ChannelStatistics(Record):
    """Intensities of one channel (of its first component) inside the labels, over all cases."""

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
    """Along the same axes; 1 where the images have no physical size."""
    label_ml: dict[str, float]
    """In voxels where the images have no physical size."""


class ObjectStatistics(Record):
    """Sizes of the objects of all cases, in mL, or in voxels where the images have no physical size."""

    count: int
    smallest: float
    """0.5th percentile."""
    median: float


class Fingerprint(Record):
    """What a plan is made from."""

    version: Literal[1] = 1
    unit: Unit = "mm"
    """"px" where the images have no physical size."""
    components: dict[str, int] = Field(default_factory=dict)
    """Components of a file of each channel; of grey and colour pictures the most. 1 where not named."""
    units: dict[str, str] = Field(default_factory=dict)
    """Of the values of each channel: HU, SUVbw, …; not named where no file says."""
    channels: dict[str, ChannelStatistics]
    cases: tuple[CaseMeasure, ...]
    objects: ObjectStatistics | None = None
    """Where labels number objects."""

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
        GeometryError: some images have a physical size and others don't, or pictures of a case differ in size.
        InputError: files of a channel differ in their components, or in the units of their values.
    """
    samples: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in cohort.channels}
    cases: list[CaseMeasure] = []
    sizes: list[npt.NDArray[np.float64]] = []
    facts: list[CaseFacts] = []
    for case in track(cohort.cases, "measuring cases", len(cohort.cases)):
        reference = read_channel(case, cohort.channels[0])
        mask = read_label(cohort, case, reference.grid, reference.source.frame_of_reference_uid)
        points = _sample_foreground(mask.voxels, reference.grid, seed=len(cases) + 1)
        images = {}
        for name, volume in _volumes(cohort, case, reference):
            images[name] = measure_image(volume)
            if len(points):
                samples[name].append(_intensities_at(volume, points))
        facts.append(gather_facts(case, images, mask))
        if mask.kind == "instances":
            sizes.append(mask.find_sizes().astype(np.float64) * mask.voxel_volume)
        cases.append(_measure_case(case, images[cohort.channels[0]], mask.volumes_ml()))
    unit = agree_on_unit(facts)
    agree_on_labels(facts)
    statistics = {name: _summarize(np.concatenate(values)) for name, values in samples.items()}
    most = {name: agree_on_components(name, facts) for name in cohort.channels}
    values = {name: found for name in cohort.channels if (found := agree_on_values(name, facts))}
    for odd in compare_cases(cohort, facts):
        if odd.severity == "warning":
            LOGGER.warning("%s: %s; %s", odd.subject, odd.found, odd.remedy)
    return Fingerprint(
        unit=unit,
        components=most,
        units=values,
        channels=statistics,
        cases=tuple(cases),
        objects=_summarize_objects(np.concatenate(sizes)) if sizes else None,
    )


def _summarize_objects(sizes: npt.NDArray[np.float64]) -> ObjectStatistics:
    smallest, median = np.percentile(sizes, [0.5, 50])
    return ObjectStatistics(count=len(sizes), smallest=float(f"{smallest:.4g}"), median=float(f"{median:.4g}"))


def _volumes(cohort: Cohort, case: Case, reference: Volume) -> Iterator[tuple[str, Volume]]:
    yield cohort.channels[0], reference
    for name in cohort.channels[1:]:
        volume = read_channel(case, name)
        check_same_pixels(volume.grid, reference.grid, volume.source.path, f"the {cohort.channels[0]} of its case")
        yield name, volume


def _measure_case(case: Case, reference: ImageFacts, label_ml: dict[str, float]) -> CaseMeasure:
    return CaseMeasure(
        id=case.id,
        shape=reference.shape,
        spacing_mm=reference.spacing,
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
