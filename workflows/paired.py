"""Two methods on the same cases: differences case by case, and whether chance alone would bring them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from medunet.evaluation import Scores


@dataclass(frozen=True, slots=True)
class Difference:
    """What one method gains over another, case by case.

    Attributes:
        cases: that both scored.
        better: cases in which the first has more.
        mean: of the differences.
        lowest: of them.
        highest: of them.
        p: two-sided, of Wilcoxon's signed-rank test; 1 where no case differs.
    """

    cases: int
    better: int
    mean: float
    lowest: float
    highest: float
    p: float

    def __str__(self) -> str:
        return (
            f"{self.mean:+.3f} ({self.lowest:+.3f} to {self.highest:+.3f}), better in {self.better} of {self.cases} "
            f"cases, Wilcoxon p = {self.p:.3f}"
        )


def compare_values(first: Mapping[str, float], second: Mapping[str, float]) -> Difference:
    """Compare values of the same cases.

    Wilcoxon's test is exact for as few cases as a fold has: with 7 cases that all gain, p is 2/128 = 0.016, the least
    that there is.

    Args:
        first: value of each case.
        second: value of each of the same cases.
    """
    gains = np.array([value - second[case] for case, value in first.items()])
    p = float(stats.wilcoxon(gains).pvalue) if gains.any() else 1.0
    return Difference(
        len(gains), int((gains > 0).sum()), float(gains.mean()), float(gains.min()), float(gains.max()), p
    )


def take_values(scores: Scores, method: str, label: str, what: str = "dice") -> dict[str, float]:
    """Dice or NSD of a method by case, of the cases that hold the label."""
    held = [score for score in scores.methods[method] if score.label == label]
    return {score.case: value for score in held if (value := getattr(score, what)) is not None}


def mean_dice(scores: Scores, method: str) -> float:
    """Mean over the labels of the mean Dice over the cases that hold them."""
    values = [list(take_values(scores, method, label).values()) for label in scores.labels]
    return float(np.mean([np.mean(dice) for dice in values if dice]))
