"""Places on a machine, and what may name a patient, are found; what is neither is not."""

import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medunet.handover.traces import check_traces

SHIPPED = sorted((Path(__file__).parents[2] / "bundles").iterdir())
HOME = "/home" + "/somebody/scans"


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_has_none(folder: Path) -> None:
    assert list(check_traces(folder)) == []


@pytest.mark.parametrize(
    ("text", "code", "severity"),
    [
        (f'{{"dataset_dir": "{HOME}"}}', "bundle-place", "error"),
        ('{"a": "C:\\\\Users\\\\somebody\\\\x"}', "bundle-place", "error"),
        ('{"a": "/workspace/data"}', "bundle-place", "warning"),
        ('{"PatientName": "somebody"}', "bundle-identity", "error"),
        ('{"x": {"00100020": {"vr": "LO", "Value": ["7"]}}}', "bundle-identity", "error"),
        ('{"a": "Doe^Jane"}', "bundle-identity", "error"),
        ('{"a": "1.3.6.1.4.1.14519.5.2.1.5168.1900.104193299251798317056218297018"}', "bundle-identity", "error"),
    ],
)
def test_what_is_found(tmp_path: Path, text: str, code: str, severity: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert {(item.code, item.severity) for item in check_traces(tmp_path)} == {(code, severity)}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "https://host.example/home/page"}',
        '{"a": "$@bundle_root + \'/eval\'", "b": "./data/x", "c": "10^3"}',
        '{"a": "1.2.840.10008.5.1.4.1.1.66.4", "version": "1.2.3"}',
        '{"PatientName": ""}',
    ],
)
def test_what_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert list(check_traces(tmp_path)) == []


def test_weights_dicom_nifti_and_the_folder_of_training(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.ts", "w") as archive:
        archive.writestr("model/extra/inference.json", f'{{"a": "{HOME}"}}')
        archive.writestr("model/data/0", HOME)
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM")
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    image.header["db_name"] = b"somebody"
    nib.save(image, tmp_path / "a.nii.gz")
    (tmp_path / "b.nii").write_bytes(b"none")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "cohort.json").write_text(HOME)
    found = {Path(item.subject).name: item for item in check_traces(tmp_path)}
    assert {name: item.severity for name, item in found.items()} == {
        **{"work": "warning", "model.ts": "error", "a.dcm": "error", "a.nii.gz": "warning", "b.nii": "warning"}
    }
    assert "extra/inference.json" in found["model.ts"].found
