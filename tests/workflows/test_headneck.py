import json
import sys
from pathlib import Path

import numpy as np
import pytest
from headneck import main

from medunet.geometry import Grid
from medunet.reading import Source, Volume
from medunet.saving import save_volume


def draw_neck(folder: Path, name: str, contoured: list[str]) -> None:
    """Two organs in noise, of which some are drawn."""
    rng = np.random.default_rng(len(name) + sum(map(ord, name)))
    values = rng.normal(0, 20, (24, 24, 12)).astype(np.int16)
    labels = np.zeros(values.shape, np.uint8)
    for value, (organ, start) in enumerate((("cord", 4), ("larynx", 14)), 1):
        place = (slice(start, start + 6), slice(8, 14), slice(3, 9))
        values[place] += 200 * value
        if organ in contoured:
            labels[place] = value
    grid = Grid((24, 24, 12), np.diag([2.0, 2.0, 3.0, 1.0]))
    for part, voxels in (("images", values), ("labels", labels)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        save_volume(Volume(voxels[None], grid, Source(path="")), folder / part / f"{name}.nii.gz")


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
