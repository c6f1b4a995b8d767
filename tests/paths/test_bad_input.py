"""Bad input: one sentence with the file, what was found and what to do; exit code 2; no traceback, no output."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from pydicom import dcmread

from medunet.files import hash_file
from medunet.records import read_json, write_json


def refuse(*arguments: object, limit: int | None = None) -> str:
    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-m", "medunet", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=restrict,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    # Series to choose from stand below the sentence, a line each.
    return [line for line in done.stderr.strip().splitlines() if not line.startswith("  ")][-1]


def test_a_folder_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("hello")
    line = refuse("init", tmp_path / "in", tmp_path / "bundle")
    assert "in: it holds no DICOM image" in line
    assert not (tmp_path / "bundle").exists()


def test_a_cohort_of_one_case(patients: list[Path], tmp_path: Path) -> None:
    shutil.copytree(patients[0], tmp_path / "in" / "p")
    assert "1 patient with labels" in refuse("init", tmp_path / "in", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def write_list(folder: Path, change: Callable[[Path], None] = lambda _: None) -> Path:
    """Two NIfTI cases with their cohort.json, after `change` to the folder."""
    cases = []
    for name in ("a", "b"):
        image = np.random.default_rng(0).normal(0, 100, (24, 24, 16)).astype(np.int16)
        label = np.zeros(image.shape, np.uint8)
        label[5:12, 5:12, 5:12] = 1
        for kind, voxels in (("image", image), ("label", label)):
            nifti = nib.Nifti1Image(voxels, np.diag([2.0, 2, 3, 1]))
            nifti.set_sform(nifti.affine, 1)
            nifti.set_qform(nifti.affine, 1)
            nib.save(nifti, folder / f"{name}_{kind}.nii.gz")
        case = {"id": name, "patient": name, "channels": {"ct": {"path": f"{name}_image.nii.gz"}}}
        cases.append({**case, "label": {"path": f"{name}_label.nii.gz"}})
    labels = {"labels": [{"value": 1, "name": "lesion", "colour": [255, 0, 0]}]}
    content = {"channels": ["ct"], "modalities": {"ct": "CT"}, "labels": labels, "cases": cases}
    (folder / "cohort.json").write_text(json.dumps(content))
    change(folder)
    return folder / "cohort.json"


def shift_label(folder: Path) -> None:
    nifti = nib.load(folder / "b_label.nii.gz")
    affine = nifti.affine.copy()
    affine[0, 3] += 1.0
    moved = nib.Nifti1Image(np.asarray(nifti.dataobj), affine)
    moved.set_sform(affine, 1)
    moved.set_qform(affine, 1)
    nib.save(moved, folder / "b_label.nii.gz")


def raise_label(folder: Path) -> None:
    nifti = nib.load(folder / "b_label.nii.gz")
    voxels = np.asarray(nifti.dataobj).copy()
    voxels[0, 0, 0] = 7
    nib.save(nib.Nifti1Image(voxels, nifti.affine, nifti.header), folder / "b_label.nii.gz")


def misspell(folder: Path) -> None:
    path = folder / "cohort.json"
    path.write_text(path.read_text().replace('"modalities"', '"modalitys"'))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shift_label, "b_label.nii.gz: its voxels lie up to 1 mm away"),
        (raise_label, "its 2 cases hold values that the label table lacks: 7 (in 1)"),
        (misspell, "the key 'modalitys' is unknown; did you mean 'modalities'?"),
        (lambda folder: (folder / "b_label.nii.gz").unlink(), "case b names it, but it isn't there"),
    ],
)
def test_a_wrong_list(change: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    line = refuse("init", write_list(tmp_path, change), tmp_path / "bundle")
    assert words in line
    assert not (tmp_path / "bundle").exists()


def test_contours_of_a_patient_who_is_not_there(patients: list[Path], tmp_path: Path) -> None:
    for number in (0, 1):
        shutil.copytree(patients[number], tmp_path / "in" / str(number))
    contours = dcmread(patients[2] / "contours.dcm")
    contours.save_as(tmp_path / "in" / "stray.dcm")
    line = refuse("init", tmp_path / "in", tmp_path / "bundle")
    assert "stray.dcm" in line
    assert "has no images here" in line


def test_a_bundle_without_weights(untrained: Path, patients: list[Path], tmp_path: Path) -> None:
    line = refuse("predict", untrained, patients[0], "-o", tmp_path / "out")
    assert "the bundle has no weights" in line
    assert "medunet train" in line
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_fit(untrained: Path, patients: list[Path], tmp_path: Path) -> None:
    (untrained / "models").mkdir(exist_ok=True)
    weights, path = untrained / "models" / "model.pt", untrained / "configs" / "metadata.json"
    torch.save({"weight": torch.zeros(3)}, weights)
    line = refuse("predict", untrained, patients[0], "-o", tmp_path / "out")
    assert "metadata.json: the key 'weights_sha256' is missing" in line
    write_json(path, {**read_json(path), "weights_sha256": hash_file(weights)})
    line = refuse("predict", untrained, patients[0], "-o", tmp_path / "out")
    assert "1 unknown" in line


def test_weights_of_another_bundle_by_their_hash(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(trained, tmp_path / "bundle"))
    with (bundle / "models" / "model.pt").open("ab") as stream:
        stream.write(b"x")
    assert "SHA-256" in refuse("predict", bundle, patients[0], "-o", tmp_path / "out")


def test_a_misspelled_option_and_command(untrained: Path) -> None:
    assert "--budget" in refuse("train", untrained, "--bugdet", "5m")
    assert "train" in refuse("trian", untrained)


def test_an_amount_that_is_none(untrained: Path) -> None:
    assert "--budget soon" in refuse("train", untrained, "--budget", "soon")


@pytest.mark.parametrize(
    ("name", "key", "wrong"), [("plan.json", "window", "windo"), ("inference.json", "device", "devise")]
)
def test_a_misspelled_key(
    untrained: Path, patients: list[Path], tmp_path: Path, name: str, key: str, wrong: str
) -> None:
    path = untrained / "configs" / name
    content = read_json(path)
    write_json(path, {wrong if item == key else item: value for item, value in content.items()})
    line = refuse("predict", untrained, patients[0], "-o", tmp_path / "out")
    assert name in line
    assert f"did you mean '{key}'?" in line


def test_a_full_disk(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    line = refuse("predict", trained, patients[0], "-o", tmp_path / "out", limit=100)
    assert "can't be written" in line
    assert not any((tmp_path / "out").iterdir())


def test_outputs_that_exist(trained: Path, cohort_folder: Path) -> None:
    assert "exists already" in refuse("init", cohort_folder, trained)
    assert "is trained already" in refuse("train", trained)


def test_not_a_bundle(tmp_path: Path) -> None:
    assert "no bundle of medunet" in refuse("train", tmp_path)
    assert "it is empty; give a DICOM tree" in refuse("plan", tmp_path)


def test_a_scan_of_another_modality(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(patients[0] / "CT", tmp_path / "MR"))
    for path in folder.iterdir():
        dataset = dcmread(path)
        dataset.Modality = "MR"
        dataset.save_as(path)
    assert "it has no CT series, which channel ct needs" in refuse("predict", trained, folder, "-o", tmp_path / "out")


def test_a_scan_that_is_not_there(trained: Path, tmp_path: Path) -> None:
    assert "there is no such file" in refuse("predict", trained, tmp_path / "nowhere", "-o", tmp_path / "out")
    assert os.listdir(tmp_path) == []
