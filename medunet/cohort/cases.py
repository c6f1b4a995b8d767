"""Cases and cohorts as records, and reading what they point to."""

import logging
import os
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from medunet.errors import InputError, MissingInputError, RecordError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import Volume, read_mask, read_volume
from medunet.records import Record, read_record, suggest, write_record

LOGGER = logging.getLogger(__name__)


class Channel(Record):
    """Where one image of a case lies."""

    path: str
    series: str | None = None
    """SeriesInstanceUID, where the folder holds several series."""


class LabelSource(Record):
    """Where the labels of a case lie."""

    path: str
    """A label map on the grid of the first channel, or an RTSTRUCT."""
    rois: dict[str, str] = Field(default_factory=dict)
    """Structure of an RTSTRUCT for each label; the label's own name where not given."""


class Case(Record):
    """One patient's study."""

    id: str = Field(min_length=1, pattern=r"^[^/\\]+$")
    patient: str = Field(min_length=1)
    channels: dict[str, Channel]
    label: LabelSource | None = None


class Cohort(Record):
    """Cases, their channels and labels, and folds by patient."""

    version: Literal[1] = 1
    channels: tuple[str, ...] = Field(min_length=1)
    """The first is the reference, on whose grid labels and results lie."""
    modalities: dict[str, str]
    """DICOM modality of each channel."""
    labels: LabelTable
    cases: tuple[Case, ...]
    folds: tuple[tuple[str, ...], ...] | None = None
    """Held-out patients of each fold."""


def read_cohort(path: Path) -> Cohort:
    """Read a `cohort.json`; its relative paths are taken from its folder and come back absolute.

    Raises:
        RecordError: a key is unknown or missing, or channels don't agree.
        MissingInputError: a file isn't there.
    """
    cohort = read_record(path, Cohort)
    for name in cohort.channels:
        if name not in cohort.modalities:
            raise RecordError(path, f"the channel '{name}' has no modality", "add it to modalities")
    cases = tuple(_locate(case, cohort, path) for case in cohort.cases)
    return cohort.model_copy(update={"cases": cases})


def _locate(case: Case, cohort: Cohort, path: Path) -> Case:
    base = path.resolve().parent
    for name in case.channels:
        if name not in cohort.channels:
            raise RecordError(path, f"case {case.id} names the channel '{name}'", suggest(name, list(cohort.channels)))
    for name in cohort.channels:
        if name not in case.channels:
            raise RecordError(path, f"case {case.id} lacks the channel '{name}'", "add it, or leave the case out")
    channels = {
        name: channel.model_copy(update={"path": _find(base, channel.path, case)})
        for name, channel in case.channels.items()
    }
    label = case.label
    if label is not None:
        for name in label.rois:
            if name not in cohort.labels.names:
                raise RecordError(
                    path, f"case {case.id} has the label '{name}'", suggest(name, list(cohort.labels.names))
                )
        label = label.model_copy(update={"path": _find(base, label.path, case)})
    return case.model_copy(update={"channels": channels, "label": label})


def _find(base: Path, path: str, case: Case) -> str:
    found = base / path
    if not found.exists():
        raise MissingInputError(found, f"case {case.id} names it, but it isn't there", "correct cohort.json")
    return str(found)


def write_cohort(path: Path, cohort: Cohort) -> None:
    """Write a cohort with absolute paths; an older file is replaced."""
    cases = []
    for case in cohort.cases:
        channels = {
            name: channel.model_copy(update={"path": os.path.abspath(channel.path)})
            for name, channel in case.channels.items()
        }
        label = case.label and case.label.model_copy(update={"path": os.path.abspath(case.label.path)})
        cases.append(case.model_copy(update={"channels": channels, "label": label}))
    write_record(path, cohort.model_copy(update={"cases": tuple(cases)}))


def check_cohort(cohort: Cohort, subject: str) -> Cohort:
    """Check that a cohort can be trained on, and leave out cases without a label.

    Args:
        cohort: as found.
        subject: its path, for messages.

    Returns:
        The cohort of labelled cases.

    Raises:
        InputError: fewer than two patients are left, or two cases have one id.
    """
    twice = [name for name, count in Counter(case.id for case in cohort.cases).items() if count > 1]
    if twice:
        raise InputError(subject, f"two cases have the id {twice[0]}", "give each case its own id")
    labelled = tuple(case for case in cohort.cases if case.label is not None)
    for case in cohort.cases:
        if case.label is None:
            LOGGER.warning("%s: it has no label, so it is left out", case.id)
    patients = {case.patient for case in labelled}
    if len(patients) < 2:
        raise InputError(
            subject,
            f"it holds {len(patients)} patient{'s' if len(patients) != 1 else ''} with labels",
            "add patients",
            expected="at least 2, one to train on and one to hold out",
        )
    return cohort.model_copy(update={"cases": labelled})


def read_channel(case: Case, channel: str) -> Volume:
    """Read one image of a case.

    Raises:
        MedunetError: as `read_volume`.
    """
    source = case.channels[channel]
    return read_volume(source.path, series=source.series)


def read_label(cohort: Cohort, case: Case, grid: Grid) -> Mask:
    """Read the labels of a case on the grid of its first channel; a case without a label has background only.

    Raises:
        MedunetError: as `read_mask`.
    """
    if case.label is None:
        return Mask("classes", np.zeros(grid.shape, dtype=np.uint16), grid, cohort.labels)
    return read_mask(case.label.path, grid, cohort.labels, case.label.rois)
