"""The prepared cases of a run, and what a teacher tells of them: `work/teaching/fold<K>` holds a file for each."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from medunet.bundle import Bundle
from medunet.cohort import Cohort, read_cohort, split_cases
from medunet.errors import ResourceError
from medunet.findings import warn
from medunet.preparation import PreparedCase, prepare_cases

LOGGER = logging.getLogger(__name__)
TEACHER = "teacher"
"""Folder, in the work of a bundle, of the one that teaches it."""
UNLABELLED = "unlabelled.json"
"""Cohort, beside that of a bundle, of scans of which only a teacher tells."""


def prepare_fold(bundle: Bundle, fold: int) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """Prepared cases to train on, with the places of what a teacher tells of them, and those of the held-out patients.

    Args:
        bundle: that is trained.
        fold: whose patients are held out.

    Raises:
        MedunetError: there is no such fold, or a case can't be read.
    """
    cohort = bundle.cohort()
    border = bundle.plan.task.objects.border if bundle.plan.task.objects else 0
    prepare = partial(prepare_cases, steps=bundle.preprocessing, cache=bundle.work / "cache", border=border)
    training, held_out = (prepare(cohort, cases=cases) for cases in split_cases(cohort, fold))
    if bundle.plan.training.teacher is None:
        return training, held_out
    others = _read_unlabelled(bundle)
    if others is not None:
        training += _leave_out(prepare(others, cases=others.cases), held_out)
    folder = bundle.work / "teaching" / f"fold{fold}"
    return [replace(case, teaching=folder / f"{case.folder.name}.npy") for case in training], held_out


def _read_unlabelled(bundle: Bundle) -> Cohort | None:
    path = bundle.work / UNLABELLED
    return read_cohort(path) if path.is_file() else None


def _leave_out(unlabelled: Sequence[PreparedCase], held_out: Sequence[PreparedCase]) -> list[PreparedCase]:
    """Unlabelled cases without those whose images are of a held-out patient."""
    known = {digest for case in held_out for digest in case.hashes()}
    seen = [case for case in unlabelled if not known.isdisjoint(case.hashes())]
    for case in seen:
        warn(
            "patient-seen", f"unlabelled scan {case.id}", "it is of a held-out patient, so it is left out of this fold"
        )
    return [case for case in unlabelled if case not in seen]


def list_untaught(cases: Sequence[PreparedCase]) -> list[PreparedCase]:
    """Cases that have a teacher which didn't tell of them yet."""
    return [case for case in cases if case.teaching is not None and not case.teaching.is_file()]


def check_taught(folder: Path, cases: Sequence[PreparedCase], fold: int) -> None:
    """Check that the teacher told of all cases.

    Raises:
        ResourceError: it didn't.
    """
    missing = list_untaught(cases)
    if missing:
        found = f"the teacher's probabilities of {len(missing)} of {len(cases)} cases of fold {fold} aren't there"
        remedy = f"let medunet train {folder} --fold {fold} write them, on one process"
        raise ResourceError(folder, found, remedy, code="teaching-missing")
