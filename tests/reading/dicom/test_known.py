import os
from pathlib import Path

import pytest
from counting import Counts
from dicoms import change, make_grid, write_series

from medunet.reading import find_known, find_series
from medunet.reading.dicom import known


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_series(tmp_path / "in" / "a", make_grid())
    write_series(tmp_path / "in" / "b", make_grid("axial"))
    return tmp_path / "in"


def list_uids(folder: Path) -> list[str]:
    return [series.uid for series in find_series(folder).series]


def test_a_folder_is_found_once(folder: Path, counts: Counts) -> None:
    found = find_known(folder)
    assert [series.uid for series in found.series] == list_uids(folder)
    counts.clear()
    assert find_known(folder) is found
    assert find_known(folder, found.series[1].uid) is found
    assert not counts.take("parse", folder)


@pytest.mark.parametrize("edit", ["added", "gone", "changed", "older"])
def test_a_change_is_noticed(folder: Path, edit: str) -> None:
    found = find_known(folder)
    path = folder / "a" / "0002.dcm"
    if edit == "added":
        (folder / "notes.txt").touch()
    elif edit == "gone":
        path.unlink()
    else:
        change(folder / "a", lambda dataset, _: setattr(dataset, "RescaleIntercept", "-1000"), only=[1])
    if edit == "older":
        os.utime(path, (1e9, 1e9))
    again = find_known(folder)
    assert again is not found
    assert len(again.series[0].files) == len(found.series[0].files) - (edit == "gone")


def test_another_series_of_the_folder_may_change(folder: Path) -> None:
    first, second = list_uids(folder)
    found = find_known(folder, first)
    change(folder / "b", lambda dataset, _: setattr(dataset, "RescaleIntercept", "-1000"), only=[1])
    assert find_known(folder, first) is found
    assert find_known(folder, second) is not found


def test_what_can_not_be_read_is_told_each_time(folder: Path, counts: Counts) -> None:
    (folder / "bad.dcm").write_text("none")
    for _ in range(2):
        (damage,) = find_known(folder).damaged
        assert "bad.dcm: it is called .dcm but is no DICOM file" in str(damage)
        counts.clear()
    assert len(find_known(folder).series) == 2
    assert not counts.take("parse", folder)


def test_what_was_not_asked_for_longest_is_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST_FILES", 10)
    one, other = find_known(folder / "a"), find_known(folder / "b")
    assert find_known(folder / "b") is other
    assert find_known(folder / "a") is not one


def test_a_single_file_is_known_too(folder: Path) -> None:
    path = folder / "a" / "0001.dcm"
    assert find_known(path) is find_known(path)
    assert find_known(path).series[0].files == (str(path),)
