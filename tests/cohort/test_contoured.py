import json
from pathlib import Path
from typing import Any

import pytest
from cohorts import write_cohort

from medunet.cohort import find_cohort
from medunet.errors import RecordError


def write(folder: Path, content: Any) -> Path:
    path = write_cohort(folder / "in", labels=("liver", "spleen"), patients="abc")
    (folder / "in" / "contoured.json").write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("content", [{"a": ["liver"], "b": []}, {"contoured": {"a": ["liver"], "b": []}, "labels": {}}])
def test_a_file_beside_a_cohort_says_what_is_contoured(tmp_path: Path, content: Any) -> None:
    assert [case.contoured for case in find_cohort(write(tmp_path, content)).cases] == [("liver",), (), None]


def test_what_a_case_says_itself_goes_before_it(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": ["liver"]})
    listed = json.loads(path.read_text())
    listed["cases"][0]["contoured"] = ["spleen"]
    path.write_text(json.dumps(listed))
    assert find_cohort(path.parent).cases[0].contoured == ("spleen",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"d": ["liver"]}, "it names 'd', which is neither a case nor a patient"),
        ({"a": ["livre"]}, "case a has the label 'livre'; did you mean 'liver'"),
        ({"a": "liver"}, "it lists no labels of cases"),
        ([], "it lists no labels of cases"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        find_cohort(write(tmp_path, content))
