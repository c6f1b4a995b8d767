from pathlib import Path

import phantom_cohort
import pytest


def test_command_line_prints_a_line_a_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path), "--patients", "2", "--shape", "32,28,12", "--spacing", "10,10,15"]
    monkeypatch.setattr("sys.argv", ["phantom_cohort.py", *words])
    assert phantom_cohort.main() == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["PH-0000", "PH-0001"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["PH-0000", "PH-0001"]
    assert phantom_cohort.main() == 2
    assert "PH-0000" in capsys.readouterr().err
