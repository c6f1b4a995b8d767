from pathlib import Path

import pytest
from commands import run


def test_init_writes_a_bundle_and_says_what_is_next(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--budget", "30s", "--ram", "2G", "--channels", "ct")
    assert run(monkeypatch, "init", cohort_folder, tmp_path / "b", *options) == 0
    assert "next: medunet train" in capsys.readouterr().out
    assert (tmp_path / "b" / "configs" / "plan.json").is_file()
    assert run(monkeypatch, "init", cohort_folder, tmp_path / "c", "--dims", "4") == 2
    assert run(monkeypatch, "init", cohort_folder, tmp_path / "c", "--channels", "mr") == 2
