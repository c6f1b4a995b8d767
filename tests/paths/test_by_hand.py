"""The five commands of the README, as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import medunet


def run(*arguments: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "medunet", *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def test_predict_writes_a_mask_on_the_grid_of_the_scan(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    out = run("predict", trained, patients[0], patients[3] / "CT", "-o", tmp_path / "masks")
    assert "peak memory" in out
    for name, scan in ((patients[0].name, patients[0]), ("CT", patients[3])):
        mask = nib.load(tmp_path / "masks" / f"{name}.nii.gz")
        grid = medunet.read_volume(scan / "CT").grid
        assert mask.shape == grid.shape
        assert np.allclose(mask.affine, grid.affine, atol=1e-4)
        assert mask.get_data_dtype() == np.uint8
        table = json.loads(mask.header.extensions[0].get_content())
        assert table["labels"][0]["name"] == "lesion"
        record = json.loads((tmp_path / "masks" / f"{name}.json").read_text())
        assert record["versions"]["monai"]
        assert record["peak_memory_gib"] > 0


def test_predict_refuses_to_overwrite_before_it_works(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    (tmp_path / f"{patients[0].name}.nii.gz").write_text("mine")
    message = run("predict", trained, patients[0], "-o", tmp_path, code=2)
    assert "exists already" in message
    assert (tmp_path / f"{patients[0].name}.nii.gz").read_text() == "mine"


def test_evaluate_scores_the_held_out_patients_beside_floors(trained: Path, tmp_path: Path) -> None:
    out = run("evaluate", trained, "-o", tmp_path / "evaluation")
    assert all(word in out for word in ("medunet", "ellipsoid", "threshold", "report.html"))
    assert "<html" in (tmp_path / "evaluation" / "report.html").read_text()
    assert (tmp_path / "evaluation" / "overview.png").stat().st_size > 10_000
    scores = json.loads((tmp_path / "evaluation" / "scores.json").read_text())
    assert set(scores["methods"]) == {"medunet", "ellipsoid", "threshold"}


def test_plan_gives_every_number_its_reason(trained: Path) -> None:
    out = run("plan", trained, "--explain")
    assert out.count("because:") >= 7
    assert "Isensee 2021" in out


def test_masks_from_python_equal_those_of_the_command(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    run("predict", trained, patients[1], "-o", tmp_path)
    written = np.asarray(nib.load(tmp_path / f"{patients[1].name}.nii.gz").dataobj)
    (made,) = medunet.predict(trained, patients[1])
    assert made.path is None
    assert np.array_equal(made.mask.voxels, written)
    by_name = medunet.predict(trained, {"ct": patients[1] / "CT"})[0]
    assert np.array_equal(by_name.mask.voxels, written)


@pytest.mark.parametrize("option", ["--help"])
def test_every_command_explains_itself(option: str) -> None:
    for verb in ("init", "plan", "train", "predict", "evaluate"):
        assert "BUNDLE" in run(verb, option)
