import json
from pathlib import Path
from typing import Any

import pytest

from medunet.cohort import find_cohort
from medunet.errors import InputError, MissingInputError, RecordError

HEAD = "id,patient,ct,pet,label,fold"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "sub dir").mkdir()
    for name in ("a_ct", "a_pet", "a_label", "b_ct", "b_pet"):
        (tmp_path / "sub dir" / f"{name}.nii.gz").touch()


def write(folder: Path, *lines: str, name: str = "cases.csv") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def row(name: str, patient: str, label: str = "", fold: str = "") -> str:
    paths = [f"sub dir/{name}_{channel}.nii.gz" for channel in ("ct", "pet")]
    return ",".join([name, patient, *paths, label, fold])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_lists_cases(tmp_path: Path, separator: str) -> None:
    lines = [HEAD, row("a", "A", "sub dir/a_label.nii.gz", "1"), "", row("b", "B", fold="0")]
    path = write(tmp_path, *(line.replace(",", separator) for line in lines))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    cohort = find_cohort(path)
    assert cohort.channels == ("ct", "pet")
    assert cohort.modalities == {"ct": "CT", "pet": "PT"}
    assert cohort.labels.names == ("label",)
    assert cohort.folds == (("B",), ("A",))
    first, second = cohort.cases
    assert (first.id, first.patient) == ("a", "A")
    assert first.channels["pet"].path == str(tmp_path / "sub dir" / "a_pet.nii.gz")
    assert first.label is not None
    assert first.label.path == str(tmp_path / "sub dir" / "a_label.nii.gz")
    assert second.label is None
    assert find_cohort(path, channels=("pet",)).channels == ("pet",)


def test_json_lines_are_cases_of_a_cohort(tmp_path: Path) -> None:
    case: dict[str, Any] = {
        "id": "a",
        "patient": "A",
        "channels": {"mr": {"path": "sub dir/a_ct.nii.gz", "phase": "2"}},
    }
    path = write(tmp_path, json.dumps(case), "", json.dumps({**case, "id": "ü"}), name="x.jsonl")
    cohort = find_cohort(path)
    assert [item.id for item in cohort.cases] == ["a", "ü"]
    assert cohort.cases[0].channels["mr"].phase == "2"
    assert cohort.modalities == {"mr": "MR"}
    for line, words in (
        ('{"id": "c"', "x.jsonl, line 4: it is no valid JSON"),
        (json.dumps({**case, "idd": 1}), "x.jsonl, line 4: the key 'idd' is unknown; did you mean 'id'"),
        (json.dumps({**case, "id": "c", "channels": {"mt": {"path": "x"}}}), "line 4: case c names the channel 'mt'"),
    ):
        write(tmp_path, json.dumps(case), "", json.dumps({**case, "id": "ü"}), line, name="x.jsonl")
        with pytest.raises(RecordError, match=words):
            find_cohort(path)


def test_a_cohort_json_says_what_a_list_can_not(tmp_path: Path) -> None:
    write(tmp_path, HEAD, row("a", "A", "sub dir/a_label.nii.gz"), row("b", "B"))
    tables = {"cases": "cases.csv", "channels": ["pet", "ct"], "labels": ["tumor", "node"], "folds": [["A"], ["B"]]}
    (tmp_path / "cohort.json").write_text(json.dumps({**tables, "modalities": {"pet": "NM"}}))
    cohort = find_cohort(tmp_path)
    assert cohort.channels == ("pet", "ct")
    assert cohort.modalities == {"pet": "NM", "ct": "CT"}
    assert cohort.labels.names == ("tumor", "node")
    assert cohort.folds == (("A",), ("B",))
    for change, kind, words in (
        ({"case": "x"}, RecordError, "the key 'case' is unknown"),
        ({"cases": "list.csv"}, MissingInputError, r"list.csv: cohort.json names it, but it isn't there"),
        ({"folds": [["C"]]}, RecordError, "fold 0 holds out 'C', a patient of no case"),
        ({"labels": ["a", "a"]}, RecordError, "two labels have one name"),
    ):
        (tmp_path / "cohort.json").write_text(json.dumps({**tables, **change}))
        with pytest.raises(kind, match=words):
            find_cohort(tmp_path)


@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        (["id,patient_id,ct", "a,A,x"], RecordError, "line 1: it has no column 'patient'; did you mean 'patient_id'?"),
        (["id,patient,ct,labels", "a,A,x,y"], RecordError, "the column 'labels' is unknown; did you mean 'label'?"),
        (["id,patient,ct,ct", "a,A,x,y"], RecordError, "line 1: column 3 has the name of another"),
        (["id,patient,ct,", "a,A,x,y"], RecordError, "line 1: column 4 has no name"),
        ([HEAD, "a,A,x"], RecordError, "line 2: it has 3 cells (expected 6)"),
        ([HEAD, "", "a,,x,y,,"], RecordError, "line 3: its column 'patient' is empty"),
        ([HEAD, row("a", "A"), row("a/b", "B")], RecordError, "line 3: the key 'id'"),
        ([HEAD, row("a", "A"), row("c", "C")], MissingInputError, "cases.csv, line 3"),
        ([HEAD, row("a", "A"), row("a", "B")], InputError, "two cases have the id a"),
        ([HEAD, row("a", "A", fold="0"), row("b", "A", fold="1")], RecordError, "line 3: patient A is in two folds"),
        ([HEAD, row("a", "A", fold="0"), row("b", "B", fold="2")], RecordError, "its folds are 0, 2; number them"),
        ([HEAD, row("a", "A", fold="0")], RecordError, "fold 0 leaves no patient to train on"),
        ([HEAD], RecordError, "it lists no case"),
        (["id,patient", "a,A"], RecordError, "its first case has no channels"),
        ([HEAD, 'a,A,"x"y,z,,'], RecordError, "line 2: it is no CSV"),
        ([""], RecordError, "it lists no case"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], kind: type, words: str) -> None:
    with pytest.raises(kind) as caught:
        find_cohort(write(tmp_path, *lines))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes(f"{HEAD}\nä".encode("latin-1"))
    with pytest.raises(RecordError, match="save it as CSV UTF-8"):
        find_cohort(path)


def test_a_table_says_what_is_contoured(tmp_path: Path) -> None:
    write(tmp_path, f"{HEAD},contoured", f"{row('b', 'B')},tumor node", f"{row('a', 'A')},lymph node | tumor")
    listed = {"cases": "cases.csv", "labels": ["tumor", "node", "lymph node"], "missing": "absent"}
    (tmp_path / "cohort.json").write_text(json.dumps(listed))
    cohort = find_cohort(tmp_path)
    assert [case.contoured for case in cohort.cases] == [("tumor", "node"), ("lymph node", "tumor")]
    assert (cohort.missing, find_cohort(tmp_path, missing="unknown").missing) == ("absent", "unknown")
