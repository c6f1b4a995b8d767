from pathlib import Path

import numpy as np
import pytest
from trust_shifts import SHIFTS, keep

from medunet.geometry import Grid
from medunet.reading import Source, Volume


def make(units: str, level: float, grid: Grid) -> Volume:
    voxels = np.full((1, *grid.shape), level, np.float32)
    return Volume(voxels, grid, Source(path="x", modality="CT", units=units))


@pytest.mark.parametrize("kind", SHIFTS["mm"])
def test_every_kind_of_scan_differs_from_the_one_that_it_is_made_of(kind: str, tmp_path: Path) -> None:
    grid = Grid((8, 6, 4), np.diag([2.0, 2.0, 3.0, 1.0]))
    scan = {"ct": make("HU", 40.0, grid), "pet": make("SUVbw", 2.0, grid)}
    made = SHIFTS["mm"][kind](scan, tmp_path, 0)
    if kind.startswith("MR"):
        assert made is None
        return
    assert made is not None
    assert list(made) == ["ct", "pet"]
    same = keep(scan, tmp_path, 0)
    moved = made["ct"].grid.shape != grid.shape or not np.allclose(made["ct"].grid.affine, grid.affine)
    assert moved or not np.array_equal(made["ct"].voxels, same["ct"].voxels)
    again = SHIFTS["mm"][kind](scan, tmp_path, 0)
    assert again is not None
    assert np.array_equal(made["ct"].voxels, again["ct"].voxels)


@pytest.mark.parametrize("kind", SHIFTS["px"])
def test_pictures_stay_pictures(kind: str, tmp_path: Path) -> None:
    made = SHIFTS["px"][kind]({"image": make("", 200.0, Grid((16, 12, 1), np.eye(4), "px"))}, tmp_path, 0)
    assert made is not None
    assert made["image"].voxels.dtype == np.uint8
    assert made["image"].grid.unit == "px"
