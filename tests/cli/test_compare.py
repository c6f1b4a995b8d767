from pathlib import Path

import numpy as np
import pytest
from commands import run

from medunet.geometry import Grid
from medunet.reading import Source, Volume
from medunet.saving import save_volume


def test_methods_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = Grid((10, 10, 6), np.eye(4))
    for name, first in (("truth", 2), ("one", 2), ("other", 4)):
        (tmp_path / name).mkdir()
        for number, case in enumerate("abc"):
            voxels = np.zeros((1, *grid.shape), np.uint8)
            voxels[0, first : 7 + number, 2:8, 1:5] = 1
            save_volume(Volume(voxels, grid, Source(path="")), tmp_path / name / f"{case}.nii.gz")
    folders = (tmp_path / "one", tmp_path / "other", "--truth", tmp_path / "truth")
    assert run(monkeypatch, "compare", *folders, "--margin", "0.1", "-o", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "not shown" in shown
    assert str(tmp_path / "out" / "comparison.html") in shown
    assert run(monkeypatch, "compare", *folders, "--measure", "dise", "-o", tmp_path / "other-out") == 2
    assert "dice" in capsys.readouterr().err
    assert run(monkeypatch, "compare", tmp_path / "one") == 2
