from pathlib import Path

import numpy as np
import pytest

from medunet.bundle import open_bundle
from medunet.errors import BundleError, ResourceError
from medunet.inference import find_scan, open_predictor, predict_scan
from medunet.inference import predict as module
from medunet.inference.backends import TorchBackend
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


def test_logits_that_do_not_fit_the_memory_are_refused_before_the_network_runs(
    trained: Path, patients: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = open_bundle(trained)
    predictor, scan = open_predictor(bundle), find_scan(patients[0], bundle.plan.task)
    needed = []
    monkeypatch.setattr(module, "find_free_memory", lambda: needed.append(1) or 2**10)
    monkeypatch.setattr(TorchBackend, "run", lambda *_: pytest.fail("the network ran"))
    with pytest.raises(ResourceError, match=r"the logits of its 2 classes take .* GiB, and 0\.0 are free; .*--box"):
        predict_scan(predictor, scan)
    assert needed
