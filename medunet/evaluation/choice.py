"""Choose whom a bundle is scored on: patients that it wasn't trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medunet.bundle import Bundle
from medunet.cohort import Case, Cohort, check_labelled, find_cohort, split_cases
from medunet.errors import InputError
from medunet.planning import Plan


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom a bundle is scored on, and on whom its floors are fitted.

    Attributes:
        own: the cohort of its training, None where it didn't come along.
        training: the cases of `own` that it was trained on.
        cohort: the one that is scored.
        cases: of it.
    """

    own: Cohort | None
    training: Sequence[Case]
    cohort: Cohort
    cases: Sequence[Case]


def choose_cases(bundle: Bundle, path: Path | None) -> Choice:
    """Choose the held-out patients of the trained fold, or all of another cohort.

    Args:
        bundle: a trained one.
        path: of the other cohort.

    Raises:
        BundleError: the bundle came without its cohort, and no other is given.
        InputError: the other cohort has other labels, or a patient of training.
    """
    fold = bundle.metadata["training"]["fold"]
    if path is None:
        own = bundle.cohort()
        training, held_out = split_cases(own, fold)
        return Choice(own, training, own, held_out)
    known = bundle.cohort() if bundle.has_cohort else None
    training = split_cases(known, fold)[0] if known else []
    others = _open_others(path, bundle.plan, training)
    return Choice(known, training, others, others.cases)


def _open_others(path: Path, plan: Plan, training: Sequence[Case]) -> Cohort:
    """A cohort that the bundle wasn't trained on, with the same labels."""
    others = check_labelled(find_cohort(path, channels=plan.channels, objects=plan.labels.objects), str(path))
    if others.labels.names != plan.labels.names:
        raise InputError(
            path, f"its labels are {', '.join(others.labels.names)}", "name them alike", ", ".join(plan.labels.names)
        )
    known = {case.patient for case in training}
    for case in others.cases:
        if case.patient in known:
            raise InputError(path, f"patient {case.patient} was in training", "score patients that were not")
    return others
