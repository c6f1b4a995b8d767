"""Folds by patient."""

import logging
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medunet.cohort.cases import Case, Cohort, check_folds
from medunet.cohort.rare_labels import FOLDS, Holding, spread_labels
from medunet.errors import InputError, RecordError
from medunet.records import read_json, suggest

LOGGER = logging.getLogger(__name__)
GIVEN = ("folds.json", "splits_final.json")
"""Files beside a cohort that hold its folds; the second is nnU-Net's."""


def split_folds(
    cohort: Cohort,
    count: int = FOLDS,
    seed: int = 0,
    volumes: Mapping[str, float] | None = None,
    labels: Holding | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Split patients into folds of nearly equal size, shuffled by a seed.

    With volumes, each fold gets one of the `count` patients with the largest, one of the `count` next, and so on; who
    of them decides the least total so far. So folds hold out small and large lesions alike, also where a few patients
    have most of the volume, and as many patients without any label each.

    A label that no more patients than folds hold is spread, so that none of them share a fold, and no fold holds out
    all who hold a label; as few patients as that takes change places, with others of nearly the same volume.

    Args:
        cohort: at least two patients.
        count: folds; no more than there are patients.
        seed: of the shuffling; with volumes it orders equal ones, and the folds.
        volumes: of all labels of each patient, in any unit.
        labels: names of the labels that each patient holds.

    Returns:
        The held-out patients of each fold, sorted; each patient is held out once.
    """
    patients = sorted({case.patient for case in cohort.cases})
    chance = random.Random(seed)  # noqa: S311 (not for secrets)
    chance.shuffle(patients)
    count = min(count, len(patients))
    folds: list[list[str]] = [patients[fold::count] for fold in range(count)]
    if volumes is not None:
        folds = _balance(sorted(patients, key=lambda name: -volumes[name]), volumes, count)
        chance.shuffle(folds)
    if labels is not None:
        spread_labels(folds, labels, volumes or {})
    return tuple(tuple(sorted(fold)) for fold in folds)


def _balance(patients: list[str], volumes: Mapping[str, float], count: int) -> list[list[str]]:
    """Deal out patients, largest first, to the fold of the fewest patients, of these to that of the least volume."""
    folds: list[list[str]] = [[] for _ in range(count)]

    def rank(fold: list[str], healthy: bool) -> tuple[int, int, float]:
        without = sum(volumes[name] == 0 for name in fold) if healthy else 0
        return len(fold), without, sum(volumes[name] for name in fold)

    for name in patients:
        min(folds, key=lambda fold: rank(fold, volumes[name] == 0)).append(name)
    return folds


def fold_cohort(
    cohort: Cohort, path: Path, volumes: Mapping[str, float] | None = None, labels: Holding | None = None
) -> Cohort:
    """A cohort with folds: its own, those of a `folds.json` or `splits_final.json` beside it, or five that are made.

    Args:
        cohort: at least two patients.
        path: where it was found.
        volumes: of all labels of each patient, where they are known: each fold then holds out small and large ones.
        labels: that each patient holds, where they are known: rare ones are then spread over the folds.

    Raises:
        RecordError: the file beside it can't be used.
    """
    given = find_folds(cohort, path)
    if given.folds is not None:
        return given
    return given.model_copy(update={"folds": split_folds(cohort, volumes=volumes, labels=labels)})


def find_folds(cohort: Cohort, path: Path) -> Cohort:
    """The cohort with the folds that it or a file beside it gives; without folds where none are given."""
    if cohort.folds is not None:
        return cohort
    folder = path if path.is_dir() else path.parent
    for given in (folder / name for name in GIVEN):
        if given.is_file():
            LOGGER.info("folds are those of %s", given)
            return read_folds(given, cohort)
    return cohort


def read_folds(path: Path, cohort: Cohort) -> Cohort:
    """Read given folds for a cohort.

    Args:
        path: JSON with the held-out patients or cases of each fold: a list of lists, an object of lists ("0", "1",
            …), or nnU-Net's `splits_final.json` (a list of objects with `val`).
        cohort: whose patients they are; those in no fold are never held out.

    Raises:
        RecordError: it is none of these, names unknown patients, or a fold holds out nobody or everybody.
    """
    content = read_json(path)
    if isinstance(content, dict):
        content = [content[key] for key in sorted(content, key=lambda key: (len(key), key))]
    if not isinstance(content, list) or not content:
        raise RecordError(
            path, "it lists no folds", 'write them like [["patient 1", "patient 2"], ["patient 3"]]', code="folds-wrong"
        )
    patient_of = {case.id: case.patient for case in cohort.cases} | {
        case.patient: case.patient for case in cohort.cases
    }
    folds = tuple(_read_fold(path, number, fold, patient_of) for number, fold in enumerate(content))
    changed = cohort.model_copy(update={"folds": folds})
    check_folds(changed, path)
    return changed


def _read_fold(path: Path, number: int, fold: Any, patient_of: dict[str, str]) -> tuple[str, ...]:
    names = fold.get("val") if isinstance(fold, dict) else fold
    if not isinstance(names, list):
        found = f"fold {number} is no list of patients"
        raise RecordError(path, found, 'write it like ["patient 1", "patient 2"]', code="folds-wrong")
    for name in names:
        if name not in patient_of:
            found = f"fold {number} holds out '{name}', a patient of no case"
            raise RecordError(path, found, suggest(str(name), sorted(patient_of)), code="folds-wrong")
    return tuple(sorted({patient_of[name] for name in names}))


def count_folds(cohort: Cohort) -> int:
    """Folds of a cohort, its own or those of `split_folds`."""
    return len(cohort.folds or split_folds(cohort))


def split_cases(cohort: Cohort, fold: int) -> tuple[list[Case], list[Case]]:
    """Training and held-out cases of a fold, by patient.

    Raises:
        InputError: there is no such fold.
    """
    folds = cohort.folds or split_folds(cohort)
    if not 0 <= fold < len(folds):
        raise InputError(
            "--fold", f"there is no fold {fold}", f"choose one from 0 to {len(folds) - 1}", code="option-wrong"
        )
    held_out = set(folds[fold])
    training = [case for case in cohort.cases if case.patient not in held_out]
    return training, [case for case in cohort.cases if case.patient in held_out]
