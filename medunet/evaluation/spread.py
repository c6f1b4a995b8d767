"""Cross-validated scores: means over all patients, each scored by the network that never saw it, and their spread."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from medunet.cohort import Case
from medunet.errors import InputError
from medunet.evaluation.scores import CaseScore, Scores
from medunet.records import Record


class SpreadRow(Record):
    """One label over all patients that hold it; a patient of several cases counts once, by their mean."""

    label: str
    """Name of the label or region."""
    patients: int
    """Patients that hold it."""
    dice: float | None
    """Mean over patients, None where none holds the label."""
    dice_sd: float | None
    """Standard deviation over patients (of a sample), None for fewer than two."""
    dice_lowest: float | None
    """Lowest Dice of a patient."""
    dice_highest: float | None
    """Highest Dice of a patient."""
    nsd: float | None
    """Mean surface Dice over patients, by area."""
    nsd_sd: float | None
    """Its standard deviation over patients."""
    nsd_voxels: float | None = None
    """Mean surface Dice over patients, by counting voxels."""
    nsd_voxels_sd: float | None = None
    """Its standard deviation over patients."""
    fold_dice: tuple[float | None, ...]
    """Mean over the patients of each fold that hold it."""
    fold_patients: tuple[int, ...] = ()
    """How many these are."""


class CrossValidation(Record):
    """Scores of out-of-fold predictions."""

    version: Literal[2] = 2
    """Version of this record; in version 1 `nsd` of the summary is what is `nsd_voxels` now."""
    folds: tuple[tuple[str, ...], ...]
    """Held-out cases of each fold."""
    patients: dict[str, str]
    """Patient of each case."""
    summary: tuple[SpreadRow, ...]
    """A row for each label."""
    scores: Scores
    """Scores of each case, by the network that never saw its patient."""


def summarize_folds(scores: Scores, folds: Sequence[Sequence[Case]]) -> CrossValidation:
    """Means and spread of the first method.

    Args:
        scores: of all cases of the folds.
        folds: held-out cases of each fold.
    """
    patients = {case.id: case.patient for cases in folds for case in cases}
    ids = tuple(tuple(case.id for case in cases) for cases in folds)
    rows = tuple(_summarize_label(scores, label, ids, patients) for label in scores.labels)
    return CrossValidation(folds=ids, patients=patients, summary=rows, scores=scores)


def _summarize_label(
    scores: Scores, label: str, folds: Sequence[Sequence[str]], patients: Mapping[str, str]
) -> SpreadRow:
    own = [score for score in scores.of_first() if score.label == label and score.dice is not None]
    dice = _average(own, "dice", patients)
    nsd, voxels = (_average(own, key, patients) for key in ("nsd", "nsd_voxels"))
    by_fold = [[dice[name] for name in {patients[case] for case in fold} if name in dice] for fold in folds]
    return SpreadRow(
        label=label,
        patients=len(dice),
        dice=_mean(dice.values()),
        dice_sd=_spread(dice.values()),
        dice_lowest=min(dice.values(), default=None),
        dice_highest=max(dice.values(), default=None),
        nsd=_mean(nsd.values()),
        nsd_sd=_spread(nsd.values()),
        nsd_voxels=_mean(voxels.values()),
        nsd_voxels_sd=_spread(voxels.values()),
        fold_dice=tuple(map(_mean, by_fold)),
        fold_patients=tuple(map(len, by_fold)),
    )


def _average(scores: Sequence[CaseScore], key: str, patients: Mapping[str, str]) -> dict[str, float]:
    """Mean over the cases of each patient, as far as they have a value."""
    values: dict[str, list[float]] = {}
    for score in scores:
        if (value := getattr(score, key)) is not None:
            values.setdefault(patients[score.case], []).append(value)
    return {name: float(np.mean(cases)) for name, cases in values.items()}


def _mean(values: Iterable[float]) -> float | None:
    known = sorted(values)
    return float(np.mean(known)) if known else None


def _spread(values: Iterable[float]) -> float | None:
    known = sorted(values)
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def check_held_out(folds: Sequence[Sequence[Case]], subject: str) -> None:
    """Check that no patient is held out by two folds, or it would count twice.

    Raises:
        InputError: one is.
    """
    seen: dict[str, int] = {}
    for fold, cases in enumerate(folds):
        for name in sorted({case.patient for case in cases}):
            if name in seen:
                raise InputError(
                    subject,
                    f"patient {name} is held out by fold {seen[name]} and by fold {fold}",
                    "train single folds, or give folds that don't overlap",
                    code="folds-wrong",
                )
            seen[name] = fold
