"""Faults made in the files of the phantom cohort."""

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from PIL import Image

from medunet.cohort import check_path
from medunet.errors import MissingInputError
from medunet.findings import Finding


@pytest.fixture
def copied(cohort_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cohort_folder, tmp_path / "patients"))


def list_codes(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(item.severity, item.code) for item in findings}


def write_decathlon(folder: Path, count: int = 6) -> None:
    """Boxes of another size and place in each image, with a label of value 1."""
    rng = np.random.default_rng(0)
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    listed = []
    for n in range(count):
        voxels = rng.normal(40, 30, (30, 28, 26)).astype(np.float32)
        voxels[:2] = -1000
        mask = np.zeros(voxels.shape, np.uint8)
        start, size = rng.integers(3, 9, 3), rng.integers(6, 14, 3)
        mask[tuple(slice(low, low + length) for low, length in zip(start, size, strict=True))] = 1
        for kind, array in (("images", voxels), ("labels", mask)):
            save_nifti(array, folder / f"{kind}Tr" / f"case{n}.nii.gz")
        listed.append({"image": f"./imagesTr/case{n}.nii.gz", "label": f"./labelsTr/case{n}.nii.gz"})
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "box"}, "training": listed}
    (folder / "dataset.json").write_text(json.dumps(content))


def save_nifti(array: np.ndarray, path: Path) -> None:
    image = nib.Nifti1Image(array, np.diag([1.0, 1.0, 1.0, 1]))
    image.set_sform(image.affine, 1)
    nib.save(image, path)


def edit_mask(path: Path, edit) -> None:  # noqa: ANN001
    mask = np.asarray(nib.load(path).dataobj).copy()
    edit(mask)
    save_nifti(mask, path)


def test_a_sound_cohort_says_only_who_has_no_lesion(cohort_folder: Path) -> None:
    (empty,) = check_path(cohort_folder)
    assert (empty.severity, empty.code) == ("warning", "label-empty")


def test_a_sound_decathlon_has_no_finding(tmp_path: Path) -> None:
    write_decathlon(tmp_path)
    assert check_path(tmp_path) == []


@pytest.mark.parametrize("words", ["unpacked", "is damaged", "its PatientID differs", "twice"])
def test_no_folder_or_patient_changes_a_code(tmp_path: Path, words: str) -> None:
    folder = tmp_path / words
    write_decathlon(folder)
    (folder / "folds.json").write_text(json.dumps([["case0"], [words]]))
    (folder / "imagesTr" / "case1.nii.gz").rename(folder / "imagesTr" / f"{words}.nii.gz")
    assert list_codes(check_path(folder)) == {("error", "path-missing")}
    (folder / "imagesTr" / f"{words}.nii.gz").rename(folder / "imagesTr" / "case1.nii.gz")
    assert list_codes(check_path(folder)) == {("error", "folds-wrong")}


def test_all_troubles_of_a_tree_are_told_at_once(copied: Path) -> None:
    first, second, third, fourth, fifth, _ = sorted(copied.iterdir())
    sorted((first / "CT").iterdir())[3].unlink()
    next(second.glob("*.dcm")).unlink()
    sorted((third / "CT").iterdir())[0].write_bytes(b"\0" * 200)
    change(fourth / "CT", lambda dataset, _: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    write_series(fifth / "CT2", make_grid())
    change(fifth / "CT2", lambda dataset, _: setattr(dataset, "PatientID", fifth.name))
    found = check_path(copied)
    assert list_codes(found) == {
        ("error", "slices-missing"),
        ("warning", "label-missing"),
        ("error", "file-damaged"),
        ("note", "monochrome1"),
        ("error", "channel-ambiguous"),
        ("warning", "label-empty"),
    }


def test_faults_of_labels_and_twins_are_told_by_case(tmp_path: Path) -> None:
    write_decathlon(tmp_path)
    labels = [tmp_path / "labelsTr" / f"case{n}.nii.gz" for n in range(6)]
    edit_mask(labels[0], lambda mask: mask.fill(0))
    edit_mask(labels[1], lambda mask: mask[:, :, ::2].fill(0))
    edit_mask(labels[2], lambda mask: mask[28:, 26:, 25:].fill(1))
    edit_mask(labels[3], lambda mask: mask[:3, :3, :3].fill(7))
    shutil.copy(tmp_path / "imagesTr" / "case4.nii.gz", tmp_path / "imagesTr" / "case5.nii.gz")
    found = check_path(tmp_path)
    assert {(item.code, item.subject.split("/")[-1]) for item in found} == {
        ("label-empty", "case0"),
        ("label-every-nth-slice", "case1"),
        ("label-at-border", "case2"),
        ("label-values", "case3.nii.gz"),
        ("volume-twice", "case4 ct"),
    }


def test_files_that_are_missing_leave_the_others_to_be_checked(tmp_path: Path) -> None:
    write_decathlon(tmp_path)
    for n in (1, 4):
        (tmp_path / "imagesTr" / f"case{n}.nii.gz").unlink()
    (tmp_path / "imagesTr" / "case2.nii.gz").write_bytes(b"broken")
    assert [item.code for item in check_path(tmp_path)] == ["path-missing", "path-missing", "file-damaged"]


def test_labels_are_told_even_without_their_image(copied: Path) -> None:
    first = sorted(copied.iterdir())[0]
    sorted((first / "CT").iterdir())[3].unlink()
    contours = next(first.glob("*.dcm"))
    change(first, lambda dataset, _: setattr(dataset.ROIContourSequence[0], "ReferencedROINumber", 77))
    assert str(contours) in {item.subject for item in check_path(copied) if item.code == "label-unknown"}


def test_one_patient_is_a_scan_and_no_cohort(patients: list[Path]) -> None:
    for path in (patients[0], patients[0] / "CT"):
        (read,) = check_path(path)
        assert (read.code, read.severity, Path(read.subject).name) == ("scan-read", "note", "CT")
        assert re.fullmatch(
            r"read as CT of 48 × 40 × 20 voxels of 6.42 × 6.42 × 10 mm in HU, values -\d+ to \d+", read.found
        )
    assert check_path(next(patients[0].glob("*.dcm"))) == []


def test_of_a_single_file_it_is_told_what_was_read(tmp_path: Path) -> None:
    values = np.linspace(-5, 2.5, 24, dtype=np.float32).reshape(4, 3, 2)
    nib.save(nib.Nifti1Image(values, np.diag([0.5, 1, 2.25, 1])), tmp_path / "a.nii.gz")
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 2, 3)).save(tmp_path / "b.png")
    for name, words in (
        ("a.nii.gz", "read as an image of 4 × 3 × 2 voxels of 0.5 × 1 × 2.25 mm, values -5 to 2.5"),
        ("b.png", "read as a picture of 2 × 4 pixels with 3 components, values 0 to 23"),
    ):
        assert [(item.code, item.found) for item in check_path(tmp_path / name)] == [("scan-read", words)]
    (tmp_path / "a.nii.gz").write_bytes(b"broken")
    assert [item.code for item in check_path(tmp_path / "a.nii.gz")] == ["file-damaged"]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        check_path(tmp_path / "nowhere")
