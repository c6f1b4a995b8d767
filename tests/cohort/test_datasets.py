from pathlib import Path
from typing import Any

import pytest

import medunet
from medunet.cohort import find_cohort, read_channel, read_label
from medunet.errors import InputError, MissingInputError, RecordError
from medunet.reading.volume import IMAGES
from medunet.records import write_json


def make_files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def decathlon(tmp_path: Path) -> dict[str, Any]:
    make_files(tmp_path, "imagesTr/la_1.nii.gz", "imagesTr/la_2.nii.gz", "labelsTr/la_1.nii.gz", "labelsTr/la_2.nii.gz")
    training = [{"image": f"./imagesTr/la_{n}.nii.gz", "label": f"./labelsTr/la_{n}.nii.gz"} for n in (2, 1)]
    labels = {"0": "background", "1": "left atrium", "2": "wall"}
    return {"name": "Heart", "modality": {"0": "MRI"}, "labels": labels, "numTraining": 2, "training": training}


def test_a_decathlon_folder_lists_its_cases(tmp_path: Path, decathlon: dict[str, Any]) -> None:
    write_json(tmp_path / "dataset.json", decathlon)
    for path in (tmp_path, tmp_path / "dataset.json"):
        cohort = find_cohort(path)
        assert cohort.channels == ("mri",)
        assert cohort.modalities == {"mri": "MR"}
        assert cohort.labels.names == ("left atrium", "wall")
        assert [(case.id, case.patient) for case in cohort.cases] == [("la_2", "la_2"), ("la_1", "la_1")]
        label = cohort.cases[0].label
        assert label is not None
        assert label.path == str(tmp_path / "labelsTr" / "la_2.nii.gz")


def test_channels_in_one_file_are_components(tmp_path: Path, decathlon: dict[str, Any]) -> None:
    write_json(tmp_path / "dataset.json", {**decathlon, "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd"}})
    cohort = find_cohort(tmp_path)
    assert cohort.modalities == {"image": "MR"}
    assert set(cohort.cases[0].channels) == {"image"}


def test_an_nnunet_folder_whose_files_end_in_several_ways_is_taken_whole(tmp_path: Path) -> None:
    """A label may end otherwise than its image, and a file otherwise than the dataset says."""
    make_files(
        tmp_path, "labelsTr/A.nii.gz", "labelsTr/B.nii", "labelsTr/C.NII.GZ", "labelsTr/D.nrrd", "labelsTr/x.txt"
    )
    make_files(tmp_path, *(f"imagesTr/{name}" for name in ("A_0000.nii", "B_0000.nii.gz", "C_0000.nii.gz")))
    make_files(tmp_path, "imagesTr/D_0000.mha")
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "tumor": 1}, "file_ending": ".nii.gz"}
    write_json(tmp_path / "dataset.json", content)
    cohort = find_cohort(tmp_path)
    assert [case.id for case in cohort.cases] == ["A", "B", "C", "D"]
    assert Path(cohort.cases[0].channels["ct"].path).name == "A_0000.nii"
    assert cohort.cases[3].label is not None
    assert cohort.cases[3].label.path == str(tmp_path / "labelsTr" / "D.nrrd")
    make_files(tmp_path, "imagesTr/B_0000.nii")
    with pytest.raises(InputError, match=r"B_0000\.nii\.gz: B_0000\.nii has the same name and another ending"):
        find_cohort(tmp_path)
    (tmp_path / "imagesTr" / "B_0000.nii").unlink()
    make_files(tmp_path, "labelsTr/A.nii")
    with pytest.raises(InputError, match=r"A\.nii\.gz: A\.nii has the same name"):
        find_cohort(tmp_path)


def test_an_nnunet_folder_has_a_file_a_channel(tmp_path: Path) -> None:
    make_files(tmp_path, "labelsTr/A.nrrd", "labelsTr/B.nrrd", "labelsTr/._A.nrrd")
    make_files(tmp_path, *(f"imagesTr/{name}_000{n}.nrrd" for name in "AB" for n in (0, 1)))
    content = {"channel_names": {"0": "CT", "1": "PET"}, "labels": {"background": 0, "tumor": 1}, "numTraining": 2}
    write_json(tmp_path / "dataset.json", {**content, "file_ending": ".nrrd"})
    cohort = find_cohort(tmp_path)
    assert cohort.modalities == {"ct": "CT", "pet": "PT"}
    assert [case.id for case in cohort.cases] == ["A", "B"]
    assert cohort.cases[1].channels["pet"].path == str(tmp_path / "imagesTr" / "B_0001.nrrd")
    assert find_cohort(tmp_path, channels=("pet",)).channels == ("pet",)
    (tmp_path / "imagesTr" / "B_0001.nrrd").unlink()
    with pytest.raises(MissingInputError, match=r"B_0001\.nrrd: dataset\.json names it"):
        find_cohort(tmp_path)


