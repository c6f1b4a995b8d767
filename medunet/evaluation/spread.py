"""Cross-validated scores: means over all patients, each scored by the network that never saw it, and their spread."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from medunet.cohort import Case, Cohort, read_channel, read_label
from medunet.errors import InputError
from medunet.evaluation.scores import CaseScore, Scores, score_case
from medunet.labels import Mask
from medunet.progress import track
from medunet.records import Record


class SpreadRow(Record):
    """One label over all patients that hold it; a patient of several cases counts once, by their mean."""

    label: str
    patients: int
    dice: float | None
    """Mean over patients, None where none holds the label."""
    dice_sd: float | None
    """Standard deviation over patients (of a sample), None for fewer than two."""
    dice_lowest: float | None
    dice_highest: float | None
    nsd: float | None
    nsd_sd: float | None
    fold_dice: tuple[float | None, ...]
    """Mean over the patients of each fold."""


class CrossValidation(Record):
    """Scores of out-of-fold predictions."""

    version: Literal[1] = 1
    folds: tuple[tuple[str, ...], ...]
    """Held-out cases of each fold."""
    patients: dict[str, str]
    """Patient of each case."""
    summary: tuple[SpreadRow, ...]
    scores: Scores


def score_masks(
    cohort: Cohort, folds: Sequence[Sequence[Case]], find_mask: Callable[[int, Case, Mask], Mask]
) -> CrossValidation:
    """Score a mask of every held-out case.

    Args:
        cohort: of the cases.
        folds: held-out cases of each fold; none twice.
        find_mask: gives the mask of a fold's case on the grid of its truth.
    """
    scores: list[CaseScore] = []
    pairs = [(fold, case) for fold, cases in enumerate(folds) for case in cases]
    for fold, case in track(pairs, "scoring cases", len(pairs)):
        first = read_channel(case, cohort.channels[0])
        truth = read_label(cohort, case, first.grid, first.source.frame_of_reference_uid)
        scores += score_case(find_mask(fold, case, truth), truth, case.id)
    return summarize_folds(
        Scores(unit=first.grid.unit, objects=cohort.labels.objects, methods={"medunet": tuple(scores)}), folds
    )


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
    nsd = _average(own, "nsd", patients)
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
        fold_dice=tuple(map(_mean, by_fold)),
    )


def _average(scores: Sequence[CaseScore], key: Literal["dice", "nsd"], patients: Mapping[str, str]) -> dict[str, float]:
    """Mean over the cases of each patient."""
    values: dict[str, list[float]] = {}
    for score in scores:
        values.setdefault(patients[score.case], []).append(getattr(score, key))
    return {name: float(np.mean(cases)) for name, cases in values.items()}


def _mean(values: Iterable[float]) -> float | None:
    known = sorted(values)
    return float(np.mean(known)) if known else None


def _spread(values: Iterable[float]) -> float | None:
    known = sorted(values)
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def write_spread(validation: CrossValidation) -> str:
    """A line for each label, as text: mean and standard deviation over patients, and the means of the folds."""
    nsd = f"NSD {validation.scores.tolerance_mm:g}{validation.scores.unit} ± sd"
    lines = [f"{'label':12} {'patients':>8} {'Dice ± sd':>15} {'lowest':>7} {nsd:>17}  Dice of each fold"]
    for row in validation.summary:
        folds = " ".join(map(_share, row.fold_dice))
        lines.append(
            f"{row.label:12} {row.patients:>8} {_share(row.dice):>7} ± {_share(row.dice_sd):>5} "
            f"{_share(row.dice_lowest):>7} {_share(row.nsd):>9} ± {_share(row.nsd_sd):>5}  {folds}"
        )
    lines.append("over the patients that hold the label, each by the network that was trained without it")
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


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
                )
            seen[name] = fold
