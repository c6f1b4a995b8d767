import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import make_grid, write_series
from plans import make_test_plan, write_test_bundle
from pydicom import dcmread

import medunet
from medunet.bundle import Recipe, make_recipe, open_bundle
from medunet.errors import InputError
from medunet.inference import check_fit
from medunet.reading import read_volume


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return make_recipe(open_bundle(write_test_bundle(tmp_path / "bundle", make_test_plan())))


def test_what_is_read_is_said_in_a_line_and_what_is_unlike_training(recipe: Recipe, tmp_path: Path) -> None:
    write_series(tmp_path / "CT", make_grid())
    (read,) = check_fit(tmp_path / "CT", recipe)
    assert read.code == "scan-read"
    assert read.found.startswith("read as CT of 12 × 10 × 6 voxels of 0.7 × 1.1 × 3 mm in HU, values -")
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    read, unlike = check_fit(tmp_path / "a.nii.gz", recipe)
    assert read.found == "read as an image of 8 × 8 × 8 voxels of 1 × 1 × 1 mm, values 0 to 0"
    assert (unlike.code, unlike.subject) == ("scan-unlike", "a ct")


def test_what_predict_would_refuse_is_an_error(recipe: Recipe, tmp_path: Path) -> None:
    (missing,) = check_fit(tmp_path / "nowhere", recipe)
    assert (missing.severity, missing.code) == ("error", "path-missing")
    (tmp_path / "b.nii.gz").write_bytes(b"no image")
    (broken,) = check_fit(tmp_path / "b.nii.gz", recipe)
    assert broken.severity == "error"
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.diag([3000.0, 3000, 3000, 1])), tmp_path / "c.nii.gz")
    assert "too-large" in [item.code for item in check_fit(tmp_path / "c.nii.gz", recipe)]


def turn_to_mr(folder: Path) -> None:
    for file in folder.iterdir():
        dataset = dcmread(file)
        dataset.Modality = "MR"
        dataset.save_as(file)


def test_another_modality_is_refused_however_it_is_given(trained: Path, tmp_path: Path) -> None:
    write_series(tmp_path / "scan", make_grid())
    turn_to_mr(tmp_path / "scan")
    for given in ({"ct": tmp_path / "scan"}, tmp_path / "scan", tmp_path / "scan" / "0001.dcm"):
        with pytest.raises(medunet.MedunetError, match="MR") as caught:
            medunet.predict(trained, given, output=tmp_path / "out")
        assert caught.value.code in ("modality-differs", "channel-missing")
        assert not any((tmp_path / "out").glob("*"))
    with pytest.raises(InputError, match="it is MR, but the channel 'ct' of the bundle takes CT; give a CT scan"):
        medunet.predict(trained, {"ct": tmp_path / "scan"})


def test_warnings_stand_in_the_result_and_in_its_record(
    trained: Path, patients: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volume = read_volume(patients[0] / "CT")
    shifted = nib.Nifti1Image((volume.voxels[0] + 1024).astype(np.int16), volume.grid.affine)
    nib.save(shifted, tmp_path / "shifted.nii.gz")
    (fine,) = medunet.predict(trained, patients[0])
    assert fine.warnings == ()
    for _ in range(2):  # what was there already is as doubtful
        (made,) = medunet.predict(trained, tmp_path / "shifted.nii.gz", output=tmp_path / "out")
        assert len(made.warnings) == 1
        assert made.warnings[0].startswith("shifted ct: its values lie from 0 to ")
        assert "those of training from -10" in made.warnings[0]
    assert json.loads((tmp_path / "out" / "shifted.json").read_text())["warnings"] == list(made.warnings)
    assert "shifted ct: its values lie from 0" in caplog.text
    assert [item.code for item in medunet.check(tmp_path / "shifted.nii.gz", bundle=trained)] == [
        "scan-unlike",
        "scan-read",
    ]
    with pytest.raises(InputError, match="leave channels and labels out"):
        medunet.check(tmp_path / "shifted.nii.gz", bundle=trained, labels=medunet.LabelChoices(objects=True))
