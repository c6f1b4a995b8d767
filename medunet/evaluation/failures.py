"""What went wrong in the worst cases, by a rule that docs/reference/measures.md tells in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medunet.evaluation.scores import CaseScore, Scores

Kind = Literal["missed", "falsely found", "border", "wrong place"]
"""What most of the wrong volume is."""
TOUCHING = 0.1
"""Share of the smaller mask below which what both share is no more than a touch."""
LISTED = 10
"""Failures that a page lists."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A label of a case in which something is wrong. Volumes are in mL, or in voxels of pictures.

    Attributes:
        case: its name.
        label: which one.
        value: Dice, or the average precision of objects; None where the truth lacks the label.
        kind: what went wrong.
        missed: volume of the truth in lesions that were missed.
        false: volume of the prediction in lesions that aren't there.
        border: wrong volume besides: around lesions that were found.
    """

    case: str
    label: str
    value: float | None
    kind: Kind
    missed: float
    false: float
    border: float

    @property
    def wrong(self) -> float:
        """All of the wrong volume."""
        return self.missed + self.false + self.border


def find_failures(scores: Scores, most: int = LISTED) -> list[Failure]:
    """The worst cases of the first method, the lowest first; one for each label.

    A label that was found where there is none counts as the lowest score; of equal ones the largest wrong volume is
    the worst. What is wholly right is none.

    Args:
        scores: of any methods.
        most: how many.
    """
    found = [_judge(score, objects=scores.objects) for score in scores.of_first()]
    return sorted((item for item in found if item.wrong > 0), key=_rate, reverse=True)[:most]


def rate_failure(scores: Sequence[CaseScore], *, objects: bool = False) -> tuple[float, float]:
    """How bad a case is: greater is worse, in the order of `find_failures`.

    Args:
        scores: of its labels.
        objects: labels number objects.
    """
    found = [_judge(score, objects=objects) for score in scores]
    return max((_rate(item) for item in found if item.wrong > 0), default=(-2.0, 0.0))


def _rate(failure: Failure) -> tuple[float, float]:
    return -(failure.value or 0.0), failure.wrong


def _judge(score: CaseScore, *, objects: bool) -> Failure:
    common = (score.dice or 0.0) * (score.truth_ml + score.predicted_ml) / 2
    lacking, surplus = max(score.truth_ml - common, 0.0), max(score.predicted_ml - common, 0.0)
    missed, false = min(lacking, sum(score.missed_ml)), min(surplus, score.false_ml)
    if not score.predicted_ml:
        missed = lacking  # scores of earlier versions don't list volumes of lesions
    # What rounding of Dice leaves is no border.
    rest = lacking + surplus - missed - false
    border = rest if rest > 1e-9 * (score.truth_ml + score.predicted_ml) else 0.0
    parts: tuple[tuple[float, Kind], ...] = ((missed, "missed"), (false, "falsely found"), (border, "border"))
    kind = max(parts, key=lambda part: part[0])[1]
    smaller = min(score.truth_ml, score.predicted_ml)
    if smaller and common < TOUCHING * smaller:
        kind = "wrong place"
    value = score.precision if objects else score.dice
    return Failure(score.case, score.label, value, kind, missed, false, border)
