import json
import sys
from pathlib import Path

import pytest
from discs import draw_discs
from nuclei import main


def test_the_pictures_of_a_fold_are_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [path.stem for path in draw_discs(tmp_path / "data", 6)]
    (tmp_path / "data" / "folds.json").write_text(json.dumps({"0": names[:2], "1": names[2:]}))
    options = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--budget", "2s"]
    monkeypatch.setattr(sys, "argv", ["nuclei.py", *options, "--fold", "1"])
    assert main() == 0
    out = capsys.readouterr().out
    assert all(f"| {name} | " in out for name in names[2:])
    assert "| components: AP, Dice, NSD 2 px" in out
    monkeypatch.setattr(sys, "argv", ["nuclei.py", *options, "--fold", "7"])
    assert main() == 2
    assert "there is no fold 7" in capsys.readouterr().err
