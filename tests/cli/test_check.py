import json
import shutil
from pathlib import Path

import pytest
from commands import run
from dicoms import change, make_grid, write_series
from pydicom import Dataset


def test_findings_are_a_table_and_errors_make_the_exit_code_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(tmp_path / "CT", make_grid())

    def drop(dataset: Dataset, _: int) -> None:
        del dataset.RescaleSlope, dataset.RescaleIntercept

    change(tmp_path / "CT", drop)
    assert run(monkeypatch, "check", tmp_path) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("error    rescale-missing")
    assert "--assume-rescale" in lines[0]
    assert lines[1].startswith("    CT/0001.dcm: Rescale Slope or Intercept is missing")
    assert lines[-2:] == ["    … and 1 more, which --all lists", "6 errors, 0 warnings, 0 notes"]
    assert run(monkeypatch, "check", tmp_path, "--all") == 2
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_a_table_of_series_stands_below_what_is_found(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(tmp_path / "MR", make_grid())
    change(tmp_path / "MR", lambda dataset, _: setattr(dataset, "Modality", "MR"))
    assert run(monkeypatch, "check", tmp_path, "--bundle", trained) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "error    channel-missing",
        f"    {tmp_path}: it has no CT series, which channel ct needs",
        "    give that scan; there are:",
    ]
    assert lines[3].startswith("  ")
    assert lines[-1] == "1 error, 0 warnings, 0 notes"


def test_json_is_one_document(
    cohort_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "check", cohort_folder, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"error": 0, "warning": 1, "note": 1}
    finding, table = told["findings"]
    assert table["code"] == "structures"
    assert set(finding) == {"code", "severity", "subject", "found", "remedy", "option"}
    assert finding["code"] == "label-empty"


def test_a_path_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "check", "nowhere", "--json") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("medunet: nowhere: there is no such")


def test_a_zip_is_checked_like_its_folder(
    patients: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(patients[0] / "CT", tmp_path / "scan" / "CT")
    (tmp_path / "scan" / "CT" / "0003.dcm").unlink()
    shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "scan")
    assert run(monkeypatch, "check", tmp_path / "scan.zip", "--json") == 2
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["code"], Path(finding["subject"]).name) == ("slices-missing", "0002.dcm")
    assert not Path(finding["subject"]).is_absolute()
