import sys
from pathlib import Path

import numpy as np
import pytest
import read_speed

from medunet.reading import read_volume


def test_both_codings_are_read_by_fresh_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, coded = read_speed.make_series(tmp_path, 32, 4).values()
    assert np.array_equal(read_volume(plain).voxels, read_volume(coded).voxels)
    out = tmp_path / "table.md"
    monkeypatch.setattr(read_speed, "READERS", ("medunet",))
    monkeypatch.setattr(sys, "argv", ["read_speed", "--size", "32", "--slices", "4", "--runs", "1", "--out", str(out)])
    assert read_speed.main() == 0
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.read_text().splitlines()[2:]]
    assert [row[:2] for row in rows] == [["uncompressed", "medunet"], ["JPEG-LS", "medunet"]]
    assert all(float(cell) >= 0 for row in rows for cell in row[2:])
    assert capsys.readouterr().out.strip() == out.read_text().strip()
