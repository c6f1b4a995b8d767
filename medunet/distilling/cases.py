"""Of whose scans a student learns: those of the teacher's cohort, in its folds, and unlabelled ones."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from medunet.bundle import Bundle, find_rules
from medunet.cohort import (
    Case,
    Channel,
    Cohort,
    check_cohort,
    count_folds,
    find_cohort,
    find_folds,
    hash_image,
    read_channel,
    salt_hashes,
    split_cases,
)
from medunet.cohort.cases import Missing
from medunet.distilling.teaching import list_folds
from medunet.errors import BundleError, InputError, MedunetError
from medunet.findings import warn
from medunet.inference import Scan, list_inputs
from medunet.progress import track

UNSURE = "say where its folds are: in folds.json beside it, splits_final.json or cohort.json"


def find_teachers_cohort(teacher: Bundle, path: Path | None) -> Cohort:
    """The cohort that a teacher was trained on, with its folds.

    Args:
        teacher: a trained bundle.
        path: of the cohort, where the teacher came without.

    Raises:
        BundleError: it came without, and no path is given.
        InputError: it came with one, or the cohort at the path isn't that of its training.
    """
    if teacher.has_cohort:
        if path is not None:
            found = f"{teacher.name} came with its cohort, {teacher.work / 'cohort.json'}"
            raise InputError(f"--cohort {path}", found, "leave the option out", code="option-wrong")
        return teacher.cohort()
    if path is None:
        remedy = "name that with --cohort, with the folds of its training"
        raise BundleError(teacher.folder, "it came without its training cohort", remedy)
    cohort = _open(teacher, path)
    _check_folds(teacher, cohort, path)
    return cohort


def _open(teacher: Bundle, path: Path) -> Cohort:
    task = teacher.task
    missing: Missing | None = "unknown" if teacher.plan.training.partial else None
    cohort = find_cohort(path, channels=task.channels, objects=task.labels.objects, missing=missing)
    cohort = find_folds(check_cohort(cohort, str(path)), path)
    if cohort.labels.names != task.labels.names:
        found = f"its labels are {cohort.labels.describe()}"
        raise InputError(path, found, "name them alike", task.labels.describe(), code="labels-differ")
    return cohort.model_copy(update={"labels": task.labels, "missing": cohort.missing or missing})


def _check_folds(teacher: Bundle, cohort: Cohort, path: Path) -> None:
    """Check, as far as the teacher tells of its training, that these are its patients and folds."""
    folds = list_folds(teacher)
    if cohort.folds is None:
        found = f"nothing says by which network of {teacher.name} a patient was held out"
        raise InputError(path, found, UNSURE, code="folds-wrong")
    if max(folds) >= count_folds(cohort):
        found = f"it has {count_folds(cohort)} folds, but {teacher.name} a network of fold {max(folds)}"
        raise InputError(path, found, UNSURE, code="folds-wrong")
    record = teacher.metadata.training_images
    if record is None:
        found = "it doesn't tell on which images it was trained, so that the folds of the cohort are taken as they are"
        warn("patient-seen", teacher.folder, found)
        return
    seen = set(record.hashes)
    trained = split_cases(cohort, folds[0])[0] if len(folds) == 1 else cohort.cases
    for case in track(cohort.cases, "comparing with the teacher's images", len(cohort.cases)):
        image = read_channel(case, cohort.channels[0])
        own = hash_image(image.voxels, image.grid.affine)
        was_seen = not seen.isdisjoint(salt_hashes([own], record.salt))
        if was_seen != (case in trained):
            said = "held out" if was_seen else "trained on"
            found = f"case {case.id} is {said} by the folds, which it wasn't when {teacher.name} was trained"
            remedy = "correct the folds, or leave it out and give its image with --unlabelled"
            raise InputError(path, found, remedy, code="patient-seen")


def find_unlabelled(teacher: Bundle, path: Path, known: Cohort) -> Cohort:
    """Scans that a teacher can predict, as cases without labels; those that it can't are warned of.

    Args:
        teacher: whose channels they have.
        path: as of `medunet predict`.
        known: the cohort beside them, whose names they don't take.

    Raises:
        InputError: there is none.
    """
    names = {case.id for case in known.cases}
    cases = list(_list_cases(teacher, path, names))
    if not cases:
        raise InputError(f"--unlabelled {path}", "it holds no scan that the bundle can predict", "give another folder")
    return known.model_copy(update={"cases": tuple(cases), "folds": None})


def _list_cases(teacher: Bundle, path: Path, names: set[str]) -> Iterator[Case]:
    """Scans that can be read, as cases; each is read now, so that none stops a training."""
    found = list_inputs([path], teacher.task, rules=find_rules(teacher.folder, teacher.task))
    for item in track(found, "reading unlabelled scans", len(found)):
        try:
            case = _make_case(item.find(), teacher.task.channels, names)
            for channel in teacher.task.channels:
                read_channel(case, channel)
        except MedunetError as error:
            warn(error.code, item.source, f"{error.found}, so it is left out")
        else:
            yield case


def _make_case(scan: Scan, channels: Sequence[str], names: set[str]) -> Case:
    name = f"unlabelled_{scan.id}"
    while name in names:
        name += "_"
    names.add(name)
    images = {
        channel: Channel(path=str(image.path), **image.options.model_dump(exclude_unset=True))
        for channel, image in zip(channels, scan.images.values(), strict=True)
    }
    return Case(id=name, patient=name, channels=images, contoured=())
