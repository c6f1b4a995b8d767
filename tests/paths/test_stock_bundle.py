"""The bundle by MONAI alone: the same masks as `medunet predict`, and MONAI's own checks."""

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from scipy import ndimage
from stock import in_float32, measure_dice, run_monai

import medunet
from medunet.records import read_json, write_json


@pytest.fixture(scope="module")
def dataset(trained: Path, patients: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of two patients as NIfTI, and what medunet predicts of them as their labels."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "images").mkdir()
    for patient in (patients[0], patients[3]):
        volume = medunet.read_volume(patient / "CT")
        image = nib.Nifti1Image(np.ascontiguousarray(volume.voxels[0]), volume.grid.affine)
        image.set_sform(volume.grid.affine, 1)
        image.set_qform(volume.grid.affine, 1)
        nib.save(image, folder / "images" / f"{patient.name}.nii.gz")
    with in_float32():
        medunet.predict(trained, *sorted((folder / "images").iterdir()), output=folder / "labels", backend="torch")
    return folder


def test_inference_agrees_by_dice_and_components(trained: Path, dataset: Path, tmp_path: Path) -> None:
    config = trained / "configs" / "inference.json"
    run_monai(
        "run", "--config_file", config, "--dataset_dir", dataset / "images", "--output_dir", tmp_path, cwd=tmp_path
    )
    for path in sorted((dataset / "labels").glob("*.nii.gz")):
        ours, theirs = nib.load(path), nib.load(tmp_path / path.name.replace(".nii.gz", "_mask.nii.gz"))
        first, second = np.asarray(ours.dataobj), np.asarray(theirs.dataobj)
        assert first.any(), "agreement on nothing proves nothing"
        assert theirs.get_data_dtype() == np.uint8
        assert np.allclose(ours.affine, theirs.affine, atol=1e-3)
        assert measure_dice(first, second) >= 0.999
        assert ndimage.label(first)[1] == ndimage.label(second)[1]


def test_evaluation_scores_what_medunet_predicted_as_right(trained: Path, dataset: Path, tmp_path: Path) -> None:
    """Also where a label map has its axes in another order than its image."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "images").symlink_to(dataset / "images")
    for path, codes in zip(sorted((dataset / "labels").glob("*.nii.gz")), ("SPR", "LPS"), strict=True):
        stored = nib.load(path)
        turn = nib.orientations.ornt_transform(nib.io_orientation(stored.affine), nib.orientations.axcodes2ornt(codes))
        nib.save(stored.as_reoriented(turn), tmp_path / "labels" / path.name)
    config = trained / "configs" / "evaluate.json"
    run_monai("run", "--config_file", config, "--dataset_dir", tmp_path, "--output_dir", tmp_path, cwd=tmp_path)
    summary = (tmp_path / "metrics.csv").read_text()
    assert float(summary.replace(",", " ").split()[-1]) >= 0.999


def test_no_images_are_an_error(trained: Path, tmp_path: Path) -> None:
    config = trained / "configs" / "inference.json"
    out = run_monai("run", "--config_file", config, "--dataset_dir", tmp_path, cwd=tmp_path, code=1)
    assert "no image *.nii.gz or *.nii in" in out


@pytest.mark.parametrize(("name", "kind"), [("train", "train"), ("inference", "infer")])
def test_properties_are_complete(trained: Path, dataset: Path, name: str, kind: str) -> None:
    workflow = ConfigWorkflow(
        config_file=str(trained / "configs" / f"{name}.json"),
        meta_file=str(trained / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type=kind,
        bundle_root=str(trained),
        dataset_dir=str(dataset / "images"),
    )
    workflow.initialize()
    assert not workflow.check_properties()


def test_metadata_passes_with_the_schema_on_disk(trained: Path, tmp_path: Path) -> None:
    """The schema is MONAI's by its rules; the published file can't be had offline."""
    schema = Path(__file__).parents[1] / "bundle" / "meta_schema_20240725.json"
    arguments = ("--meta_file", trained / "configs" / "metadata.json", "--filepath", schema)
    out = run_monai("verify_metadata", *arguments, cwd=tmp_path)
    assert "metadata is verified with no error" in out
    broken = read_json(trained / "configs" / "metadata.json")
    del broken["network_data_format"]["outputs"]["pred"]["dtype"]
    write_json(tmp_path / "metadata.json", broken)
    run_monai("verify_metadata", "--meta_file", tmp_path / "metadata.json", "--filepath", schema, cwd=tmp_path, code=1)


def test_verify_net_and_export(trained: Path, tmp_path: Path) -> None:
    configs = trained / "configs"
    files = ("--meta_file", configs / "metadata.json", "--config_file", configs / "inference.json")
    run_monai("verify_net_in_out", "--net_id", "network_def", *files, cwd=tmp_path)
    script = tmp_path / "model.ts"
    weights = trained / "models" / "model.pt"
    run_monai(
        "ckpt_export", "--net_id", "network_def", "--filepath", script, "--ckpt_file", weights, *files, cwd=tmp_path
    )
    assert torch.jit.load(script) is not None


def test_training_by_monai_is_the_same_loop(untrained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", untrained / "configs" / "train.json"]
    done = subprocess.run([*map(str, command), "--budget", "0.03"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (untrained / "models" / "model.pt").is_file()
    assert list(tmp_path.iterdir()) == [untrained]
