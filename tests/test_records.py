import json
import os
from pathlib import Path

import pytest

from medunet.errors import MissingInputError, RecordError
from medunet.labels import LabelTable
from medunet.records import Record, read_json, read_record, write_json, write_record


class Inner(Record):
    """One value."""

    spacing: float


class Outer(Record):
    """A list and a dictionary of records."""

    name: str
    items: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    table = LabelTable.from_names(["ä", "b"])
    write_record(tmp_path / "deep" / "t.json", table)
    assert read_record(tmp_path / "deep" / "t.json", LabelTable) == table
    assert list(tmp_path.rglob("*part*")) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"nam": "x"}, "did you mean 'name'"),
        ({"name": "x", "items": [{"spacin": 1}]}, "did you mean 'spacing'"),
        ({"name": "x", "named": {"a": {"spacing": 1, "zzz": 2}}}, "known are spacing"),
        ({"name": 3}, "'name'"),
        ({}, "'name'"),
    ],
)
def test_a_wrong_key_is_named_with_the_nearest(tmp_path: Path, content: dict[str, object], words: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError) as caught:
        read_record(path, Outer)
    assert words in str(caught.value)
    assert "r.json" in str(caught.value)


def test_json_that_is_none_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(MissingInputError):
        read_json(path)
    path.write_text('{"a": 1, "a": 2}')
    with pytest.raises(RecordError, match="twice"):
        read_json(path)
    path.write_text("{")
    with pytest.raises(RecordError, match="no valid JSON"):
        read_json(path)


def test_a_name_that_is_no_text_comes_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"Gr\xf6\xdfe")
    write_json(tmp_path / "x.json", {"ü": name})
    (tmp_path / "x.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "x.json") == {"ü": name}
