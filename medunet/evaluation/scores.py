"""Scores as records: a label in a case, all methods on the same cases, and what they come to."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy import ndimage

from medunet.errors import LabelError
from medunet.evaluation.instances import match_objects
from medunet.evaluation.lesions import count_lesions
from medunet.evaluation.voxels import TOLERANCE_MM, Outcome, measure_voxels, widen_box
from medunet.geometry import check_same_grid
from medunet.labels import Mask
from medunet.parts import Crop, Voxels
from medunet.records import Record


class CaseScore(Record):
    """One label or region in one case, of the voxels that somebody looked at.

    Volumes are in mL, or in voxels where the grid has no physical size.
    """

    case: str
    """Name of the case."""
    label: str
    """Name of the label or region."""
    dice: float | None
    """0 to 1; 0 where nothing was predicted; None where the truth lacks the label."""
    nsd: float | None
    """Share of the area of both surfaces (of one slice, of the length of outlines) within the tolerance of the other;
    as `dice`, and None where no surface is known."""
    nsd_voxels: float | None = None
    """The same by counting surface voxels, which depends on spacing and direction."""
    truth_ml: float
    """Volume of the truth."""
    predicted_ml: float
    """Volume of the prediction."""
    found: int
    """Lesions of the truth of which the prediction covers at least a tenth."""
    missed: int
    """Lesions of the truth of which it covers less."""
    false_found: int
    """Predicted components that overlap no lesion of the truth."""
    false_ml: float
    """Volume of these components; the whole prediction where the truth lacks the label."""
    precision: float | None = None
    """Average precision of objects over IoU 0.50 to 0.95, where labels number them and there are any; found, missed
    and falsely found then count objects matched above an IoU of 0.5."""
    precision_50: float | None = None
    """The same at an IoU of 0.5 alone."""

    @property
    def outcome(self) -> Outcome:
        """Which of truth and prediction hold the label."""
        if self.truth_ml > 0:
            return "both" if self.predicted_ml > 0 else "missed"
        return "falsely_found" if self.predicted_ml > 0 else "correct_absent"


class Scores(Record):
    """Scores of one or more methods on the same cases; the first is the one in question, the others are floors."""

    version: Literal[2] = 2
    """Version of this record; in version 1 `nsd` is what is `nsd_voxels` now, and read as such."""
    tolerance_mm: float = TOLERANCE_MM
    """Distance up to which surfaces count as equal in NSD; in pixels where images have no physical size."""
    unit: Literal["mm", "px"] = "mm"
    """"px" where the images have no physical size, so that volumes are in voxels and the tolerance in pixels."""
    objects: bool = False
    """Labels number objects, so methods are compared by their average precision."""
    seen: tuple[str, ...] = ()
    """Cases whose image is one that the first method was trained on: of these it proves nothing."""
    methods: dict[str, tuple[CaseScore, ...]] = Field(min_length=1)
    """By name of the method, for example "medunet" and "ellipsoid"."""

    @model_validator(mode="before")
    @classmethod
    def _read_version_1(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("version") != 1:
            return value
        methods = {
            name: [{**score, "nsd": None, "nsd_voxels": score.get("nsd")} for score in scores]
            for name, scores in value.get("methods", {}).items()
        }
        return {**value, "version": 2, "methods": methods}

    @model_validator(mode="after")
    def _same_cases(self) -> Self:
        held = [sorted((score.case, score.label) for score in scores) for scores in self.methods.values()]
        if any(len(set(pairs)) < len(pairs) for pairs in held):
            raise ValueError("a case is scored twice for one label")
        if any(pairs != held[0] for pairs in held[1:]):
            raise ValueError("the methods are scored on different cases or labels, so they can't be compared")
        return self

    @property
    def measure(self) -> str:
        """What methods are compared by."""
        return "AP" if self.objects else "Dice"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels in the order in which they occur."""
        return tuple(dict.fromkeys(score.label for score in self.of_first()))

    def of_first(self) -> tuple[CaseScore, ...]:
        """Scores of the first method."""
        return next(iter(self.methods.values()))


class SummaryRow(Record):
    """One method on one label, over all cases."""

    method: str
    label: str
    cases: int
    """Cases that were scored."""
    holding: int
    """Cases whose truth holds the label; the means are over them."""
    dice: float | None
    """Mean, or None where no case holds the label."""
    nsd: float | None
    nsd_voxels: float | None
    truth_ml: float
    """Total, as are all that follow."""
    predicted_ml: float
    found: int
    missed: int
    false_found: int
    false_ml: float
    missed_cases: int
    """Cases that hold the label and in which nothing was predicted."""
    falsely_found_cases: int
    """Cases that lack the label and in which it was predicted."""
    correct_absent_cases: int
    """Cases that lack the label and in which nothing was predicted."""
    precision: float | None = None
    """Mean of the average precision of objects, over the cases in which truth or prediction holds any."""
    precision_50: float | None = None


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


