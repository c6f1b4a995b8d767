import sys
from pathlib import Path

import predict_speed
import pytest


def test_a_small_chest_is_timed_by_stage_beside_stock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table.md"
    small = [
        "--size",
        "32",
        "--slices",
        "24",
        "--patch",
        "16",
        "--features",
        "4,8,8",
        "--rounds",
        "1",
        "--windows",
        "2",
    ]
    several = ["--rounds", "1", "--windows", "2"]
    monkeypatch.setattr(predict_speed, "has_openvino", lambda: False)
    monkeypatch.setattr(sys, "argv", ["predict_speed", *small, *several, "--out", str(out)])
    assert predict_speed.main() == 0
    text = out.read_text()
    assert "network: extrapolated from 2 windows" in text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    names = [row[0] for row in rows]
    assert names[1] == "MONAI stock"
    assert sum(name.startswith("medunet ") for name in names) == 2
    assert rows[1][-1] == "1.00"
    assert names[-3:] == ["3 compact", "105 compact", "25 of noise"]
    assert all(float(cell) >= 0 for row in rows if row[0] in names[1:4] for cell in row[1:])
    assert capsys.readouterr().out.strip() == text.strip()


def test_windows_that_are_not_computed_are_extrapolated() -> None:
    import torch

    watch, asked = predict_speed.Watch(3), []

    def network(patches: torch.Tensor) -> torch.Tensor:
        asked.append(len(patches))
        return patches * 2

    for _ in range(4):
        assert watch.run(torch.ones(2, 1, 3), network).shape == (2, 1, 3)
    assert (asked, watch.computed, watch.windows) == ([2, 2], 4, 8)
    assert watch.extrapolated == pytest.approx(2 * watch.seconds)
