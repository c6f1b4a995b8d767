from pathlib import Path

import numpy as np
import pytest
from dicoms import make_grid
from pydicom import dcmread

from medunet.geometry import Grid
from medunet.handover.series import write_series
from medunet.reading import Source, Volume, find_series, read_volume


def make_volume(voxels: np.ndarray, grid: Grid) -> Volume:
    return Volume(voxels[None], grid, Source(path="made up"))


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "oblique"])
@pytest.mark.parametrize(("modality", "units"), [("CT", "HU"), ("MR", ""), ("PT", "SUVbw")])
def test_whole_numbers_come_back(orientation: str, modality: str, units: str, tmp_path: Path) -> None:
    grid = make_grid(orientation)
    voxels = np.random.default_rng(1).integers(-1000, 1500, grid.shape).astype(np.int16)
    uid = write_series(tmp_path / "a", make_volume(voxels, grid), modality, units)
    found = read_volume(tmp_path / "a")
    assert (found.source.modality, found.source.units) == (modality, units)
    assert np.array_equal(found.voxels[0], voxels)
    assert np.allclose(found.grid.affine, grid.affine, atol=1e-6)
    assert [series.uid for series in find_series(tmp_path).series] == [uid]


def test_fractions_come_back_within_half_a_step(tmp_path: Path) -> None:
    grid = make_grid("axial")
    voxels = np.random.default_rng(1).normal(3, 2, grid.shape).astype(np.float32)
    write_series(tmp_path / "a", make_volume(voxels, grid), "PT")
    found = read_volume(tmp_path / "a")
    assert found.source.units == "SUVbw"
    step = float(dcmread(tmp_path / "a" / "0001.dcm").RescaleSlope)
    assert step == pytest.approx(np.abs(voxels).max() / 32767)
    assert np.abs(found.voxels[0] - voxels).max() <= 0.51 * step


def test_a_pet_in_other_units_keeps_them(tmp_path: Path) -> None:
    grid = make_grid("axial")
    write_series(tmp_path / "a", make_volume(np.ones(grid.shape, np.float32), grid), "PT", "BQML")
    assert read_volume(tmp_path / "a").source.units == "BQML"


def test_channels_are_of_one_patient_and_place(tmp_path: Path) -> None:
    grid = make_grid("axial")
    for name, modality in (("a", "CT"), ("b", "PT")):
        write_series(tmp_path / name, make_volume(np.ones(grid.shape, np.float32), grid), modality)
    found = find_series(tmp_path).series
    assert len({series.uid for series in found}) == 2
    assert {(series.patient_id, series.study_uid) for series in found} == {
        (found[0].patient_id, found[0].study_uid)
    }  # fmt: skip
    assert len({dcmread(path).SOPInstanceUID for path in tmp_path.rglob("*.dcm")}) == 2 * grid.shape[2]
