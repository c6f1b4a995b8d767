"""Faults made in the files of the phantom cohort."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import change, make_grid, write_phases, write_series
from PIL import Image
from plans import make_test_plan, write_test_bundle
from pydicom import Dataset, dcmread

from medunet import cohort
from medunet.cohort import find_cohort, fold_cohort
from medunet.errors import InputError, MissingInputError
from medunet.findings import Finding


@pytest.fixture
def copied(cohort_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cohort_folder, tmp_path / "patients"))


def check_path(path: Path, channels: tuple[str, ...] | None = None) -> list[Finding]:
    """What is found, but for the table of structures, with which every cohort that has labels ends."""
    return [item for item in cohort.check_path(path, channels) if item.code != "structures"]


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
    (told,) = check_path(tmp_path)
    assert (told.severity, told.code) == ("note", "patients-guessed")
    assert told.found.startswith("split by file: nobody says whose they are, so each of 6 is taken for a patient")
    table = ["id,patient", *(f"case{n},p{n}" for n in range(6))]
    (tmp_path / "cases.csv").write_text("\n".join(table))
    assert check_path(tmp_path) == []


def test_files_of_a_patient_by_their_names_are_told(tmp_path: Path) -> None:
    write_decathlon(tmp_path)
    for kind in ("imagesTr", "labelsTr"):
        for n in range(6):
            (tmp_path / kind / f"case{n}.nii.gz").rename(tmp_path / kind / f"pat{n // 2}_tp{n % 2}.nii.gz")
    listed = (tmp_path / "dataset.json").read_text()
    for n in range(6):
        listed = listed.replace(f"case{n}.", f"pat{n // 2}_tp{n % 2}.")
    (tmp_path / "dataset.json").write_text(listed)
    (told,) = check_path(tmp_path)
    assert told.found == "split by name: 6 files are of 3 patients (pat0_tp0, pat0_tp1 are of pat0)"
    folds = fold_cohort(find_cohort(tmp_path), tmp_path).folds
    assert folds is not None
    assert sorted(name for fold in folds for name in fold) == ["pat0", "pat1", "pat2"]


@pytest.mark.parametrize("words", ["unpacked", "is damaged", "its PatientID differs", "twice"])
def test_no_folder_or_patient_changes_a_code(tmp_path: Path, words: str) -> None:
    folder = tmp_path / words
    write_decathlon(folder)
    (folder / "folds.json").write_text(json.dumps([["case0"], [words]]))
    (folder / "imagesTr" / "case1.nii.gz").rename(folder / "imagesTr" / f"{words}.nii.gz")
    by_file = ("note", "patients-guessed")
    assert list_codes(check_path(folder)) == {("error", "path-missing"), by_file}
    (folder / "imagesTr" / f"{words}.nii.gz").rename(folder / "imagesTr" / "case1.nii.gz")
    assert list_codes(check_path(folder)) == {("error", "folds-wrong"), by_file}


def write_other(folder: Path, edit: Callable[[Dataset, int], None], only: Sequence[int] | None = None) -> None:
    """Write another series of the patient of `write_series`, of which files may be taken away."""
    write_series(folder, make_grid("sagittal"))
    for path in sorted(folder.iterdir()):
        if only is not None and int(path.stem) - 1 not in only:
            path.unlink()

    def join(dataset: Dataset, number: int) -> None:
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.1", "1.2.3"
        edit(dataset, number)

    change(folder, join)


def test_a_study_with_a_scout_or_several_b_values_is_of_use(tmp_path: Path) -> None:
    write_series(tmp_path / "CT", make_grid())
    write_other(tmp_path / "topogram", lambda dataset, _: None, only=[0])
    found = check_path(tmp_path)
    assert ("note", "single-slice") in list_codes(found)
    assert not any(item.severity == "error" for item in found)

    def scout(dataset: Dataset, number: int) -> None:
        dataset.SeriesDescription = "3-plane Localizer"
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0] if number else [0, 1, 0, 0, 0, -1]

    write_other(tmp_path / "topogram", scout, only=[0, 1])
    found = check_path(tmp_path)
    assert ("note", "slices-irregular") in list_codes(found)
    assert not any(item.severity == "error" for item in found)
    shutil.rmtree(tmp_path / "CT")
    assert ("error", "slices-irregular") in list_codes(check_path(tmp_path))
    shutil.rmtree(tmp_path / "topogram")
    write_phases(tmp_path, [make_grid()] * 2, [lambda _, b=b: {"DiffusionBValue": b} for b in (0.0, 800.0)])
    assert ("note", "several-phases") in list_codes(check_path(tmp_path))
    assert not any(item.severity == "error" for item in check_path(tmp_path))


def test_all_troubles_of_a_tree_are_told_at_once(copied: Path) -> None:
    first, second, third, fourth, fifth, _ = sorted(copied.iterdir())
    sorted((first / "CT").iterdir())[3].unlink()
    next(second.glob("*.dcm")).unlink()
    sorted((third / "CT").iterdir())[0].write_bytes(b"\0" * 200)
    change(fourth / "CT", lambda dataset, _: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    write_series(fifth / "CT2", make_grid())
    study = str(dcmread(fifth / "CT" / "0001.dcm").StudyInstanceUID)

    def join(dataset: Dataset, _: int) -> None:
        dataset.PatientID, dataset.StudyInstanceUID = fifth.name, study

    change(fifth / "CT2", join)
    found = check_path(copied)
    assert list_codes(found) == {
        ("error", "slices-missing"),
        ("warning", "label-missing"),
        ("warning", "file-damaged"),
        ("warning", "label-at-border"),
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
        ("patients-guessed", tmp_path.name),
    }


def test_files_that_are_missing_leave_the_others_to_be_checked(tmp_path: Path) -> None:
    write_decathlon(tmp_path)
    for n in (1, 4):
        (tmp_path / "imagesTr" / f"case{n}.nii.gz").unlink()
    (tmp_path / "imagesTr" / "case2.nii.gz").write_bytes(b"broken")
    codes = [item.code for item in check_path(tmp_path)]
    assert codes == ["path-missing", "path-missing", "file-damaged", "patients-guessed"]


def test_labels_are_told_even_without_their_image(copied: Path) -> None:
    first = sorted(copied.iterdir())[0]
    sorted((first / "CT").iterdir())[3].unlink()
    contours = next(first.glob("*.dcm"))
    change(first, lambda dataset, _: setattr(dataset.ROIContourSequence[0], "ReferencedROINumber", 77))
    assert str(contours) in {item.subject for item in check_path(copied) if item.code == "label-unknown"}


def test_one_patient_is_a_scan_and_no_cohort(patients: list[Path]) -> None:
    told = ("patients-too-few", "note", "init would refuse it: 1 patient")
    for path, notes in ((patients[0], [told]), (patients[0] / "CT", [])):
        found = check_path(path)
        (read,) = [item for item in found if item.code == "scan-read"]
        assert [(item.code, item.severity, item.found) for item in found if item is not read] == notes
        assert (read.code, read.severity, Path(read.subject).name) == ("scan-read", "note", "CT")
        assert re.fullmatch(
            r"read as CT of 48 × 40 × 20 voxels of 6.42 × 6.42 × 10 mm in HU, values -\d+ to \d+", read.found
        )
    assert check_path(next(patients[0].glob("*.dcm"))) == []


def test_channels_that_a_patient_lacks_are_told(patients: list[Path], tmp_path: Path) -> None:
    (lacking,) = [item for item in check_path(patients[0], ("mr",)) if item.severity == "error"]
    assert (lacking.code, lacking.found) == (
        "channel-missing",
        "it has no MR series, which channel mr needs (there is CT)",
    )
    assert list_codes(check_path(patients[0], ("ct",))) == list_codes(check_path(patients[0]))
    save_nifti(np.ones((12, 10, 6), np.float32), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"--channels mr: .*a\.nii\.gz is one file, which has no channels"):
        check_path(tmp_path / "a.nii.gz", ("mr",))


def test_patients_without_labels_are_no_error_but_no_cohort(copied: Path) -> None:
    for path in copied.rglob("*.dcm"):
        if path.parent.name != "CT":
            path.unlink()
    found = check_path(copied)
    assert "error" not in {item.severity for item in found}
    last = found[-1]
    assert (last.code, last.severity, last.found) == ("label-missing", "note", "init would refuse it: no labels")


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


def list_two_channels(folder: Path, *pairs: tuple[Path, Path]) -> Path:
    lines = [f"c{n},p{n},{ct},{pet}" for n, (ct, pet) in enumerate(pairs)]
    (folder / "list.csv").write_text("\n".join(["id,patient,ct,pet", *lines]))
    return folder / "list.csv"


def test_channels_of_other_patients_or_places_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_series(tmp_path / name, make_grid())
        change(tmp_path / name, lambda dataset, _, name=name: setattr(dataset, "PatientID", name))
    save_nifti(np.ones((12, 10, 6), np.float32), tmp_path / "far.nii.gz")
    image = nib.load(tmp_path / "far.nii.gz")
    far = image.affine.copy()
    far[:3, 3] = (-3000, 0, 0)
    image.set_sform(far, 1)
    nib.save(image, tmp_path / "far.nii.gz")
    listed = list_two_channels(tmp_path, (tmp_path / "a", tmp_path / "b"), (tmp_path / "a", tmp_path / "far.nii.gz"))
    found = {item.code: item for item in check_path(listed)}
    assert (found["patients-mixed"].severity, found["patients-mixed"].subject) == ("error", "c0")
    assert (found["channels-apart"].severity, found["channels-apart"].subject) == ("warning", "c1")
    # The second series of the first case is a CT where the list says PET.
    assert "the pet of case c0 is CT, but its channel is said to be PT" in found["modality-differs"].found


def test_a_scan_by_itself_says_what_it_is_and_what_is_odd(tmp_path: Path) -> None:
    save_nifti(np.zeros((12, 10, 6), np.float32), tmp_path / "a.nii.gz")
    assert list_codes(check_path(tmp_path / "a.nii.gz")) == {("warning", "image-empty"), ("note", "scan-read")}
    write_series(tmp_path / "ct", make_grid(), np.full((12, 10, 6), 700, np.int16))
    codes = list_codes(check_path(tmp_path / "ct"))
    assert codes == {("warning", "image-empty"), ("warning", "values-not-hu"), ("note", "scan-read")}


def test_a_bundle_is_no_scan(tmp_path: Path) -> None:
    (found,) = check_path(write_test_bundle(tmp_path / "bundle", make_test_plan()))
    assert (found.severity, found.found) == ("error", "it is a bundle, no scan and no cohort")
