from pathlib import Path

import pytest
from commands import run


def test_predict_by_name_of_the_channel(
    trained: Path,
    patients: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "predict", trained, "--image", f"ct={patients[0] / 'CT'}", "-o", tmp_path) == 0
    assert "CT.nii.gz: lesion" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), "no scan is given"), (("--image", "ct"), "it is not NAME=PATH"), (("--image", "ctt=x"), "did you mean 'ct'")],
)
def test_scans_that_are_none(
    trained: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "predict", trained, *arguments) == 2
    assert words in capsys.readouterr().err
