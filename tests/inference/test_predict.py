from pathlib import Path

import numpy as np
import pytest

from medunet.bundle import open_bundle
from medunet.errors import BundleError
from medunet.inference import find_scan, open_predictor, predict_scan
from medunet.reading import read_volume


def test_a_mask_lies_on_the_grid_of_its_scan(trained: Path, patients: list[Path]) -> None:
    bundle = open_bundle(trained)
    predictor = open_predictor(bundle)
    assert len(predictor.weights_sha256) == 64
    for patient in patients[:4]:
        mask = predict_scan(predictor, find_scan(patient, bundle.plan.task))
        grid = read_volume(patient / "CT").grid
        assert mask.grid.shape == grid.shape
        assert np.array_equal(mask.grid.affine, grid.affine)


def test_no_weights_no_predictor(untrained: Path) -> None:
    with pytest.raises(BundleError, match="no weights"):
        open_predictor(open_bundle(untrained))


def test_a_predictor_closes_its_backend(trained: Path, patients: list[Path]) -> None:
    bundle = open_bundle(trained)
    with open_predictor(bundle) as predictor:
        assert predict_scan(predictor, find_scan(patients[0], bundle.plan.task)).voxels.size
    with pytest.raises(RuntimeError, match="isn't open"):
        predict_scan(predictor, find_scan(patients[0], bundle.plan.task))
