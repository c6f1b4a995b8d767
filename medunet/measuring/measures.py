"""Measure one case: what plans, checks and folds need to know of it when its voxels are gone."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydantic import Field

from medunet.cohort import (
    Case,
    CaseFacts,
    Cohort,
    check_patients,
    find_apart,
    gather_facts,
    measure_body,
    measure_image,
    open_case,
    read_channel,
)
from medunet.findings import Finding, handing_to, tell
from medunet.geometry import Grid, Points, check_same_pixels
from medunet.reading import Volume
from medunet.records import Record

SAMPLES = 10_000
"""Foreground voxels taken of one case, so that a large tumor counts no more than a small one."""
Line = tuple[int, str, str]
"""Level, logger and message of what was logged."""
Said = Finding | Line
"""What was warned of or logged."""


class ChannelStatistics(Record):
    """Intensities of one channel (of its first component) inside the labels."""

    mean: float
    """Mean of the intensities."""
    sd: float
    """Their standard deviation."""
    low: float
    """0.5th percentile."""
    high: float
    """99.5th percentile."""


class ValueRange(Record):
    """Values of whole images of one channel (of all components), each number with its least and its largest case."""

    low: tuple[float, float]
    """0.5th percentile."""
    middle: tuple[float, float]
    """Median."""
    high: tuple[float, float]
    """99.5th percentile."""


class CaseMeasure(Record):
    """What was measured of one case, on the grid of its first channel."""

    id: str
    """Name of the case; in a bundle its number."""
    shape: tuple[int, int, int]
    """Voxels along the axes nearest to x, y, z."""
    spacing_mm: tuple[float, float, float]
    """Spacing along the same axes; 1 where the images have no physical size."""
    label_ml: dict[str, float]
    """Volume of each label that was looked for in mL, by its name; in voxels where the images have no physical size."""
    unknown: tuple[str, ...] = ()
    """Names of labels that nobody looked for."""
    body_shape: tuple[int, int, int] | None = None
    """Voxels of the box around the body, along the same axes: the largest piece of a CT above -400 HU or of a PET
    above 0.1 SUV, to within 4 mm; of other images what isn't 0, as Isensee 2021 crops."""
    intensities: dict[str, ChannelStatistics] = Field(default_factory=dict)
    """Intensities inside the labels, by channel; none without any label."""
    pieces: dict[str, int] = Field(default_factory=dict)
    """Connected components of each label, of voxels that share a corner."""
    at_border: dict[str, bool] = Field(default_factory=dict)
    """Whether a label touches the border of the image (of a picture, in its plane)."""
    voxel_bytes: int = 0
    """Bytes of all channels as they are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Everything that is kept of a case.

    Attributes:
        measure: for the fingerprint.
        facts: for comparing it with other cases.
        samples: by channel, (N,) intensities of at most `SAMPLES` voxels inside the labels.
        said: what was warned of or logged while it was measured.
        objects: (N,) sizes of the objects that labels number, in mL, or in voxels of pictures; none of classes.
    """

    measure: CaseMeasure
    facts: CaseFacts
    samples: dict[str, npt.NDArray[np.float32]]
    said: tuple[Said, ...]
    objects: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def measure_case(cohort: Cohort, case: Case) -> Measured:
    """Read every image of a case once, one in memory beside its labels, and measure it.

    Raises:
        MedunetError: an image or the labels can't be read, pictures of the case differ in size, or its channels are of
            several patients.
    """
    images, samples, size, body = {}, {}, 0, (0, 0, 0)
    grids: dict[str, Grid] = {}
    with _listening() as said:
        reference, mask = open_case(cohort, case)
        points = _sample_foreground(mask.is_labelled(), reference.grid)
        body = measure_body(reference, cohort.modalities[cohort.channels[0]])
        volumes = _open_volumes(cohort, case, reference)
        del reference
        for name, volume in volumes:
            images[name], grids[name] = measure_image(volume), volume.grid
            samples[name] = _take_intensities(volume, points)
            size += volume.voxels.nbytes
            del volume
        check_patients({name: image.source.patient_id for name, image in images.items()}, f"case {case.id}")
        for odd in find_apart(grids, case.id):
            tell(odd)
        facts = gather_facts(case, images, mask)
        voxel_ml = mask.voxel_volume
        objects = mask.find_sizes().astype(np.float64) * voxel_ml if mask.kind == "instances" else np.empty(0)
    first, labels = images[cohort.channels[0]], facts.labels or {}
    axes = range(2 if first.unit == "px" else 3)
    measure = CaseMeasure(
        id=case.id,
        shape=first.shape,
        spacing_mm=first.spacing,
        label_ml={
            name: round(labels[name].voxels * voxel_ml, 4) if name in labels else 0.0
            for name in cohort.labels.names
            if name not in facts.unknown
        },
        unknown=facts.unknown,
        body_shape=body,
        intensities={name: summarize(values) for name, values in samples.items() if len(values)},
        pieces={name: label.pieces for name, label in labels.items()},
        at_border={name: any(0 in label.margins[axis] for axis in axes) for name, label in labels.items()},
        voxel_bytes=size,
    )
    return Measured(measure, facts, samples, tuple(said), objects)


@contextmanager
def _listening() -> Iterator[list[Said]]:
    """Keep what medunet warns of or logs instead of showing it, so that it can be shown in the order of the cases."""
    logger = logging.getLogger("medunet")
    said: list[Said] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: said.append((record.levelno, record.name, record.getMessage()))  # type: ignore[method-assign]
    before = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    try:
        with handing_to(said.append):
            yield said
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


def _open_volumes(cohort: Cohort, case: Case, reference: Volume) -> Iterator[tuple[str, Volume]]:
    grid = reference.grid
    yield cohort.channels[0], reference
    del reference
    for name in cohort.channels[1:]:
        volume = read_channel(case, name)
        check_same_pixels(volume.grid, grid, volume.source.path, f"the {cohort.channels[0]} of its case")
        yield name, volume
        del volume


def _sample_foreground(labelled: npt.NDArray[np.bool_], grid: Grid) -> Points:
    """World positions of some voxels of labels, found plane by plane, since labels of a whole body hold millions."""
    ends = np.cumsum([np.count_nonzero(plane) for plane in labelled])
    chosen = np.arange(ends[-1])
    if len(chosen) > SAMPLES:
        chosen = np.sort(np.random.default_rng(1).choice(ends[-1], SAMPLES, replace=False))
    found = []
    for plane, end in enumerate(ends):
        start = ends[plane - 1] if plane else 0
        here = chosen[(chosen >= start) & (chosen < end)] - start
        if len(here):
            inside = np.argwhere(labelled[plane])[here]
            found.append(np.column_stack([np.full(len(inside), plane), inside]))
    return grid.to_world(np.concatenate(found) if found else np.empty((0, 3)))


def _take_intensities(volume: Volume, points: Points) -> npt.NDArray[np.float32]:
    nearest = np.rint(volume.grid.to_voxel(points)).astype(int)
    inside = np.all((nearest >= 0) & (nearest < volume.grid.shape), axis=1)
    i, j, k = nearest[inside].T
    values: npt.NDArray[np.float32] = volume.voxels[0, i, j, k].astype(np.float32)
    return values


def summarize(values: npt.NDArray[np.float32]) -> ChannelStatistics:
    """Statistics of intensities, at least one."""
    low, high = np.percentile(values, [0.5, 99.5])
    return ChannelStatistics(
        mean=round(float(values.mean()), 4),
        sd=round(max(float(values.std()), 1e-6), 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
    )