def score_case(predicted: Mask, truth: Mask, case_id: str, tolerance_mm: float = TOLERANCE_MM) -> tuple[CaseScore, ...]:
    """Score each label of a case, or each region where there are some; of instances all objects together.

    Args:
        predicted: on the grid of `truth` and of its kind; its table names the same labels or regions, in any order.
        truth: the reference; voxels that it ignores don't count.
        case_id: name of the case.
        tolerance_mm: of the surface distance.

    Returns:
        One score a label or region, in the order of the truth's table.

    Raises:
        GeometryError: the masks lie on different grids.
        LabelError: their tables name different labels.
    """
    check_same_grid(predicted.grid, truth.grid, f"prediction of {case_id}", "its truth")
    theirs = {region.name: region.values for region in predicted.table.structures}
    if set(theirs) != {region.name for region in truth.table.structures}:
        raise LabelError(
            f"prediction of {case_id}",
            f"its labels are {', '.join(theirs)}",
            "predict with a bundle that was made for these labels, or name them alike",
            expected=", ".join(region.name for region in truth.table.structures),
            code="labels-differ",
        )
    if truth.kind == "instances":
        (score,) = score_case(predicted.join_objects(), truth.join_objects(), case_id, tolerance_mm)
        return (_score_objects(score, predicted, truth),)
    boxes = [ndimage.find_objects(m.voxels, max_label=len(m.table.labels)) for m in (predicted, truth)]
    known = truth.is_known()
    scores = []
    for region in truth.table.structures:
        pairs = zip(boxes, (theirs[region.name], region.values), strict=True)
        box = _join([found[value - 1] for found, values in pairs for value in values])
        if known is not None:
            box = widen_box(box)
        masks = np.isin(predicted.voxels[box], theirs[region.name]), np.isin(truth.voxels[box], region.values)
        seen = None if known is None else known[box]
        scores.append(_score_label(*masks, seen, truth, (case_id, region.name, tolerance_mm)))
    return tuple(scores)


def _score_objects(score: CaseScore, predicted: Mask, truth: Mask) -> CaseScore:
    objects = match_objects(predicted.voxels, truth.voxels)
    counts = {
        "found": objects.found,
        "missed": objects.missed,
        "false_found": objects.false_found,
        "false_ml": objects.false_voxels * truth.voxel_volume,
        "precision": objects.precision,
        "precision_50": objects.precisions[0] if objects.precisions else None,
    }
    return score.model_copy(update=counts)


def _join(found: Sequence[Crop | None]) -> Crop:
    """Crop around boxes; where there is none one voxel will do."""
    boxes = [box for box in found if box is not None] or [(slice(0, 1),) * 3]
    sides = [slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*boxes, strict=True)]
    return sides[0], sides[1], sides[2]


def _score_label(
    predicted: Voxels, truth: Voxels, known: Voxels | None, whole: Mask, named: tuple[str, str, float]
) -> CaseScore:
    """Score a label; `named` are the case, the label and the tolerance."""
    voxels = measure_voxels(predicted, truth, whole.grid, named[2], known)
    lesions = count_lesions(predicted if known is None else predicted & known, truth)
    return CaseScore(
        case=named[0],
        label=named[1],
        dice=voxels.dice,
        nsd=voxels.nsd,
        nsd_voxels=voxels.nsd_voxels,
        truth_ml=voxels.truth_ml,
        predicted_ml=voxels.predicted_ml,
        found=lesions.found,
        missed=lesions.missed,
        false_found=lesions.false_found,
        false_ml=lesions.false_voxels * whole.voxel_volume,
    )


def join_scores(parts: Sequence[Scores]) -> Scores:
    """Scores of the same methods on different cases, such as those of several folds."""
    first = parts[0]
    methods = {name: tuple(score for part in parts for score in part.methods[name]) for name in first.methods}
    return first.model_copy(update={"methods": methods})


def summarize(scores: Scores) -> list[SummaryRow]:
    """One row for each label and method: means over the cases that hold the label, totals over all cases."""
    return [
        _summarize_one(method, label, [score for score in cases if score.label == label])
        for label in scores.labels
        for method, cases in scores.methods.items()
    ]


def _summarize_one(method: str, label: str, cases: Sequence[CaseScore]) -> SummaryRow:
    outcomes = [case.outcome for case in cases]
    return SummaryRow(
        method=method,
        label=label,
        cases=len(cases),
        holding=outcomes.count("both") + outcomes.count("missed"),
        dice=_mean([case.dice for case in cases]),
        nsd=_mean([case.nsd for case in cases]),
        nsd_voxels=_mean([case.nsd_voxels for case in cases]),
        truth_ml=sum(case.truth_ml for case in cases),
        predicted_ml=sum(case.predicted_ml for case in cases),
        found=sum(case.found for case in cases),
        missed=sum(case.missed for case in cases),
        false_found=sum(case.false_found for case in cases),
        false_ml=sum(case.false_ml for case in cases),
        missed_cases=outcomes.count("missed"),
        falsely_found_cases=outcomes.count("falsely_found"),
        correct_absent_cases=outcomes.count("correct_absent"),
        precision=_mean([case.precision for case in cases]),
        precision_50=_mean([case.precision_50 for case in cases]),
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


def rank_cases(scores: Scores, method: str, label: str) -> dict[str, float]:
    """What methods are compared by, for each case that has it: Dice, or the average precision of objects."""
    values = {s.case: s.precision if scores.objects else s.dice for s in scores.methods[method] if s.label == label}
    return {case: value for case, value in values.items() if value is not None}
