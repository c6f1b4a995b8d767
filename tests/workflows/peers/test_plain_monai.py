import sys
from pathlib import Path

import pytest
from cohorts import draw_neck
from plain_monai import METHOD, main

import medunet
from medunet.evaluation import Scores
from medunet.records import read_record


def test_held_out_cases_are_scored_where_labels_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(4):
        draw_neck(tmp_path / "data", f"p{n}", ["cord", "larynx"] if n else ["cord"])
    (tmp_path / "data" / "labels.json").write_text('{"cord": 1, "larynx": 2}')
    (tmp_path / "data" / "folds.json").write_text('{"0": ["p0", "p1"], "1": ["p2", "p3"]}')
    labels = medunet.LabelChoices(missing="unknown")
    bundle = tmp_path / "bundle"
    medunet.init(tmp_path / "data", bundle, budget_minutes=1, channels=["ct"], labels=labels)
    monkeypatch.setattr(sys, "argv", ["plain_monai.py", str(bundle), "--out", str(tmp_path / "out"), "--budget", "4s"])
    assert main() == 0
    assert "steps in 0.0666667 min" in capsys.readouterr().out
    scores = read_record(tmp_path / "out" / "scores.json", Scores).methods[METHOD]
    assert [(score.case, score.label) for score in scores] == [("p0", "cord"), ("p1", "cord"), ("p1", "larynx")]
