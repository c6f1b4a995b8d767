import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medunet.errors import MissingInputError, OutputExistsError, RecordError, ResourceError
from medunet.labels import LabelTable
from medunet.records import (
    Record,
    forget_peak_memory,
    hash_file,
    measure_peak_memory,
    read_json,
    read_record,
    record_run,
    whole_file,
    whole_folder,
    write_json,
    write_record,
)


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


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    with whole_file(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["f"]


def test_a_folder_that_can_not_be_made_is_a_resource_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ResourceError, match="can't be written"), whole_file(tmp_path / "f" / "g"):
        pass


def test_a_folder_appears_whole_and_never_over_another(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "d") as part:
        (part / "x").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with whole_folder(tmp_path / "d") as part:
        (part / "x").write_text("")
    assert (tmp_path / "d" / "x").exists()
    with pytest.raises(OutputExistsError), whole_folder(tmp_path / "d"):
        pass


def test_a_run_says_what_it_was_on(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    assert hash_file(path).startswith("ba7816bf")
    record = record_run("predict", {"f": hash_file(path)}, time.monotonic() - 2)
    assert record.seconds == pytest.approx(2, abs=0.2)
    assert record.versions["torch"]
    assert record.predicted_memory_gib is None
    assert record_run("predict", {}, time.monotonic(), (), 1.234).predicted_memory_gib == 1.23
    assert 2**20 < measure_peak_memory() < 2**40


def test_memory_of_a_child_is_not_that_of_who_started_it() -> None:
    held = b"x" * (300 * 2**20)
    code = "from medunet.records import measure_peak_memory; print(measure_peak_memory())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(child.stdout) < len(held) < measure_peak_memory()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets")
def test_a_peak_that_is_over_can_be_forgotten() -> None:
    held = b"x" * (300 * 2**20)
    before, size = measure_peak_memory(), len(held)
    del held
    assert measure_peak_memory() > before - 2**22
    forget_peak_memory()
    assert measure_peak_memory() < before - size / 2


@contextmanager
def full_disk(limit: int = 1000) -> Iterator[None]:
    """Writing beyond `limit` bytes fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    with full_disk():
        with pytest.raises(ResourceError, match="f: it can't be written"), whole_file(tmp_path / "f") as part:
            part.write_bytes(bytes(5000))
        with pytest.raises(ResourceError, match="d: it can't be written"), whole_folder(tmp_path / "d") as part:
            (part / "x").write_bytes(bytes(5000))
    assert [item.name for item in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_a_name_that_is_no_text_comes_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"Gr\xf6\xdfe")
    write_json(tmp_path / "x.json", {"ü": name})
    (tmp_path / "x.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "x.json") == {"ü": name}
