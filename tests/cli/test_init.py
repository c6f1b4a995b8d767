import shutil
from pathlib import Path

import pytest
from commands import run

from medunet.bundle import open_bundle


def test_init_writes_a_bundle_and_says_what_is_next(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--budget", "30s", "--ram", "2G", "--channels", "ct")
    assert run(monkeypatch, "init", cohort_folder, tmp_path / "b", *options) == 0
    assert "next: medunet train" in capsys.readouterr().out
    assert (tmp_path / "b" / "configs" / "plan.json").is_file()
    assert run(monkeypatch, "init", cohort_folder, tmp_path / "c", "--dims", "4") == 2
    assert run(monkeypatch, "init", cohort_folder, tmp_path / "c", "--channels", "mr") == 2


def test_a_zip_is_unpacked_beside_its_bundle(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = shutil.make_archive(str(tmp_path / "patients"), "zip", cohort_folder)
    assert run(monkeypatch, "init", archive, tmp_path / "b", "--channels", "mr") == 2
    assert not (tmp_path / "b.scans").exists()
    assert run(monkeypatch, "init", archive, tmp_path / "b", "--budget", "30s", "--channels", "ct") == 0
    case = open_bundle(tmp_path / "b").cohort().cases[0]
    assert Path(case.channels["ct"].path).is_relative_to(tmp_path / "b.scans")
    assert Path(case.channels["ct"].path).is_dir()
