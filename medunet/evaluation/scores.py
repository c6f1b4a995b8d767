"""Scores as records: a label in a case, and all methods on the same cases."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy import ndimage

from medunet.confidence import Trust
from medunet.errors import LabelError
from medunet.evaluation.instances import match_objects
from medunet.evaluation.lesions import LesionScore, count_lesions, find_f1
from medunet.evaluation.pairing import Pairing
from medunet.evaluation.voxels import TOLERANCE_MM, Outcome, measure_voxels
from medunet.geometry import check_same_grid
from medunet.labels import Mask
from medunet.parts import Crop, Voxels, widen_box
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
    iou: float | None = None
    """Common voxels over those of either; as `dice`. Scores of earlier versions lack it and what follows."""
    sensitivity: float | None = None
    """Share of the truth's voxels that were predicted; as `dice`."""
    voxel_precision: float | None = None
    """Share of the predicted voxels that are right; as `dice`."""
    volume_error: float | None = None
    """Predicted volume minus that of the truth over that of the truth; None where the truth lacks the label."""
    hd95_mm: float | None = None
    """Distance within which 95 % of the area of each surface lies from the other (in pixels where images have no
    physical size); the diagonal of the image where nothing was predicted; None as `nsd`."""
    assd_mm: float | None = None
    """Mean distance over the area of both surfaces; else as `hd95_mm`."""
    found_ml: tuple[float, ...] = ()
    """Volume of each lesion that was found."""
    missed_ml: tuple[float, ...] = ()
    """Volume of each lesion that was missed."""
    lesion_f1: float | None = None
    """2 found / (2 found + missed + falsely found); None where there is none of them."""
    panoptic: float | None = None
    """Panoptic quality of objects, at an IoU of 0.5; None where there are none."""
    matched_iou: float | None = None
    """Mean intersection over union of matched objects, the segmentation quality; None where there are none."""

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
    tolerances_mm: dict[str, float] = Field(default_factory=dict)
    """The same of labels that have their own."""
    unit: Literal["mm", "px"] = "mm"
    """"px" where the images have no physical size, so that volumes are in voxels and the tolerance in pixels."""
    objects: bool = False
    """Labels number objects, so methods are compared by their average precision."""
    seen: tuple[str, ...] = ()
    """Cases whose image is one that the first method was trained on: of these it proves nothing."""
    patients: dict[str, str] = Field(default_factory=dict)
    """Patient of each case, as far as it is known; a case that isn't named is a patient of its own."""
    trust: dict[str, dict[str, Trust]] = Field(default_factory=dict)
    """By label and case the word `trust` of the first method's mask, where it has one."""
    pairing: Pairing | None = None
    """Which masks were scored against which, where they were given as files."""
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

    def find_tolerance(self, label: str) -> float:
        """The tolerance of a label."""
        return self.tolerances_mm.get(label, self.tolerance_mm)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels in the order in which they occur."""
        return tuple(dict.fromkeys(score.label for score in self.of_first()))

    def of_first(self) -> tuple[CaseScore, ...]:
        """Scores of the first method."""
        return next(iter(self.methods.values()))


def score_case(
    predicted: Mask,
    truth: Mask,
    case_id: str,
    tolerance_mm: float = TOLERANCE_MM,
    tolerances_mm: Mapping[str, float] | None = None,
) -> tuple[CaseScore, ...]:
    """Score each label of a case, or each region where there are some; of instances all objects together.

    Args:
        predicted: on the grid of `truth` and of its kind; its table names the same labels or regions, in any order.
        truth: the reference; voxels that it ignores don't count.
        case_id: name of the case.
        tolerance_mm: of the surface distance.
        tolerances_mm: of labels that have their own, by name.

    Returns:
        One score a label or region that is known in the truth, in the order of its table.

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
    if truth.kind == "instances" and truth.list_known():
        joined = predicted.join_objects(), truth.join_objects()
        (score,) = score_case(*joined, case_id, tolerance_mm, tolerances_mm)
        return (_score_objects(score, predicted, truth),)
    boxes = [ndimage.find_objects(m.voxels, max_label=len(m.table.labels)) for m in (predicted, truth)]
    known = truth.is_known()
    scores = []
    for region in truth.list_known():
        pairs = zip(boxes, (theirs[region.name], region.values), strict=True)
        box = _join([found[value - 1] for found, values in pairs for value in values])
        if known is not None:
            box = widen_box(box, (1, 1, 1), truth.voxels.shape)
        masks = np.isin(predicted.voxels[box], theirs[region.name]), np.isin(truth.voxels[box], region.values)
        seen = None if known is None else known[box]
        tolerance = (tolerances_mm or {}).get(region.name, tolerance_mm)
        scores.append(_score_label(*masks, seen, truth, (case_id, region.name, tolerance)))
    return tuple(scores)


def _score_objects(score: CaseScore, predicted: Mask, truth: Mask) -> CaseScore:
    objects = match_objects(predicted.voxels, truth.voxels)
    counts = {
        **_describe_parts(objects, truth.voxel_volume),
        "precision": objects.precision,
        "precision_50": objects.precisions[0] if objects.precisions else None,
        "panoptic": objects.panoptic,
        "matched_iou": objects.quality,
    }
    return score.model_copy(update=counts)


def _describe_parts(parts: LesionScore, voxel_volume: float) -> dict[str, Any]:
    """What a score says of lesions or objects."""
    return {
        "found": parts.found,
        "missed": parts.missed,
        "false_found": parts.false_found,
        "false_ml": parts.false_voxels * voxel_volume,
        "found_ml": tuple(size * voxel_volume for size in parts.found_sizes),
        "missed_ml": tuple(size * voxel_volume for size in parts.missed_sizes),
        "lesion_f1": find_f1(parts.found, parts.missed, parts.false_found),
    }


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
        iou=voxels.iou,
        sensitivity=voxels.sensitivity,
        voxel_precision=voxels.voxel_precision,
        volume_error=(voxels.predicted_ml - voxels.truth_ml) / voxels.truth_ml if voxels.truth_ml else None,
        hd95_mm=voxels.hd95_mm,
        assd_mm=voxels.assd_mm,
        **_describe_parts(lesions, whole.voxel_volume),
    )


def join_scores(parts: Sequence[Scores]) -> Scores:
    """Scores of the same methods on different cases, such as those of several folds."""
    first = parts[0]
    methods = {name: tuple(score for part in parts for score in part.methods[name]) for name in first.methods}
    patients = {case: patient for part in parts for case, patient in part.patients.items()}
    trust = {label: _join_trust(parts, label) for label in dict.fromkeys(key for part in parts for key in part.trust)}
    return first.model_copy(update={"methods": methods, "patients": patients, "trust": trust})


def _join_trust(parts: Sequence[Scores], label: str) -> dict[str, Trust]:
    return {case: word for part in parts for case, word in part.trust.get(label, {}).items()}
