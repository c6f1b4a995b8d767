"""What scores come to: means over the cases that hold a label, totals, recall by size, and methods compared."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import inf
from statistics import fmean
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from medunet.evaluation.intervals import Distribution, describe_values
from medunet.evaluation.lesions import find_f1
from medunet.evaluation.scores import CaseScore, Scores
from medunet.records import Record

STEPS_ML = (0.1, 1.0, 10.0, 100.0)
"""Volumes between which lesions are taken together."""
STEPS_PX = (10.0, 100.0, 1000.0, 10000.0)
"""The same in voxels, where images have no physical size."""
MEANS = (
    *("dice", "nsd", "nsd_voxels", "precision", "precision_50", "iou", "sensitivity", "voxel_precision"),
    *("volume_error", "hd95_mm", "assd_mm", "panoptic", "matched_iou"),
)
"""Scores of cases of which the summary has the mean."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("dice", "nsd", "iou", "sensitivity", "voxel_precision", "precision", "panoptic"), (0.0, 1.0)),
    **{"hd95_mm": (0.0, inf), "assd_mm": (0.0, inf), "volume_error": (-1.0, inf), "lesion_f1": (0.0, 1.0)},
}
"""Scores of cases of which the summary has the distribution over patients, and what they can be."""
FEW = 5
"""A label that fewer cases hold has no mean worth the name."""


class SizeRow(Record):
    """Lesions (or objects) of the truth of one class of size, over all cases."""

    at_least_ml: float
    """Volume from which on they belong to it; in voxels where images have no physical size."""
    below_ml: float | None
    """Volume below which they do, None where there is no bound."""
    found: int
    """How many of them were found."""
    missed: int
    """How many weren't."""

    @property
    def recall(self) -> float:
        """Share of them that were found."""
        return self.found / (self.found + self.missed)


class SummaryRow(Record):
    """One method on one label, over all cases."""

    method: str
    """Name of the method."""
    label: str
    """Name of the label or region."""
    cases: int
    """Cases that were scored."""
    holding: int
    """Cases whose truth holds the label; the means are over them."""
    dice: float | None
    """Mean, or None where no case holds the label."""
    nsd: float | None
    """Mean, as are the next."""
    nsd_voxels: float | None
    """By counting voxels."""
    truth_ml: float
    """Total, as are all that follow."""
    predicted_ml: float
    """Volume of the predictions."""
    found: int
    """Lesions, or objects."""
    missed: int
    """Likewise."""
    false_found: int
    """Likewise."""
    false_ml: float
    """Volume of these."""
    missed_cases: int
    """Cases that hold the label and in which nothing was predicted."""
    falsely_found_cases: int
    """Cases that lack the label and in which it was predicted."""
    correct_absent_cases: int
    """Cases that lack the label and in which nothing was predicted."""
    precision: float | None = None
    """Mean of the average precision of objects, over the cases in which truth or prediction holds any."""
    precision_50: float | None = None
    """The same at an IoU of 0.5 alone."""
    iou: float | None = None
    """Mean over the cases that hold the label, as are the next."""
    sensitivity: float | None = None
    """Of voxels."""
    voxel_precision: float | None = None
    """Of voxels."""
    volume_error: float | None = None
    """Mean of the relative errors of volume, in which too large and too small cancel out."""
    volume_error_size: float | None = None
    """Mean of their sizes, in which they don't."""
    hd95_mm: float | None = None
    """The diagonal of the image counts where nothing was predicted."""
    assd_mm: float | None = None
    """Likewise."""
    lesion_f1: float | None = None
    """Of the totals of found, missed and falsely found."""
    sizes: tuple[SizeRow, ...] = ()
    """Lesions by their size, in classes that any has."""
    panoptic: float | None = None
    """Mean panoptic quality, over the cases in which truth or prediction holds objects."""
    matched_iou: float | None = None
    """Mean of the mean IoU of matched objects."""
    few: bool = False
    """So few cases hold the label that their mean says little."""
    distributions: dict[str, Distribution] = Field(default_factory=dict)
    """Of measures over patients, by their names."""


class Summary(Record):
    """What scores come to, as `summary.json` holds it."""

    version: Literal[1] = 1
    """Version of this record."""
    rows: tuple[SummaryRow, ...]
    """One for each label and method."""


class PairedRow(Record):
    """The first method against another one, case by case: differences in Dice over the cases that hold the label.

    Where labels number objects it is the average precision in place of Dice.
    """

    method: str
    """The other method."""
    label: str
    cases: int
    better: int
    """Cases in which the first method has the higher one."""
    mean: float
    """Mean of that of the first minus that of the other."""
    lowest: float
    highest: float


