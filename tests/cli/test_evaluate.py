from pathlib import Path

import pytest
from commands import run


def test_evaluate_prints_the_table_and_where_the_page_lies(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "evaluate", trained, "-o", tmp_path / "e") == 0
    shown = capsys.readouterr().out
    assert "threshold" in shown
    assert str(tmp_path / "e" / "report.html") in shown
    assert run(monkeypatch, "evaluate", trained, "-o", tmp_path / "e") == 2
