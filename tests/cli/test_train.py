from pathlib import Path

import pytest
from commands import run


def test_train_ends_with_weights_and_says_what_is_next(
    untrained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "train", untrained, "--budget", "2s", "--fold", "1") == 0
    shown = capsys.readouterr()
    assert "next: medunet evaluate" in shown.out
    assert "loader" in shown.err
    assert (untrained / "models" / "model.pt").is_file()
    assert run(monkeypatch, "train", untrained, "--fold", "9") == 2
