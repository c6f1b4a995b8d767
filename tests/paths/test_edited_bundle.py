"""A bundle that somebody edited: `medunet predict` and MONAI alone follow the same file, and what differs is named."""

import logging
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from stock import in_float32, measure_dice, run_monai

import medunet
from medunet.errors import MissingInputError
from medunet.records import read_json, write_json


@pytest.fixture
def edited(trained: Path, tmp_path: Path) -> Path:
    """Another window and chain in inference.json, another patch and overlap in plan.json, one pair unlike the other."""
    bundle = Path(shutil.copytree(trained, tmp_path / "edited"))
    inference = read_json(bundle / "configs" / "inference.json")
    patch = inference["inferer"]["roi_size"]
    steps = np.prod(inference["network_def"]["strides"], axis=0).tolist()
    inference["inferer"] |= {"roi_size": [n + s for n, s in zip(patch, steps, strict=True)], "overlap": 0.1}
    for step in inference["preprocessing"]["transforms"]:
        if step["_target_"] == "Spacingd":
            step["pixdim"] = [0.8 * size for size in step["pixdim"]]
        if step["_target_"] == "ScaleIntensityRanged":
            step["b_max"] *= 0.7
    write_json(bundle / "configs" / "inference.json", inference)
    plan = read_json(bundle / "configs" / "plan.json")
    plan["window"] = {"patch": [2 * step for step in steps], "overlap": 0.75}
    write_json(bundle / "configs" / "plan.json", plan)
    return bundle


def test_an_edited_bundle_predicts_what_monai_alone_does(
    trained: Path, edited: Path, patients: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volume = medunet.read_volume(patients[0] / "CT")
    (tmp_path / "scans").mkdir()
    image = nib.Nifti1Image(np.ascontiguousarray(volume.voxels[0]), volume.grid.affine)
    image.set_qform(volume.grid.affine, 1)
    nib.save(image, tmp_path / "scans" / "a.nii.gz")
    with in_float32():
        (before,) = medunet.predict(trained, tmp_path / "scans" / "a.nii.gz", backend="torch")
        assert "plan.json" not in caplog.text
        (done,) = medunet.predict(edited, tmp_path / "scans" / "a.nii.gz", backend="torch")
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    for key in ("window.patch", "window.overlap", "grid"):
        assert sum(f": {key} of plan.json differs from inference.json" in line for line in said) == 1, key
    config = edited / "configs" / "inference.json"
    options = ("--dataset_dir", tmp_path / "scans", "--output_dir", tmp_path / "out")
    run_monai("run", "--config_file", config, *options, cwd=tmp_path)
    ours, theirs = done.mask.voxels, np.asarray(nib.load(tmp_path / "out" / "a_mask.nii.gz").dataobj)
    assert ours.any(), "agreement on nothing proves nothing"
    assert measure_dice(ours, theirs) >= 0.999
    assert ndimage.label(ours)[1] == ndimage.label(theirs)[1]
    assert measure_dice(ours, before.mask.voxels) < 0.98, "an edit that changes nothing proves nothing"


def test_the_names_of_differing_keys_come_before_anything_is_predicted(
    edited: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(MissingInputError):
        medunet.predict(edited, tmp_path / "nowhere")
    assert "window.patch of plan.json differs" in caplog.text
