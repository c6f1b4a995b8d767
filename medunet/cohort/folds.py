"""Folds by patient."""

import random

from medunet.cohort.cases import Cohort

FOLDS = 5


def split_folds(cohort: Cohort, count: int = FOLDS, seed: int = 0) -> tuple[tuple[str, ...], ...]:
    """Split patients into folds of nearly equal size, shuffled by a seed.

    Args:
        cohort: at least two patients.
        count: folds; no more than there are patients.
        seed: of the shuffling.

    Returns:
        The held-out patients of each fold, sorted; each patient is held out once.
    """
    patients = sorted({case.patient for case in cohort.cases})
    random.Random(seed).shuffle(patients)  # noqa: S311 (not for secrets)
    count = min(count, len(patients))
    return tuple(tuple(sorted(patients[fold::count])) for fold in range(count))
