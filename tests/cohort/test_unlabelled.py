import shutil
from pathlib import Path

import pytest
from dicoms import change, make_grid, write_series
from plans import make_test_plan
from pydicom import Dataset

from medunet.cohort import Case, Unfit, list_cases, list_patients
from medunet.cohort.unlabelled import find_tree
from medunet.errors import InputError, MissingInputError
from medunet.reading import find_series
from medunet.records import write_json

CT = make_test_plan().task
PET_CT = make_test_plan(channels=("ct", "pet")).task


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def name_paths(case: Case | Unfit) -> dict[str, str]:
    assert isinstance(case, Case)
    return {name: Path(channel.path).name for name, channel in case.channels.items()}


def test_a_list_gives_its_cases_and_what_is_lost(tmp_path: Path) -> None:
    touch(tmp_path, "a_ct.nii", "a_pet.nii", "b_ct.nii")
    table = tmp_path / "cases.csv"
    table.write_text("id,patient,ct,pet,mr\nA,A,a_ct.nii,a_pet.nii,a_ct.nii\nB,B,b_ct.nii,b_pet.nii,b_ct.nii\n")
    first, lost = list_cases(table, PET_CT) or []
    assert first.id == "A"
    assert name_paths(first) == {"ct": "a_ct.nii", "pet": "a_pet.nii"}
    assert isinstance(lost, Unfit)
    assert (lost.error.code, lost.error.found) == ("path-missing", "case B names it, but it isn't there")


def test_a_list_of_lost_cases_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("id,patient,ct\nA,A,nowhere.nii\n")
    with pytest.raises(MissingInputError, match="case A names it"):
        list_cases(tmp_path / "cases.csv", CT)


def test_channels_are_matched_by_name_or_modality_or_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii", "b.nii")
    table = tmp_path / "cases.csv"
    table.write_text("id,patient,PT,CT\nA,A,a.nii,b.nii\n")
    (case,) = list_cases(table, PET_CT) or []
    assert name_paths(case) == {"ct": "b.nii", "pet": "a.nii"}
    table.write_text("id,patient,t1,t2\nA,A,a.nii,b.nii\n")
    with pytest.raises(InputError, match="its channels are t1, t2, the bundle takes ct, pet") as caught:
        list_cases(table, PET_CT)
    assert caught.value.code == "channel-missing"


def test_a_dataset_gives_its_test_images_or_else_those_of_training(tmp_path: Path) -> None:
    write_json(
        tmp_path / "dataset.json", {"channel_names": {"0": "CT", "1": "PET"}, "labels": {"background": 0, "a": 1}}
    )
    touch(tmp_path / "imagesTr", "T1_0000.nii.gz", "T1_0001.nii.gz")
    assert [case.id for case in list_cases(tmp_path, PET_CT) or []] == ["T1"]
    touch(tmp_path / "imagesTs", "P1_0000.nii.gz", "P1_0001.nii.gz", "P2_0000.nii.gz", "P2_0007.nii.gz", "x.txt")
    for path in (tmp_path, tmp_path / "imagesTs"):
        whole, lacking = list_cases(path, PET_CT) or []
        assert (whole.id, lacking.id) == ("P1", "P2")
        assert name_paths(whole) == {"ct": "P1_0000.nii.gz", "pet": "P1_0001.nii.gz"}
        assert isinstance(lacking, Unfit)
        assert lacking.error.code == "channel-missing"
    assert [case.id for case in list_cases(tmp_path / "imagesTr", PET_CT) or []] == ["T1"]


def test_a_decathlon_folder_gives_a_case_a_file(tmp_path: Path) -> None:
    labels, listed = {"0": "background", "1": "a"}, [{"image": "./imagesTr/la_1.nii.gz", "label": "./x"}]
    write_json(tmp_path / "dataset.json", {"modality": {"0": "CT"}, "labels": labels, "training": listed})
    touch(tmp_path / "imagesTs", "la_2.nii.gz", "la_3_0001.nii.gz")
    assert [case.id for case in list_cases(tmp_path, CT) or []] == ["la_2", "la_3_0001"]


def test_what_is_no_cohort_is_none(tmp_path: Path) -> None:
    touch(tmp_path / "imagesTs", "dataset.json", "P1_0000.nii.gz")
    assert list_cases(tmp_path / "imagesTs", CT) is None
    assert list_cases(tmp_path / "imagesTs" / "P1_0000.nii.gz", CT) is None
    assert list_cases(tmp_path / "nowhere", CT) is None


def test_patients_of_a_tree_are_cases_and_studies_of_one_are_numbered(tmp_path: Path) -> None:
    def write(place: str, patient: str, study: str, modality: str = "CT") -> None:
        write_series(tmp_path / place, make_grid())

        def edit(dataset: Dataset, k: int) -> None:
            dataset.PatientID, dataset.StudyInstanceUID, dataset.Modality = patient, study, modality
            dataset.SeriesInstanceUID = f"1.2.3.{abs(hash(place)) % 10**8}"
            dataset.SOPInstanceUID = f"{dataset.SeriesInstanceUID}.{k}"

        change(tmp_path / place, edit)

    write("a", "P 1", "1.2.1")
    write("b/one", "P2", "1.2.2")
    write("b/two", "P2", "1.2.3")
    write("c", "P3", "1.2.4", "MR")
    write("d/one", "", "1.2.5")
    cases = list_patients(find_series(tmp_path), CT)
    assert [case.id for case in cases] == ["one", "P_1", "P2_1", "P2_2", "P3"]
    fits = {case.id: case for case in cases if isinstance(case, Case)}
    assert list(fits) == ["P_1", "P2_1", "P2_2"]
    assert fits["P2_2"].channels["ct"].found is not None
    assert {case.id: case.error.code for case in cases if isinstance(case, Unfit)} == {
        "one": "patient-missing",
        "P3": "channel-missing",
    }
    write_json(tmp_path / "cohort.json", {"cases": "b"})
    shutil.rmtree(tmp_path / "a")
    assert [case.id for case in list_cases(tmp_path, CT) or []] == ["P2_1", "P2_2"]


def test_the_tree_that_a_cohort_names(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    write_json(tmp_path / "cohort.json", {"cases": "scans"})
    assert find_tree(tmp_path) == find_tree(tmp_path / "cohort.json") == tmp_path / "scans"
    for cases in ("cases.csv", []):
        write_json(tmp_path / "cohort.json", {"cases": cases})
        assert find_tree(tmp_path) is None
    assert find_tree(tmp_path / "scans") is find_tree(tmp_path / "none.json") is None
