import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from medunet.errors import InputError, LabelError, MissingInputError, RecordError
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
    with pytest.raises(LabelError, match="it has no label"):
        read_label(cohort, bare, volume.grid)


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        ("i.nii.gz", "j.nii.gz", MissingInputError, "isn't there"),
        ('"channels": {\n        "ct"', '"channels": {\n        "cd"', RecordError, "known are ct"),
        ('"modalities": {\n    "ct"', '"modalities": {\n    "pet"', RecordError, "has no modality"),
        ('"rois": {}', '"rois": {"lesoin": "x"}', RecordError, "did you mean 'lesion'"),
        ('"contoured": null', '"contoured": ["lesoin"]', RecordError, "has the label 'lesoin'; did you mean 'lesion'"),
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
    blind = cohort.cases[1].model_copy(update={"contoured": ()})
    checked = check_cohort(cohort.model_copy(update={"cases": (cohort.cases[0], blind, cohort.cases[2])}), "c")
    assert [case.id for case in checked.cases] == ["a", "c"]
    assert "b: nobody looked for any of its labels" in caplog.text


Change = Callable[[dict[str, Any]], object]


def write_list(folder: Path, change: Change) -> Path:
    """A list of the cases a and b by relative paths, after `change`."""
    path = folder / "list.json"
    write_cohort(path, make(folder))
    content = json.loads(path.read_text().replace(f"{folder}/", ""))
    change(content)
    path.write_text(json.dumps(content))
    return path


def case(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["cases"][0]
    return found


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda c: c.update(chanels=c.pop("channels")), RecordError, "did you mean 'channels'"),
        (lambda c: c.update(version=2), RecordError, "'version'"),
        (lambda c: c.update(channels=[]), RecordError, "'channels'"),
        (lambda c: c.update(channels=["ct", "ct"]), RecordError, "the channel 'ct' stands there twice"),
        (lambda c: case(c).update(id="a/1"), RecordError, "cases.0.id"),
        (lambda c: case(c).update(id="b"), InputError, "two cases have the id b"),
        (lambda c: case(c).update(channels={}), RecordError, "case a lacks the channel 'ct'"),
        (lambda c: case(c)["label"].update(path="no.nii"), MissingInputError, "no.nii: case a names it"),
        (lambda c: c.update(folds=[["a"], ["c"]]), RecordError, "fold 1 holds out 'c', a patient of no case"),
        (lambda c: c.update(folds=[["a", "b"]]), RecordError, "fold 0 leaves no patient to train on"),
        (lambda c: c.update(folds=[["a"], []]), RecordError, "fold 1 holds out no patient"),
    ],
)
def test_a_wrong_list_is_refused_in_one_sentence(tmp_path: Path, change: Change, kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        read_cohort(write_list(tmp_path, change))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_come_back_absolute_from_a_relative_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_list(tmp_path, lambda content: content.update(folds=[["a"], ["b"]]))
    monkeypatch.chdir(tmp_path)
    cohort = read_cohort(Path("list.json"))
    assert cohort == make(tmp_path).model_copy(update={"folds": (("a",), ("b",))})


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        ((("a", "b"), ("c",)), None),
        ((("a",), ("b",), ("c",)), "fold 0 holds out none of the patients with labels"),
        ((("c",), ("b",), ("b", "c")), "fold 2 holds out all of the patients with labels"),
    ],
)
def test_folds_forget_patients_without_a_label(
    tmp_path: Path, folds: tuple[tuple[str, ...], ...], words: str | None
) -> None:
    cohort = make(tmp_path, "abc", "abc")
    bare = cohort.cases[0].model_copy(update={"label": None})
    cohort = cohort.model_copy(update={"cases": (bare, *cohort.cases[1:]), "folds": folds})
    if words is None:
        assert check_cohort(cohort, "c").folds == (("b",), ("c",))
        return
    with pytest.raises(InputError, match=words):
        check_cohort(cohort, "c")


def test_names_are_enough_for_labels(tmp_path: Path) -> None:
    cohort = make(tmp_path).model_copy(update={"labels": LabelTable.from_names(["a", "b"])})
    path = write_list(tmp_path, lambda content: content.update(labels=["a", "b"]))
    assert read_cohort(path) == cohort
    for names, words in ((["a", "a"], "two labels have one name"), (["a", 1], "labels.labels.1.name")):
        with pytest.raises(RecordError, match=words):
            read_cohort(write_list(tmp_path, lambda content, names=names: content.update(labels=names)))


def test_labels_may_be_names_beside_what_is_ignored(tmp_path: Path) -> None:
    write_cohort(tmp_path / "cohort.json", make(tmp_path))
    content = json.loads((tmp_path / "cohort.json").read_text())
    regions = [{"name": "both", "values": [1, 2], "value": 1}, {"name": "node", "values": [2], "value": 2}]
    content["labels"] = {"labels": ["tumor", "node"], "ignore": 255, "regions": regions}
    (tmp_path / "cohort.json").write_text(json.dumps(content))
    table = read_cohort(tmp_path / "cohort.json").labels
    assert (table.names, table.ignore, table.describe()) == (("tumor", "node"), 255, "both, node (255 ignored)")
    content["labels"]["ignore"] = 2
    (tmp_path / "cohort.json").write_text(json.dumps(content))
    with pytest.raises(RecordError, match="the value to ignore must be above"):
        read_cohort(tmp_path / "cohort.json")
