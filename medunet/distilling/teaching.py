"""What a teacher tells of the training cases of a fold: its probabilities, each written once."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from medunet.bundle import Bundle, open_bundle
from medunet.cohort import Case, read_cohort
from medunet.errors import InputError
from medunet.files import whole_file
from medunet.inference import Scan, open_predictor, predict_onto
from medunet.preparation import PreparedCase, find_images
from medunet.preparation.resample import Box
from medunet.progress import track
from medunet.training import list_untaught, prepare_fold
from medunet.training.prepared import TEACHER, UNLABELLED

LOGGER = logging.getLogger(__name__)


def teach_fold(folder: Path, fold: int) -> None:
    """Write what the teacher's network of a fold tells of the training cases of that fold, as far as it isn't there.

    Probabilities lie on the grid of the student's network, as 8 bits, in `work/teaching/fold<K>`. A bundle without a
    teacher stays as it is.

    Args:
        folder: a bundle.
        fold: whose patients are held out.

    Raises:
        InputError: the teacher has no network of this fold.
        MedunetError: a case can't be read.
    """
    bundle = open_bundle(folder)
    if bundle.plan.training.teacher is None:
        return
    teacher = open_bundle(bundle.work / TEACHER)
    check_fold(teacher, fold)
    training, _ = prepare_fold(bundle, fold)
    missing = list_untaught(training)
    if missing:
        _write_missing(bundle, teacher, fold, missing)
        _tell_size(training, bundle.plan.training.teacher.name)


def check_fold(teacher: Bundle, fold: int) -> None:
    """Check that a teacher has a network that never saw the patients of a fold.

    Raises:
        InputError: it has none.
    """
    known = list_folds(teacher)
    if fold not in known:
        found = f"the teacher has no network of this fold, only of {', '.join(map(str, known))}"
        remedy = "choose one of these, since the others have seen patients of it"
        raise InputError(f"--fold {fold}", found, remedy, code="option-wrong")


def list_folds(teacher: Bundle) -> list[int]:
    """Folds of which a teacher has a network.

    Raises:
        BundleError: it wasn't trained.
    """
    own = teacher.trained().fold
    names = sorted(teacher.metadata.fold_weights)
    return [int(name.removeprefix("model_fold").removesuffix(".pt")) for name in names] if own == "all" else [own]


def choose_fold(folder: Path) -> int | None:
    """The fold that a student is trained for where nobody says one: the teacher's, None for all where it has all."""
    teacher = open_bundle(open_bundle(folder).work / TEACHER)
    return None if teacher.trained().fold == "all" else list_folds(teacher)[0]


def _write_missing(bundle: Bundle, teacher: Bundle, fold: int, missing: Sequence[PreparedCase]) -> None:
    cases = _name_cases(bundle)
    count, exclusive = bundle.plan.count_taught(), not bundle.plan.task.labels.regions
    with open_predictor(teacher, fold) as predictor:
        for prepared in track(missing, "predicting what is taught", len(missing)):
            scan = Scan(prepared.id, find_images(cases[prepared.id], bundle.task.channels))
            told = np.zeros((count, *prepared.label().shape), np.uint8)
            predict_onto(predictor, scan, prepared.grid(), _Kept(told, exclusive=exclusive))
            if prepared.teaching is not None:
                with whole_file(prepared.teaching) as part, part.open("wb") as stream:
                    np.save(stream, told)


def _name_cases(bundle: Bundle) -> dict[str, Case]:
    path = bundle.work / UNLABELLED
    others = read_cohort(path).cases if path.is_file() else ()
    return {case.id: case for case in (*bundle.cohort().cases, *others)}


class _Kept:
    """Takes logits of boxes and keeps their probabilities, in 255 parts."""

    def __init__(self, told: npt.NDArray[np.uint8], *, exclusive: bool) -> None:
        self._told = told
        self._exclusive = exclusive

    def __call__(self, scores: torch.Tensor, box: Box) -> None:
        likely = scores.softmax(0)[1:] if self._exclusive else scores.sigmoid()
        self._told[(slice(None), *box)] = (255 * likely).round().to(torch.uint8).numpy()


def _tell_size(training: Sequence[PreparedCase], name: str) -> None:
    files = [case.teaching for case in training if case.teaching is not None]
    size = sum(path.stat().st_size for path in files) / 2**20
    LOGGER.info("%s: what %s tells of %d cases, %.1f MiB", files[0].parent, name, len(files), size)
