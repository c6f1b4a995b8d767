"""Choose whom a bundle is scored on: patients that it wasn't trained on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medunet.bundle import Bundle, ForeignBundle
from medunet.cohort import (
    Case,
    Cohort,
    check_labelled,
    count_folds,
    find_cohort,
    hash_image,
    salt_hashes,
    split_cases,
)
from medunet.errors import InputError
from medunet.findings import warn
from medunet.labels import LabelTable, simplify_name
from medunet.reading import Volume
from medunet.task import Task


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom a bundle is scored on, and on whom its floors are fitted.

    Attributes:
        fold: whose network is scored: of an ensemble "all", or each fold for its own held-out patients.
        own: the cohort of its training, None where it didn't come along.
        training: the cases of `own` that it was trained on.
        cohort: the one that is scored.
        cases: of it.
    """

    fold: int | Literal["all"]
    own: Cohort | None
    training: Sequence[Case]
    cohort: Cohort
    cases: Sequence[Case]


def choose_cases(bundle: Bundle | ForeignBundle, path: Path | None) -> list[Choice]:
    """Choose the held-out patients of the trained fold, those of each fold of an ensemble, or all of another cohort.

    Args:
        bundle: a trained one.
        path: of the other cohort.

    Raises:
        BundleError: the bundle came without its cohort, and no other is given.
        InputError: the other cohort has other labels, or a patient of training.
    """
    if isinstance(bundle, ForeignBundle):
        others = _open_foreign(path, bundle)
        return [Choice("all", None, [], others, others.cases)]
    fold = bundle.trained().fold
    if path is None:
        own = bundle.cohort()
        folds = range(count_folds(own)) if fold == "all" else [fold]
        return [Choice(number, own, training, own, cases) for number, (training, cases) in _split(own, folds)]
    known = bundle.cohort() if bundle.has_cohort else None
    training = [] if known is None else list(known.cases) if fold == "all" else split_cases(known, fold)[0]
    others = _open_others(path, bundle.task, training)
    if others.missing is None and known is not None:
        others = others.model_copy(update={"missing": known.missing})
    return [Choice(fold, known, training, others, others.cases)]


def open_memory(bundle: Bundle | ForeignBundle, choice: Choice) -> Callable[[Volume], bool]:
    """What tells whether an image, a case's first channel, is one that a bundle was trained on.

    Where nothing can tell it that is said, once.

    Args:
        bundle: a trained one.
        choice: of whom it is scored on; of its own cohort the folds tell it.
    """
    known = bundle.metadata.training_images
    if choice.own is not None and (known is None or choice.cohort is choice.own):
        return lambda _: False
    if known is None:
        found = "it came without its training cohort and without hashes of its images, so that nothing tells"
        warn("patient-seen", bundle.folder, f"{found} whether a case was among them", "ask whoever made it")
        return lambda _: False
    hashes, salt = set(known.hashes), known.salt
    return lambda image: not hashes.isdisjoint(salt_hashes([hash_image(image.voxels, image.grid.affine)], salt))


def _split(cohort: Cohort, folds: Iterable[int]) -> Iterator[tuple[int, tuple[list[Case], list[Case]]]]:
    return ((fold, split_cases(cohort, fold)) for fold in folds)


def _open_foreign(path: Path | None, bundle: ForeignBundle) -> Cohort:
    """A cohort for a bundle from elsewhere; its only channel may have any name, and labels are matched one by one."""
    if path is None:
        return bundle.cohort()
    task = bundle.task
    several = task.channels if len(task.channels) > 1 else None
    others = check_labelled(find_cohort(path, channels=several), str(path))
    if len(others.channels) != len(task.channels):
        found = f"its channels are {', '.join(others.channels)}"
        remedy = "list only those of the bundle in a cohort.json"
        raise InputError(path, found, remedy, ", ".join(task.channels), code="channel-missing")
    matched = match_labels(others.labels, task.labels, str(path))
    names = {simplify_name(label.name) for label in task.labels.labels}
    if matched and not any(simplify_name(name) in names for name in others.labels.names):
        warn("labels-differ", path, "no label is called as by the bundle, so that they are matched by their values")
    if several:
        return others
    (before,), (name,) = others.channels, task.channels
    cases = [case.model_copy(update={"channels": {name: case.channels[before]}}) for case in others.cases]
    modalities = {name: others.modalities[before]}
    return others.model_copy(update={"channels": (name,), "modalities": modalities, "cases": tuple(cases)})


def match_labels(wanted: LabelTable, given: LabelTable, subject: str) -> dict[int, int]:
    """Find the labels of a cohort among those of a bundle: by name, or all by value where no name is alike.

    Args:
        wanted: the cohort's.
        given: the bundle's, which may be more.
        subject: the cohort, for messages.

    Returns:
        The cohort's value by the bundle's.

    Raises:
        InputError: a label is missing.
    """
    known = {simplify_name(label.name): label.value for label in given.labels}
    found = {known[name]: label.value for label in wanted.labels if (name := simplify_name(label.name)) in known}
    if not found and len(wanted.labels) <= len(given.labels):
        return {label.value: label.value for label in wanted.labels}
    if len(found) < len(wanted.labels):
        said = f"its labels are {wanted.describe()}"
        raise InputError(subject, said, "name them alike", given.describe(), code="labels-differ")
    return found


def _open_others(path: Path, task: Task, training: Sequence[Case]) -> Cohort:
    """A cohort that the bundle wasn't trained on, with the same labels."""
    others = check_labelled(find_cohort(path, channels=task.channels, objects=task.labels.objects), str(path))
    if others.labels.names == task.labels.names and not others.labels.regions:
        # Regions are those of the bundle, whoever named them.
        others = others.model_copy(update={"labels": task.labels})
    if [region.name for region in others.labels.structures] != [region.name for region in task.labels.structures]:
        found = f"its labels are {others.labels.describe()}"
        raise InputError(path, found, "name them alike", task.labels.describe(), code="labels-differ")
    known = {case.patient for case in training}
    for case in others.cases:
        if case.patient in known:
            raise InputError(
                path, f"patient {case.patient} was in training", "score patients that were not", code="patient-seen"
            )
    return others
