"""Cases and cohorts as records, and what lists of them must hold."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr

from medunet.errors import InputError, MissingInputError, RecordError, independent
from medunet.findings import warn
from medunet.labels import Labels
from medunet.reading import LabelOptions, ReadOptions, Series
from medunet.records import Record, read_record, suggest, write_record

NO_LINES: Mapping[str, int] = {}
Missing = Literal["absent", "unknown"]
"""What it means that a label isn't there."""


class Channel(ReadOptions):
    """Where one image of a case lies, and how to read it.

    What it was found as is carried along within this process, beside what is written.
    """

    path: str
    """File, or folder of the series."""
    _found: tuple[str, str | None, Series] | None = PrivateAttr(None)

    def with_series(self, series: Series) -> "Channel":
        """This channel, carrying the series that lies at its path."""
        channel = self.model_copy()
        channel._found = self.path, self.series, series
        return channel

    @property
    def found(self) -> Series | None:
        """The series that it carries, if its files haven't changed since; None where it is to be found by its path."""
        if self._found is None or self._found[:2] != (self.path, self.series):
            return None
        return self._found[2] if self._found[2].is_unchanged() else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Channel) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash((self.path, self.series))


class LabelSource(Record):
    """Where the labels of a case lie."""

    path: str
    """A label map on the grid of the first channel, an RTSTRUCT or a DICOM SEG."""
    rois: dict[str, str] = Field(default_factory=dict)
    """Structure of an RTSTRUCT or segment of a SEG for each label; the label's own name where not given."""


class Case(Record):
    """One patient's study."""

    id: str = Field(min_length=1, pattern=r"^[^/\\]+$")
    """Name of the case."""
    patient: str = Field(min_length=1)
    """Whose case it is: all cases of a patient are held out together."""
    channels: dict[str, Channel]
    """Image of each channel, by its name."""
    label: LabelSource | None = None
    """Where its labels are, or none."""
    contoured: tuple[str, ...] | None = None
    """Names of the labels that somebody looked for; of the others it isn't known where they are. Where nothing is said,
    all of them, or as `missing` of the cohort has it."""


