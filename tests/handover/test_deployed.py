"""MONAI Deploy's application predicts a made-up case, where its SDK is; else it is said that it was left out."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import medunet
from medunet.bundle import make_recipe, open_bundle
from medunet.errors import BundleError
from medunet.handover.deployed import predict_deployed, tell_unfit
from medunet.handover.selftest import read_selftest, write_selftest
from medunet.inference import open_predictor

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-deploy" / "bin" / "python"
needs_sdk = pytest.mark.skipif(not PYTHON.exists(), reason="make deploy-env brings the environment of MONAI Deploy")


@pytest.fixture(scope="module")
def proven(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a self-test."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("proven") / "b"))
    write_selftest(folder)
    return folder


@needs_sdk
def test_its_labels_are_those_of_the_self_test(proven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_predictor(open_bundle(proven)) as predictor:
        case, recipe = read_selftest(proven, predictor), predictor.recipe
    assert case.mask.voxels.any()
    images = case.scan().images
    with pytest.raises(BundleError, match=r"MONAI Deploy can't predict the self-test .*medunet\[deploy\]") as caught:
        predict_deployed(proven, images, case.mask.grid, recipe)
    assert caught.value.code == "bundle-selftest"
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(sys, "executable", str(PYTHON))
    mask = predict_deployed(proven, images, case.mask.grid, recipe)
    assert np.array_equal(mask.voxels, case.mask.voxels)


def test_what_it_cannot_take_is_said(proven: Path) -> None:
    recipe = make_recipe(open_bundle(proven))
    task = recipe.task

    def tell(**change: object) -> str:
        return tell_unfit(replace(recipe, task=task.model_copy(update=change)))

    assert "its SDK isn't installed" in tell_unfit(recipe)
    assert "pictures" in tell(unit="px")
    assert "the channel ct more" in tell(components={"ct": 2})
    assert "the channel ct is something else" in tell(modalities={"ct": "US"})
    (said,) = [item for item in medunet.check_bundle(proven) if "MONAI Deploy" in item.found]
    assert (said.severity, "left out" in said.found, "SDK" in said.found) == ("note", True, True)


@needs_sdk
@pytest.mark.slow
def test_four_ways_give_the_labels_of_a_shipped_bundle(tmp_path: Path) -> None:
    """In the environment of MONAI Deploy, which has no OpenVINO: CT and PET, five folds."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    report = tmp_path / "found.json"
    command = [PYTHON, "-m", "medunet", "bundle", "check", ROOT / "bundles" / "sts_petct_unet3d", "--json", report]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [item["found"] for item in json.loads(report.read_text())["findings"] if "self-test by" in item["found"]]
    assert said == [
        f"self-test by {name}: the same labels" for name in ("medunet by torch", "MONAI alone", "MONAI Deploy")
    ]
