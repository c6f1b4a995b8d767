from pathlib import Path

import pytest
from commands import run


def test_export_says_what_it_wrote(
    cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "Dataset001_phantoms"
    assert run(monkeypatch, "cohort", "export", cohort_folder, out, "--format", "nnunet", "--channels", "ct") == 0
    assert f"wrote {out}: 6 cases of ct with the labels lesion" in capsys.readouterr().out
    assert run(monkeypatch, "cohort", "export", cohort_folder, out, "--format", "nnunet") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert run(monkeypatch, "cohort", "export", cohort_folder, tmp_path / "x", "--format", "nnu-net") == 2
    assert "did you mean 'nnunet'" in capsys.readouterr().err
    assert run(monkeypatch, "cohort", "export", cohort_folder, tmp_path / "x") == 2
    said = "no layout is given; add --format nnunet, or --format msd for the Decathlon's."
    assert capsys.readouterr().err == f"medunet: medunet cohort export: {said}\n"