def test_volumes_of_every_kind_that_is_read_are_taken(tmp_path: Path) -> None:
    """Whatever `file_ending` says."""
    endings = [ending for ending in IMAGES if ending != ".png"]
    for number, ending in enumerate(endings):
        make_files(tmp_path, f"labelsTr/A{number}{ending}", f"imagesTr/A{number}_0000{ending}")
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "tumor": 1}, "file_ending": ".mha"}
    write_json(tmp_path / "dataset.json", content)
    assert len(find_cohort(tmp_path).cases) == len(endings) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": {"0": "background", "1": "a", "3": "b"}}, "besides background are 1, 3; number labels"),
        ({"labels": {"background": 0, "a": 1, "b": 1}}, "besides background are 1, 1; number labels"),
        ({"labels": {"background": 0, "a": "x"}}, "label 'a' is x; give its value"),
        ({"labels": {"background": 0, "whole": [1, 2]}}, r"its regions_class_order is None.*expected 1 value"),
        ({"labels": {"background": 0, "whole": [1, 2]}, "regions_class_order": [3]}, "written as 3"),
        ({"labels": {"background": 0, "ignore": 1, "tumor": 2}}, "'ignore' is not the last; give it the highest"),
        ({"labels": None}, "it has no labels"),
        ({"modality": {}}, "it names no channels"),
        ({"modality": {"0": "CT", "1": "T2"}}, "hold CT, MR in one file"),
        ({"training": ["a.nii.gz"]}, "training list holds 'a.nii.gz'"),
        ({"training": [{"image": "imagesTr/x.nii.gz", "label": "labelsTr/la_1.nii.gz"}]}, "x.nii.gz: dataset.json"),
        ({"training": []}, r"labelsTr: it holds no \*.mha"),
    ],
)
def test_what_can_not_be_is_refused(
    tmp_path: Path, decathlon: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "dataset.json", {**decathlon, **change, "file_ending": ".mha"})
    with pytest.raises(InputError, match=message):
        find_cohort(tmp_path)


def test_a_list_is_no_dataset(tmp_path: Path) -> None:
    write_json(tmp_path / "dataset.json", [])
    with pytest.raises(RecordError, match="no JSON object"):
        medunet.init(tmp_path, tmp_path / "bundle")


@pytest.mark.data
def test_the_hippocampus_set_is_read(hippocampus: Path) -> None:
    cohort = find_cohort(hippocampus)
    assert len(cohort.cases) == 260
    case = cohort.cases[0]
    mask = read_label(cohort, case, read_channel(case, "mri").grid)
    assert set(mask.volumes_ml()) == {"Anterior", "Posterior"}
    assert min(mask.volumes_ml().values()) > 0.5


def test_a_table_beside_it_names_patients(tmp_path: Path, decathlon: dict[str, Any]) -> None:
    write_json(tmp_path / "dataset.json", decathlon)
    (tmp_path / "cases.csv").write_text("id,patient\nla_2,P\nla_1,P\n")
    assert [(case.id, case.patient) for case in find_cohort(tmp_path).cases] == [("la_2", "P"), ("la_1", "P")]
    (tmp_path / "cases.csv").write_text("id,patient\nla_1,P\n")
    with pytest.raises(RecordError, match="names no patient of the case la_2"):
        find_cohort(tmp_path)


def test_what_is_ignored_and_regions_are_those_of_nnunet(tmp_path: Path, decathlon: dict[str, Any]) -> None:
    labels = {"background": 0, "tumor": 1, "ignore": 2}
    write_json(tmp_path / "dataset.json", {**decathlon, "labels": labels})
    table = find_cohort(tmp_path).labels
    assert (table.names, table.ignore, table.regions) == (("tumor",), 2, ())
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3, "ignore": 4}
    write_json(tmp_path / "dataset.json", {**decathlon, "labels": labels, "regions_class_order": [1, 2, 3]})
    table = find_cohort(tmp_path).labels
    assert table.names == ("label 1", "label 2", "enhancing")
    assert [(region.name, region.values, region.value) for region in table.regions] == [
        ("whole", (1, 2, 3), 1),
        ("core", (2, 3), 2),
        ("enhancing", (3,), 3),
    ]
    assert table.ignore == 4
