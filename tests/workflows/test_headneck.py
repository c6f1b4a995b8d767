import json
import sys
from pathlib import Path

import pytest
from cohorts import draw_neck
from headneck import main


def test_what_was_not_drawn_is_not_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    contoured = {f"p{n}": ["cord", "larynx"] if n % 2 else ["cord"] for n in range(6)}
    for name, drawn in contoured.items():
        draw_neck(tmp_path / "data", name, drawn)
    told = {"labels": {"cord": 1, "larynx": 2}, "contoured": contoured}
    (tmp_path / "data" / "contoured.json").write_text(json.dumps(told))
    (tmp_path / "data" / "folds.json").write_text(json.dumps({"0": ["p0", "p1"], "1": ["p2", "p3", "p4", "p5"]}))
    options = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--budget", "2s"]
    monkeypatch.setattr(sys, "argv", ["headneck.py", *options])
    assert main() == 0
    cord, larynx = capsys.readouterr().out.split("| larynx |")
    assert "| p0 |" in cord
    assert "| p0 |" not in larynx
    assert "| p1 |" in larynx
