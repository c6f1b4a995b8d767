import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import make_grid, write_series
from plans import make_test_plan

import medunet
from medunet.errors import InputError, MissingInputError
from medunet.inference import list_inputs
from medunet.reading import ReadOptions

TASK = make_test_plan().task


def name_all(*given: Path) -> list[str]:
    return [item.id for item in list_inputs(given, TASK)]


def test_names_are_those_of_files_and_folders_where_they_differ(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), tmp_path / "b.nii.gz")
    assert name_all(tmp_path / "a", tmp_path / "b.nii.gz", tmp_path / "c") == ["a", "b", "c"]


def test_names_that_repeat_get_that_of_the_folder_above(tmp_path: Path) -> None:
    for patient in ("P1", "P2"):
        write_series(tmp_path / patient / "CT", make_grid())
    assert name_all(tmp_path / "P1" / "CT", tmp_path / "P2" / "CT") == ["P1_CT", "P2_CT"]
    # What is given twice counts once, and one name alone needs no more.
    assert name_all(tmp_path / "P1" / "CT", tmp_path / "P1" / "CT") == ["CT"]


def test_where_folders_repeat_the_ending_tells_apart_or_the_place(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    for name in ("scan.nii", "scan.nii.gz"):
        nib.save(image, tmp_path / name)
    assert name_all(tmp_path / "scan.nii", tmp_path / "scan.nii.gz") == ["scan_nii", "scan_nii_gz"]
    for place in ("u", "v"):
        (tmp_path / place / "w").mkdir(parents=True)
        shutil.copy(tmp_path / "scan.nii", tmp_path / place / "w" / "scan.nii")
    first, second = name_all(tmp_path / "u" / "w" / "scan.nii", tmp_path / "v" / "w" / "scan.nii")
    assert first != second
    assert first.startswith("scan_")
    # In any order they are called the same.
    assert name_all(tmp_path / "v" / "w" / "scan.nii", tmp_path / "u" / "w" / "scan.nii") == [second, first]


def test_an_option_of_no_channel_is_refused_before_anything_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the bundle has no such channel"):
        list_inputs([tmp_path / "nowhere"], TASK, {"pett": ReadOptions()})
    with pytest.raises(InputError, match=r"^--image pett: the bundle has no such channel; did you mean 'pet'\?$"):
        list_inputs([tmp_path / "nowhere", {"pett": tmp_path / "nowhere"}], PET_CT)


def test_paths_by_channel_are_one_scan(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    (found,) = list_inputs([{"ct": tmp_path / "a"}], TASK)
    assert (found.source, found.id) == (f"ct={tmp_path / 'a'}", "a")
    assert found.find().reference.path == str(tmp_path / "a")


def test_nothing_is_read_before_a_scan_is_found(tmp_path: Path) -> None:
    (found,) = list_inputs([tmp_path / "later"], TASK)
    with pytest.raises(MissingInputError, match="there is no such file or folder"):
        found.find()
    write_series(tmp_path / "later", make_grid())
    assert found.find().id == "later"


def test_a_folder_of_pictures_is_an_input_a_picture(tmp_path: Path) -> None:
    task = TASK.model_copy(update={"unit": "px"})
    (empty,) = list_inputs([tmp_path], task)
    with pytest.raises(MissingInputError, match="it holds no PNG"):
        empty.find()
    for name in ("b.png", "a.PNG", "c.txt"):
        (tmp_path / name).touch()
    found = list_inputs([tmp_path], task)
    assert [item.source for item in found] == [str(tmp_path / "a.PNG"), str(tmp_path / "b.png")]


PET_CT = make_test_plan(channels=("ct", "pet")).task


def save(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), folder / name)


def list_all(*given: Path) -> list[tuple[str, str]]:
    return [(item.id, item.source.replace(f"{item.path.parent}/", "")) for item in list_inputs(given, PET_CT)]


@pytest.mark.parametrize(
    ("first", "second"), [("_ct.nii.gz", "_pet.nii.gz"), ("_0000.nii.gz", "_0001.nii.gz"), ("-CT.nrrd", "-PET.nrrd")]
)
def test_files_of_several_channels_are_put_together_by_their_names(tmp_path: Path, first: str, second: str) -> None:
    folder = tmp_path / "imagesTs"
    save(folder)
    for name in ("P1", "P2", "P10"):
        for ending in (first, second):
            (folder / f"{name}{ending}").touch()
    (folder / "dataset.json").touch()
    wanted = {(name, f"ct={name}{first} pet={name}{second}") for name in ("P1", "P2", "P10")}
    assert set(list_all(folder)) == wanted
    assert set(list_all(*sorted(folder.glob("P*")))) == wanted


def test_ten_scans_of_two_channels_are_found_one_by_one(tmp_path: Path) -> None:
    save(tmp_path / "in", *(f"P{n}_000{c}.nii.gz" for n in range(10) for c in (0, 1)))
    found = list_inputs([tmp_path / "in"], PET_CT)
    assert [item.id for item in found] == [f"P{n}" for n in range(10)]
    assert [Path(image.path).name for image in found[3].find().images.values()] == [
        "P3_0000.nii.gz",
        "P3_0001.nii.gz",
    ]


def test_a_scan_without_one_of_its_channels_is_refused_by_itself(tmp_path: Path) -> None:
    save(tmp_path / "in", "P1_ct.nii.gz", "P2_ct.nii.gz", "P2_pet.nii.gz", "P3.nii.gz")
    lacking, whole, single = list_inputs([tmp_path / "in"], PET_CT)
    assert [item.id for item in (lacking, whole, single)] == ["P1", "P2", "P3"]
    with pytest.raises(InputError, match="--image pet: this channel of the bundle is missing"):
        lacking.find()
    assert len(whole.find().images) == 2
    with pytest.raises(InputError, match=r"it is one file, but the bundle takes ct and pet; .* CASE_0000, CASE_0001"):
        single.find()


def test_a_folder_of_files_is_a_scan_a_file_but_not_where_dicom_may_lie(tmp_path: Path) -> None:
    save(tmp_path / "in", "a_0000.nii.gz", "b.nii")
    assert name_all(tmp_path / "in") == ["a_0000", "b"]
    write_series(tmp_path / "in" / "CT", make_grid())
    (found,) = list_inputs([tmp_path / "in"], TASK)
    assert found.find().reference.series is not None


def test_volumes_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            nib.save(image, tmp_path / folder / f"{name}.nii.gz")
    assert name_all(tmp_path) == ["a", "b"]


def test_masks_that_predict_has_written_are_no_scans(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    volume = medunet.read_volume(patients[0] / "CT")
    nib.save(nib.Nifti1Image(volume.voxels[0], volume.grid.affine), tmp_path / "a.nii")
    for _ in range(2):
        (made,) = medunet.predict(trained, tmp_path, output=tmp_path)
        assert made.path == tmp_path / "a.nii.gz"
    assert made.kept


def test_a_very_long_name_is_cut_where_files_could_not_be_called_so(tmp_path: Path) -> None:
    first, second = "多" * 80, "多" * 79 + "少"
    save(tmp_path / "in", f"{first}.nii", f"{second}.nii")
    names = name_all(tmp_path / "in")
    assert len(set(names)) == 2
    for name in names:
        assert len(name.encode()) <= 200
        assert name.startswith("多" * 60)


def test_a_tree_of_patients_is_a_scan_a_patient_and_each_header_is_kept(cohort_folder: Path) -> None:
    found = list_inputs([cohort_folder], TASK)
    patients = sorted(path.name for path in cohort_folder.iterdir())
    assert [item.id for item in found] == patients
    assert found[0].source == f"{cohort_folder}: {patients[0]}"
    assert found[0].find().reference.series is not None
    # One of them alone is called as its folder is, and a series that is named isn't looked for elsewhere.
    (one,) = list_inputs([cohort_folder / patients[1]], TASK)
    assert (one.id, one.source) == (patients[1], str(cohort_folder / patients[1]))
    assert len(list_inputs([cohort_folder, tmp := cohort_folder / patients[1]], TASK)) == 2, tmp


def test_cases_that_are_not_whole_are_refused_when_they_are_found(tmp_path: Path) -> None:
    save(tmp_path, "a.nii", "b.nii")
    (tmp_path / "cases.csv").write_text("id,patient,ct\nfirst,1,a.nii\nlost,2,c.nii\nlast,3,b.nii\n")
    whole, last, lost = list_inputs([tmp_path / "cases.csv"], TASK)
    assert [whole.id, last.id, lost.id] == ["first", "last", "cases_1"]
    assert whole.find().id == "first"
    with pytest.raises(MissingInputError, match="case lost names it"):
        lost.find()


def test_what_a_user_says_of_a_channel_goes_before_what_the_list_says(tmp_path: Path) -> None:
    save(tmp_path, "a.nii")
    (tmp_path / "cases.csv").write_text("id,patient,ct\nfirst,1,a.nii\n")
    (item,) = list_inputs([tmp_path / "cases.csv"], TASK, {"ct": ReadOptions(prefer="qform")})
    assert item.find().reference.options.prefer == "qform"


def test_names_of_nnunet_lose_their_number_of_the_channel_in_its_folders(tmp_path: Path) -> None:
    save(tmp_path / "imagesTs", "P1_0000.nii.gz", "P2.nii.gz")
    assert name_all(tmp_path / "imagesTs") == ["P1", "P2"]


def test_pictures_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    task = TASK.model_copy(update={"unit": "px"})
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    assert [item.id for item in list_inputs([tmp_path], task)] == ["a"]
