"""Predict the cases of a cohort, and find what was predicted of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medunet.cohort import Case
from medunet.errors import MissingInputError
from medunet.geometry import Unit
from medunet.inference.jobs import Wanted, predict_found
from medunet.inference.maker import Maker
from medunet.inference.outputs import name_mask
from medunet.inference.predict import Predictor, predict_scan
from medunet.inference.record import find_record
from medunet.inference.sampling import LogitSamples
from medunet.inference.scans import Scan
from medunet.labels import Mask
from medunet.preparation import find_images
from medunet.reading import read_mask
from medunet.writing import find_usual

LISTED = 20
"""Masks that a sentence lists."""


def predict_case(predictor: Predictor, case: Case, samples: LogitSamples | None = None) -> Mask:
    """Predict one case, on the grid of its first channel.

    Args:
        predictor: with what.
        case: of a cohort.
        samples: are given the logits of their voxels.

    Raises:
        MedunetError: as `predict_scan`.
    """
    return predict_scan(predictor, _make_scan(predictor, case), maps=samples)


def _make_scan(predictor: Predictor, case: Case) -> Scan:
    return Scan(case.id, find_images(case, predictor.recipe.task.channels))


def predict_cases(predictor: Predictor, cases: Sequence[Case], folder: Path) -> None:
    """Predict cases into `<case>.nii.gz` (`.png` of pictures), each with a run record, both whole or not at all.

    What the same weights have predicted of the same images already stays; what others have made is replaced.

    Args:
        predictor: with what.
        cases: of a cohort.
        folder: made if it isn't there.

    Raises:
        MedunetError: a case is refused.
    """
    wanted = Wanted((find_usual(predictor.recipe.task.unit),), folder, overwrite=True)
    maker = Maker(predictor.recipe, predictor.weights, lambda: predictor, predictor.computed)
    for case in cases:
        predict_found(case.id, _make_scan(predictor, case), wanted, maker)


def check_predictions(folder: Path, cases: Sequence[Case], unit: Unit) -> None:
    """Check that every case was predicted, before any is read.

    Args:
        folder: of `predict_cases` or `medunet predict`.
        cases: of a cohort.
        unit: of their grids.

    Raises:
        MissingInputError: masks aren't there; all of them are named, up to twenty.
    """
    if not folder.is_dir():
        raise MissingInputError(folder, "it is no folder", "give the one that medunet predict wrote masks to")
    missing = [name for case in cases if not (folder / (name := name_mask(case.id, unit))).is_file()]
    if missing:
        listed = ", ".join(missing[:LISTED]) + (", …" if len(missing) > LISTED else "")
        found = f"{len(missing)} of {len(cases)} masks are missing: {listed}"
        raise MissingInputError(folder, found, "predict these cases first")


def find_prediction(folder: Path, case: Case, truth: Mask) -> Mask:
    """Read what was predicted of a case, with how far it can be relied on where its run record says so.

    Args:
        folder: of `predict_cases` or `medunet predict`.
        case: whose.
        truth: gives grid and label table.

    Raises:
        MissingInputError: it isn't there.
        MedunetError: it can't be read, or lies on another grid.
    """
    path = folder / name_mask(case.id, truth.grid.unit)
    if not path.is_file():
        raise MissingInputError(path, f"there is no prediction of case {case.id}", "predict it first")
    record = find_record(folder / f"{case.id}.json")
    return replace(read_mask(path, truth.grid, truth.table), confidence=record.confidence if record else None)
