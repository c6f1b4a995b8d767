"""Measure a cohort once: spacings, shapes, components, label volumes, and intensities inside the labels."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from medunet.cohort import (
    Cohort,
    ImageFacts,
    agree_on_components,
    agree_on_labels,
    agree_on_missing,
    agree_on_modality,
    agree_on_unit,
    agree_on_values,
    compare_cases,
    find_opposite,
    find_rare_labels,
    make_absolute,
)
from medunet.errors import InputError
from medunet.findings import Finding, tell
from medunet.geometry import Unit
from medunet.machine import compare_peak
from medunet.measuring.crew import measure_missing, predict_measuring
from medunet.measuring.measures import CaseMeasure, ChannelStatistics, Measured, Said, ValueRange, summarize
from medunet.measuring.store import Store, open_store, read_entry, stamp_case
from medunet.records import Record
from medunet.sides import Sides


class ObjectStatistics(Record):
    """Sizes of the objects of all cases, in mL, or in voxels where the images have no physical size."""

    count: int
    """How many objects there are."""
    smallest: float
    """0.5th percentile."""
    median: float
    """Median size."""


class Fingerprint(Record):
    """What a plan is made from."""

    version: Literal[1] = 1
    """Version of this record."""
    unit: Unit = "mm"
    """"px" where the images have no physical size."""
    components: dict[str, int] = Field(default_factory=dict)
    """Components of a file of each channel; of grey and colour pictures the most. 1 where not named."""
    units: dict[str, str] = Field(default_factory=dict)
    """Unit of the values of each channel (HU, SUVbw, …), by its name; left out where no file says."""
    channels: dict[str, ChannelStatistics]
    """Intensities of each channel inside the labels of all cases, by its name."""
    cases: tuple[CaseMeasure, ...]
    """What was measured of each case."""
    values: dict[str, ValueRange] = Field(default_factory=dict)
    """Values of the whole images of each channel, by its name."""
    objects: ObjectStatistics | None = None
    """Where labels number objects."""
    sides: Sides = ()
    """Labels that lie like mirror images on both sides of the midline, the left one first."""

    def median_shape_at(
        self, spacing_mm: tuple[float, float, float], order: tuple[int, int, int] = (0, 1, 2)
    ) -> tuple[int, int, int]:
        """Median over cases of the shape after resampling to a spacing.

        Args:
            spacing_mm: along the axes of `order`.
            order: of x, y and z, which each axis of the result runs along.
        """
        axes = list(order)
        shapes = [(np.array(case.shape) * case.spacing_mm)[axes] / np.array(spacing_mm) for case in self.cases]
        median = np.maximum(1, np.round(np.median(shapes, axis=0))).astype(int)
        return int(median[0]), int(median[1]), int(median[2])

    def largest_extent(self) -> tuple[float, float, float]:
        """Largest extents of the cases along x, y, z in mm."""
        x, y, z = np.max([np.array(case.shape) * case.spacing_mm for case in self.cases], axis=0)
        return round(float(x), 1), round(float(y), 1), round(float(z), 1)

    def list_labels(self, cohort: Cohort) -> dict[str, frozenset[str]]:
        """Names of the labels that each patient of the cohort that was measured holds."""
        held: dict[str, frozenset[str]] = {}
        for case, measured in zip(cohort.cases, self.cases, strict=True):
            held[case.patient] = held.get(case.patient, frozenset()) | frozenset(measured.pieces)
        return held

    def sum_volumes(self, cohort: Cohort) -> dict[str, float]:
        """Volume of all labels of each patient of the cohort that was measured, in mL; in voxels for pictures."""
        volumes: dict[str, float] = {}
        for case, measured in zip(cohort.cases, self.cases, strict=True):
            volumes[case.patient] = volumes.get(case.patient, 0.0) + sum(measured.label_ml.values())
        return volumes


def measure_cohort(cohort: Cohort, ram_gib: float | None = None, folder: Path | None = None) -> Fingerprint:
    """Measure every case that wasn't measured before, several at a time, each in a process of its own.

    What is measured is kept by content in a folder of the user, at most 512 MiB of it: a case is measured again only
    when its files or how they are read change, and measuring that was interrupted goes on. Neither that nor the
    number of processes changes the result.

    Args:
        cohort: its cases.
        ram_gib: what measuring may take; as many processes as fit, one at least.
        folder: of what was measured before; that of the user if not given.

    Raises:
        LabelError: no case holds any label.
        GeometryError: some images have a physical size and others don't, or pictures of a case differ in size.
        InputError: files of a channel differ in their components, or in the units of their values.
    """
    make_absolute(cohort)  # Records can't hold names that are no text: better known now than after an hour.
    with open_store(folder) as store:
        peak = measure_missing(cohort, store, ram_gib)
        entries = [_find_entry(cohort, number, store) for number in range(len(cohort.cases))]
        cases = [read_entry(path) for path in entries]
        store.prune(set(entries))
    if peak:
        predicted = predict_measuring(max(case.measure.voxel_bytes for case in cases))
        compare_peak("measure", predicted, peak / 2**30)
    return summarize_cohort(cohort, cases)


def _find_entry(cohort: Cohort, number: int, store: Store) -> Path:
    case = cohort.cases[number]
    entry = store.find(stamp_case(cohort, case))
    if entry is None:
        found = "its files changed while they were read"
        raise InputError(f"case {case.id}", found, "measure the cohort again", code="files-changed")
    return entry


def summarize_cohort(cohort: Cohort, cases: list[Measured]) -> Fingerprint:
    """The fingerprint of cases that were measured, after comparing them; errors as of `measure_cohort`."""
    for case in cases:
        for item in case.said:
            _say_again(item)
    facts = [case.facts for case in cases]
    unit = agree_on_unit(facts)
    agree_on_labels(facts)
    agree_on_missing(cohort, facts)
    for name in cohort.channels:
        agree_on_modality(name, cohort.modalities[name], facts)
    statistics = {name: summarize(np.concatenate([case.samples[name] for case in cases])) for name in cohort.channels}
    most = {name: agree_on_components(name, facts) for name in cohort.channels}
    values = {name: found for name in cohort.channels if (found := agree_on_values(name, facts))}
    for odd in [*compare_cases(cohort, facts), *find_rare_labels(cohort, facts)]:
        if odd.severity == "warning":
            tell(odd)
    measures = tuple(case.measure for case in cases)
    objects = _summarize_objects(np.concatenate([case.objects for case in cases])) if cohort.labels.objects else None
    return Fingerprint(
        unit=unit,
        components=most,
        units=values,
        channels=statistics,
        cases=measures,
        values={name: _find_range([case.images[name] for case in facts]) for name in cohort.channels},
        objects=objects,
        sides=find_opposite(facts),
    )


def _find_range(images: list[ImageFacts]) -> ValueRange:
    rows = np.array([(image.low, image.middle, image.high) for image in images])
    least, most = ([round(float(value), 4) for value in row] for row in (rows.min(axis=0), rows.max(axis=0)))
    return ValueRange(low=(least[0], most[0]), middle=(least[1], most[1]), high=(least[2], most[2]))


def _say_again(item: Said) -> None:
    if isinstance(item, Finding):
        tell(item)
    else:
        level, name, text = item
        logging.getLogger(name).log(level, "%s", text)


def _summarize_objects(sizes: npt.NDArray[np.float64]) -> ObjectStatistics:
    smallest, median = np.percentile(sizes, [0.5, 50])
    return ObjectStatistics(count=len(sizes), smallest=float(f"{smallest:.4g}"), median=float(f"{median:.4g}"))