def summarize(scores: Scores) -> list[SummaryRow]:
    """One row for each label and method: means over the cases that hold the label, totals over all cases."""
    return [
        _summarize_one(_Chosen(method, label, [score for score in cases if score.label == label]), scores)
        for label in scores.labels
        for method, cases in scores.methods.items()
    ]


class _Chosen(NamedTuple):
    """Scores of one method on one label."""

    method: str
    label: str
    cases: Sequence[CaseScore]


def _summarize_one(chosen: _Chosen, scores: Scores) -> SummaryRow:
    """Nothing is rightly empty in cases without a prediction."""
    method, label, cases = chosen
    absent = scores.pairing.missing if scores.pairing else ()
    steps = STEPS_ML if scores.unit == "mm" else STEPS_PX
    outcomes = [case.outcome for case in cases]
    empty = [case for case in cases if case.outcome == "correct_absent" and case.case not in absent]
    found, missed, false = (sum(getattr(case, key) for case in cases) for key in ("found", "missed", "false_found"))
    holding = outcomes.count("both") + outcomes.count("missed")
    sizes = [abs(case.volume_error) for case in cases if case.volume_error is not None]
    return SummaryRow(
        method=method,
        label=label,
        cases=len(cases),
        holding=holding,
        truth_ml=sum(case.truth_ml for case in cases),
        predicted_ml=sum(case.predicted_ml for case in cases),
        found=found,
        missed=missed,
        false_found=false,
        false_ml=sum(case.false_ml for case in cases),
        missed_cases=outcomes.count("missed"),
        falsely_found_cases=outcomes.count("falsely_found"),
        correct_absent_cases=len(empty),
        volume_error_size=_mean(sizes),
        lesion_f1=find_f1(found, missed, false),
        sizes=_sort_sizes(cases, steps),
        few=holding < FEW,
        distributions=_describe(cases, scores.patients),
        **{key: _mean([getattr(case, key) for case in cases]) for key in MEANS},
    )


def _describe(cases: Sequence[CaseScore], patients: Mapping[str, str]) -> dict[str, Distribution]:
    found = {}
    for key, bounds in BOUNDS.items():
        values = {case.case: value for case in cases if (value := getattr(case, key)) is not None}
        if (described := describe_values(values, patients, bounds)) is not None:
            found[key] = described
    return found


def _sort_sizes(cases: Sequence[CaseScore], steps: Sequence[float]) -> tuple[SizeRow, ...]:
    sizes = ([size for case in cases for size in getattr(case, key)] for key in ("found_ml", "missed_ml"))
    found, missed = (np.bincount(np.digitize(own, steps), minlength=len(steps) + 1) for own in sizes)
    bounds = zip((0.0, *steps), (*steps, None), found.tolist(), missed.tolist(), strict=True)
    return tuple(
        SizeRow(at_least_ml=low, below_ml=high, found=right, missed=wrong)
        for low, high, right, wrong in bounds
        if right + wrong
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def compare_methods(scores: Scores) -> list[PairedRow]:
    """Compare the first method with each other one, case by case; labels that no case holds have no row.

    A few cases can't rank two methods by their means alone, so the share of cases won and the spread of the
    differences stand beside them.
    """
    first, *others = scores.methods
    rows = []
    for label in scores.labels:
        ours = rank_cases(scores, first, label)
        for other in others if ours else []:
            theirs = rank_cases(scores, other, label)
            gains = [value - theirs[case] for case, value in ours.items() if case in theirs]
            if not gains:
                continue
            rows.append(
                PairedRow(
                    method=other,
                    label=label,
                    cases=len(gains),
                    better=sum(gain > 0 for gain in gains),
                    mean=float(np.mean(gains)),
                    lowest=min(gains),
                    highest=max(gains),
                )
            )
    return rows


def average_labels(scores: Scores) -> dict[str, float]:
    """For each case the mean over the labels that its truth holds of what methods are compared by, of the first one."""
    first, values = next(iter(scores.methods)), defaultdict[str, list[float]](list)
    for label in scores.labels:
        for case, value in rank_cases(scores, first, label).items():
            values[case].append(value)
    return {case: fmean(own) for case, own in values.items()}


def rank_cases(scores: Scores, method: str, label: str) -> dict[str, float]:
    """What methods are compared by, for each case that has it: Dice, or the average precision of objects."""
    values = {s.case: s.precision if scores.objects else s.dice for s in scores.methods[method] if s.label == label}
    return {case: value for case, value in values.items() if value is not None}