class Cohort(Record):
    """Cases, their channels and labels, and folds by patient."""

    version: Literal[1] = 1
    """Version of this record."""
    channels: tuple[str, ...] = Field(min_length=1)
    """The first is the reference, on whose grid labels and results lie."""
    modalities: dict[str, str]
    """DICOM modality of each channel."""
    labels: Labels
    """The labels of all cases."""
    cases: tuple[Case, ...]
    """The cases."""
    folds: tuple[tuple[str, ...], ...] | None = None
    """Held-out patients of each fold."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """Structure or pattern such as `GTV*` to the label that it makes, where a case's `rois` don't say."""
    split_by: Literal["patient", "name", "file"] = "patient"
    """How it is known whose a case is: it was said, by names that begin alike, or not, so that each file counts."""
    precedence: tuple[str, ...] = ()
    """Names of labels, the first of which has voxels that structures or segments share."""
    label_values: dict[int, int] = Field(default_factory=dict)
    """Value in label maps to the value of the label that it means, 0 for background; others stay as they are."""
    missing: Missing | None = None
    """What it means that a case has nothing of a label, and doesn't say what is `contoured`: there is none (absent), or
    nobody looked for it (unknown). Where nothing is said, it is asked for."""

    @property
    def label_options(self) -> LabelOptions:
        """How files of labels are read."""
        return LabelOptions(precedence=self.precedence, label_values=self.label_values)


def read_cohort(path: Path) -> Cohort:
    """Read a `cohort.json`; its relative paths are taken from its folder and come back absolute.

    Raises:
        RecordError: a key is unknown or missing, or channels or folds don't agree with the cases.
        MissingInputError: a file isn't there.
        InputError: two cases have one id.
    """
    return check_listed(read_record(path, Cohort, "list-wrong"), path)


def check_listed(cohort: Cohort, path: Path, lines: Mapping[str, int] = NO_LINES) -> Cohort:
    """Check that the channels, labels and folds of a list agree, and make its paths absolute.

    Args:
        cohort: as listed.
        path: of the list.
        lines: on which a case stands, by its id, for messages.

    Raises:
        RecordError: they don't.
        MissingInputError: a file isn't there.
        InputError: two cases have one id.
    """
    for name in cohort.channels:
        if cohort.channels.count(name) > 1:
            raise RecordError(path, f"the channel '{name}' stands there twice", "name each once", code="name-twice")
        if name not in cohort.modalities:
            raise RecordError(
                path, f"the channel '{name}' has no modality", "add it to modalities", code="channel-missing"
            )
    check_ids(cohort.cases, str(path))
    check_folds(cohort, path)
    cohort.label_options.check(cohort.labels, path)
    cases = []
    for case in cohort.cases:
        with independent():
            where = f"{path}, line {lines[case.id]}" if case.id in lines else str(path)
            cases.append(_locate(case, cohort, path, where))
    return cohort.model_copy(update={"cases": tuple(cases)})


def check_folds(cohort: Cohort, path: Path) -> None:
    """Check that folds hold out patients of the cohort, and leave some to train on.

    Raises:
        RecordError: one doesn't.
    """
    patients = {case.patient for case in cohort.cases}
    for number, fold in enumerate(cohort.folds or ()):
        unknown = sorted(set(fold) - patients)
        if unknown:
            raise RecordError(
                path,
                f"fold {number} holds out '{unknown[0]}', a patient of no case",
                suggest(unknown[0], sorted(patients)),
                code="folds-wrong",
            )
        if not fold:
            found = f"fold {number} holds out no patient"
            raise RecordError(path, found, "name its patients or take the fold away", code="folds-wrong")
        if set(fold) == patients:
            raise RecordError(
                path, f"fold {number} leaves no patient to train on", "hold out fewer patients", code="folds-wrong"
            )


def _locate(case: Case, cohort: Cohort, path: Path, where: str) -> Case:
    base = path.resolve().parent
    for name in case.channels:
        if name not in cohort.channels:
            found = f"case {case.id} names the channel '{name}'"
            raise RecordError(where, found, suggest(name, list(cohort.channels)), code="channel-missing")
    for name in cohort.channels:
        if name not in case.channels:
            found = f"case {case.id} lacks the channel '{name}'"
            raise RecordError(where, found, "add it, or leave the case out", code="channel-missing")
    channels = {
        name: channel.model_copy(update={"path": _find(base, channel.path, case, where)})
        for name, channel in case.channels.items()
    }
    label = case.label
    for name in (*(label.rois if label else ()), *(case.contoured or ())):
        if name not in cohort.labels.names:
            found = f"case {case.id} has the label '{name}'"
            raise RecordError(where, found, suggest(name, list(cohort.labels.names)), code="label-unknown")
    if label is not None:
        label = label.model_copy(update={"path": _find(base, label.path, case, where)})
    return case.model_copy(update={"channels": channels, "label": label})


def _find(base: Path, path: str, case: Case, where: str) -> str:
    found = base / path
    if not found.exists():
        raise MissingInputError(
            found, f"case {case.id} names it, but it isn't there", f"correct {where}", code="path-missing"
        )
    return str(found)


def write_cohort(path: Path, cohort: Cohort) -> None:
    """Write a cohort with absolute paths; an older file is replaced.

    Raises:
        InputError: the path of a case is no text, so that it couldn't be read again.
    """
    write_record(path, make_absolute(cohort))


def make_absolute(cohort: Cohort) -> Cohort:
    """The cohort with absolute paths.

    Raises:
        InputError: the path of a case is no text, so that no record can hold it.
    """
    cases = []
    for case in cohort.cases:
        channels = {
            name: channel.model_copy(update={"path": _make_absolute(channel.path)})
            for name, channel in case.channels.items()
        }
        label = case.label and case.label.model_copy(update={"path": _make_absolute(case.label.path)})
        cases.append(case.model_copy(update={"channels": channels, "label": label}))
    return cohort.model_copy(update={"cases": tuple(cases)})


def _make_absolute(path: str) -> str:
    absolute = os.path.abspath(path)
    try:
        absolute.encode("utf-8")
    except UnicodeEncodeError:
        remedy = "rename it, or run in a UTF-8 locale, such as LC_ALL=C.UTF-8"
        raise InputError(
            ascii(path), "its name can't be written as UTF-8", remedy, code="encoding-unsupported"
        ) from None
    return absolute


def check_cohort(cohort: Cohort, subject: str) -> Cohort:
    """Check that a cohort can be trained on, and leave out cases without a label.

    Args:
        cohort: as found.
        subject: its path, for messages.

    Returns:
        The cohort of labelled cases.

    Raises:
        InputError: fewer than two patients are left, two cases have one id, or a fold is left without patients.
    """
    cohort = check_labelled(cohort, subject)
    patients = {case.patient for case in cohort.cases}
    if len(patients) < 2:
        raise InputError(
            subject,
            f"it holds {len(patients)} patient{'s' if len(patients) != 1 else ''} with labels",
            "add patients",
            expected="at least 2, one to train on and one to hold out",
            code="patients-too-few",
        )
    return limit_folds(cohort, subject)


def limit_folds(cohort: Cohort, subject: str) -> Cohort:
    """Leave patients without a label out of the folds.

    Raises:
        InputError: a fold is left that holds out none or all.
    """
    patients = {case.patient for case in cohort.cases if case.label is not None}
    folds = cohort.folds and tuple(tuple(name for name in fold if name in patients) for fold in cohort.folds)
    for number, fold in enumerate(folds or ()):
        if not fold or set(fold) == patients:
            held_out = "none" if not fold else "all"
            raise InputError(
                subject,
                f"fold {number} holds out {held_out} of the patients with labels",
                "add labels or correct the folds",
                code="folds-wrong",
            )
    return cohort.model_copy(update={"folds": folds})


def check_labelled(cohort: Cohort, subject: str) -> Cohort:
    """Leave out cases without a label, each with a warning.

    Args:
        cohort: as found.
        subject: its path, for messages.

    Raises:
        InputError: no case has one, or two cases have one id.
    """
    check_ids(cohort.cases, subject)
    labelled = tuple(case for case in cohort.cases if case.label is not None and case.contoured != ())
    for case in cohort.cases:
        if case.label is None:
            warn("label-missing", case.id, "it has no label, so it is left out")
        elif case.contoured == ():
            warn("label-missing", case.id, "nobody looked for any of its labels, so it is left out")
    if not labelled:
        raise InputError(subject, "none of its cases has a label", "add labels", code="label-missing")
    return cohort.model_copy(update={"cases": labelled})


def check_ids(cases: tuple[Case, ...], subject: str) -> None:
    """Check that no two cases share an id, which names their results.

    Raises:
        InputError: two do.
    """
    twice = [name for name, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise InputError(
            subject, f"two cases have the id {twice[0]}", "give each its own id in a cohort.json", code="name-twice"
        )
