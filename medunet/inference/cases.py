"""Predict the cases of a cohort, and find what was predicted of them."""

import time
from collections.abc import Sequence
from pathlib import Path

from medunet.cohort import Case
from medunet.errors import MedunetError, MissingInputError
from medunet.inference.outputs import name_mask, plan_outputs, write_outputs
from medunet.inference.predict import Predictor, predict_scan
from medunet.inference.scans import Scan
from medunet.labels import Mask
from medunet.preparation import find_images
from medunet.reading import read_mask
from medunet.records import read_record
from medunet.runs import RunRecord


def predict_case(predictor: Predictor, case: Case) -> Mask:
    """Predict one case, on the grid of its first channel.

    Raises:
        MedunetError: as `predict_scan`.
    """
    return predict_scan(predictor, _make_scan(predictor, case))


def _make_scan(predictor: Predictor, case: Case) -> Scan:
    return Scan(case.id, find_images(case, predictor.recipe.task.channels))


def predict_cases(predictor: Predictor, cases: Sequence[Case], folder: Path) -> None:
    """Predict cases into `<case>.nii.gz` (`.png` of pictures), each with a run record, both whole or not at all.

    What the same weights have predicted already stays; what others have is replaced.

    Args:
        predictor: with what.
        cases: of a cohort.
        folder: made if it isn't there.

    Raises:
        MedunetError: as `predict_scan`.
    """
    for case in cases:
        path = folder / name_mask(case.id, predictor.recipe.task.unit)
        record = folder / f"{case.id}.json"
        if path.is_file() and _list_weights(record) == set(predictor.weights.values()):
            continue
        path.unlink(missing_ok=True)
        scan, started = _make_scan(predictor, case), time.monotonic()
        outputs = plan_outputs(predictor.recipe, scan, folder)
        write_outputs(outputs, predict_scan(predictor, scan), predictor, started)


def _list_weights(record: Path) -> set[str]:
    """SHA-256 of the weights of a run record; none where it can't be read."""
    try:
        return set(read_record(record, RunRecord).inputs.values())
    except MedunetError:
        return set()


def find_prediction(folder: Path, case: Case, truth: Mask) -> Mask:
    """Read what was predicted of a case.

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
    return read_mask(path, truth.grid, truth.table)
