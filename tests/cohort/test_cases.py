from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medunet.cohort import (
    Case,
    Channel,
    Cohort,
    LabelSource,
    check_cohort,
    read_channel,
    read_cohort,
    read_label,
    write_cohort,
)
from medunet.errors import InputError, MissingInputError, RecordError
from medunet.labels import LabelTable


def make(folder: Path, ids: str = "ab", patients: str = "ab") -> Cohort:
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    image.set_sform(np.eye(4), 1)
    image.set_qform(np.eye(4), 1)
    nib.save(image, folder / "i.nii.gz")
    return Cohort(
        channels=("ct",),
        modalities={"ct": "CT"},
        labels=LabelTable.from_names(["lesion"]),
        cases=tuple(
            Case(
                id=name,
                patient=patient,
                channels={"ct": Channel(path=str(folder / "i.nii.gz"))},
                label=LabelSource(path=str(folder / "i.nii.gz")),
            )
            for name, patient in zip(ids, patients, strict=True)
        ),
    )


def test_a_cohort_comes_back_and_relative_paths_lie_beside_it(tmp_path: Path) -> None:
    cohort = make(tmp_path)
    write_cohort(tmp_path / "cohort.json", cohort)
    assert read_cohort(tmp_path / "cohort.json") == cohort
    path = tmp_path / "cohort.json"
    path.write_text(path.read_text().replace(f"{tmp_path}/", ""))
    assert read_cohort(path) == cohort
    volume = read_channel(cohort.cases[0], "ct")
    assert read_label(cohort, cohort.cases[0], volume.grid).voxels.shape == (4, 4, 4)
    bare = cohort.cases[0].model_copy(update={"label": None})
    assert not read_label(cohort, bare, volume.grid).voxels.any()


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("i.nii.gz", "j.nii.gz", MissingInputError, "isn't there"),
        ('"channels": {\n        "ct"', '"channels": {\n        "cd"', RecordError, "did you mean 'ct'"),
        ('"modalities": {\n    "ct"', '"modalities": {\n    "pet"', RecordError, "has no modality"),
        ('"rois": {}', '"rois": {"lesoin": "x"}', RecordError, "did you mean 'lesion'"),
    ],
)
def test_wrong_lists_are_named(tmp_path: Path, old: str, new: str, kind: type[Exception], words: str) -> None:
    path = tmp_path / "cohort.json"
    write_cohort(path, make(tmp_path))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(kind, match=words):
        read_cohort(path)


def test_a_cohort_needs_two_patients_and_ids_that_differ(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 patient with labels"):
        check_cohort(make(tmp_path, "ab", "aa"), "c")
    with pytest.raises(InputError, match="two cases have the id a"):
        check_cohort(make(tmp_path, "aa", "ab"), "c")


def test_cases_without_a_label_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cohort = make(tmp_path, "abc", "abc")
    bare = cohort.cases[0].model_copy(update={"label": None})
    checked = check_cohort(cohort.model_copy(update={"cases": (bare, *cohort.cases[1:])}), "c")
    assert [case.id for case in checked.cases] == ["b", "c"]
    assert "a: it has no label" in caplog.text
