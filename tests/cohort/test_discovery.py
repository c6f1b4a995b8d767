import shutil
from pathlib import Path

import pytest
from dicoms import change
from pydicom import Dataset, dcmread

from medunet.cohort import find_cohort, read_channel, read_label
from medunet.errors import InputError, LabelError, MissingInputError, SeriesError


@pytest.fixture
def tree(patients: list[Path], tmp_path: Path) -> Path:
    for patient in patients[:2]:
        shutil.copytree(patient, tmp_path / "tree" / patient.name)
    return tmp_path / "tree"


def edit_contours(folder: Path, **values: object) -> None:
    dataset = dcmread(folder / "contours.dcm")
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(folder / "contours.dcm")


def rename(folder: Path, name: str) -> None:
    dataset = dcmread(folder / "contours.dcm")
    dataset.StructureSetROISequence[0].ROIName = name
    dataset.save_as(folder / "contours.dcm")


def test_patients_channels_and_contours_are_found(cohort_folder: Path) -> None:
    cohort = find_cohort(cohort_folder)
    assert cohort.channels == ("ct",)
    assert cohort.labels.names == ("lesion",)
    assert len(cohort.cases) == 6
    volumes = []
    for case in cohort.cases:
        grid = read_channel(case, "ct").grid
        volumes.append(read_label(cohort, case, grid).volumes_ml()["lesion"])
    assert sum(volume == 0 for volume in volumes) == 1


def test_names_that_differ_in_their_end_are_one_label(tree: Path) -> None:
    for number, folder in enumerate(sorted(tree.iterdir())):
        rename(folder, f"GTV_{number}")
    cohort = find_cohort(tree)
    assert cohort.labels.names == ("gtv",)
    assert [case.label.rois["gtv"] for case in cohort.cases if case.label] == ["GTV_0", "GTV_1"]


def test_names_that_differ_altogether_are_refused(tree: Path) -> None:
    rename(min(tree.iterdir()), "spleen")
    with pytest.raises(LabelError, match="cohort.json"):
        find_cohort(tree)


def test_contours_that_name_another_series_are_matched_by_place(tree: Path) -> None:
    for folder in tree.iterdir():
        dataset = dcmread(folder / "contours.dcm")
        study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
        dataset.save_as(folder / "contours.dcm")
    cohort = find_cohort(tree)
    assert any(case.label is not None for case in cohort.cases)


def test_stray_contours_are_refused(tree: Path) -> None:
    edit_contours(min(tree.iterdir()), PatientID="somebody")
    with pytest.raises(LabelError, match="'somebody' has no images here"):
        find_cohort(tree)


def test_two_series_of_one_modality_are_refused(tree: Path) -> None:
    folder = min(tree.iterdir())
    shutil.copytree(folder / "CT", folder / "CT2")
    change(folder / "CT2", lambda dataset, _: setattr(dataset, "SeriesInstanceUID", "1.2.3"))
    with pytest.raises(SeriesError, match="it has 2 CT series"):
        find_cohort(tree)


def test_a_patient_who_lacks_a_channel_is_named_and_channels_can_be_limited(tree: Path) -> None:
    folder = min(tree.iterdir())
    shutil.copytree(folder / "CT", folder / "MR")

    def to_mr(dataset: Dataset, _: int) -> None:
        dataset.Modality, dataset.SeriesInstanceUID = "MR", "1.2.3"

    change(folder / "MR", to_mr)
    with pytest.raises(SeriesError, match="it has no MR series"):
        find_cohort(tree)
    assert find_cohort(tree, channels=("ct",)).channels == ("ct",)
    with pytest.raises(InputError, match="no channel 'cd'"):
        find_cohort(tree, channels=("cd",))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no DICOM image"):
        find_cohort(tmp_path)
