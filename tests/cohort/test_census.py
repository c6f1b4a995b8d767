import json
from pathlib import Path

import numpy as np
import pytest
from cohorts import write_cohort
from dicoms import draw_balls, make_grid, write_seg, write_series
from pydicom import dcmread

from medunet.cohort import check_path
from medunet.cohort.census import suggest_aliases
from medunet.findings import Finding
from medunet.geometry import Grid
from medunet.testing.phantoms import Identity, write_contours, write_ct


def find_table(findings: list[Finding]) -> Finding:
    assert findings[-1].code == "structures"
    assert findings[-1].severity == "note"
    return findings[-1]


def write_tree(folder: Path, names: list[list[str]]) -> Path:
    """A CT for each patient, with a box of 8 × 6 × 4 voxels (0.96 mL) for each name."""
    grid = Grid((30, 26, 12), np.diag([1.0, 1.0, 5.0, 1.0]))
    for number, own in enumerate(names):
        identity = Identity(f"P{number}", f"P{number}", "O", f"1.2.{number}.1", f"1.2.{number}.2", f"1.2.{number}.3")
        write_ct(folder / f"P{number}" / "CT", np.zeros(grid.shape, np.int16), grid, identity)
        for place, name in enumerate(own):
            mask = np.zeros(grid.shape, bool)
            mask[2:10, 3 + 7 * place : 9 + 7 * place, 4:8] = True
            write_contours(folder / f"P{number}" / f"{place}.dcm", mask, grid, identity, name)
    return folder


def test_a_cohort_of_contours_ends_with_its_structures(tmp_path: Path) -> None:
    names = [["GTV_1"], ["gtv 1"], ["GTV_1"], ["Heart"]]
    said = find_table(check_path(write_tree(tmp_path, names)))
    assert said.found == "3 structures of 4 patients"
    rows = [line.split() for line in said.remedy.splitlines()]
    assert ["GTV_1", "2", "0.96,", "0.96,", "0.96"] in rows
    assert ["Heart", "1", "0.96,", "0.96,", "0.96"] in rows
    block = said.remedy.split('"aliases": ')[1]
    assert json.loads(block) == {"gtv 1": "GTV_1"}


def test_label_maps_count_by_their_values(tmp_path: Path) -> None:
    said = find_table(check_path(write_cohort(tmp_path / "cohort", labels=("liver", "spleen"))))
    rows = [line.split() for line in said.remedy.splitlines()]
    assert rows[1][:2] == ["liver", "4"]
    assert rows[1][-1] == "1"
    assert rows[2][-1] == "2"
    # 7 × 7 × 6 voxels of 36 mm³; the second box may lie on the first.
    assert rows[2][4] == "10.6"
    assert "aliases" not in said.remedy


def test_segments_are_measured(tmp_path: Path) -> None:
    """Two patients whose segments have the names of balls."""
    grid = make_grid("axial", (24, 22, 14))
    for patient in ("a", "b"):
        folder = tmp_path / patient
        write_series(folder, grid, np.random.default_rng(ord(patient)).integers(-100, 100, grid.shape))
        for file in folder.glob("*.dcm"):
            header = dcmread(file)
            header.PatientID = patient
            header.save_as(file)
        mask = draw_balls(grid, ("left ball", "right ball"))
        write_seg(tmp_path / f"{patient}.dcm", mask, folder)
    said = find_table(check_path(tmp_path))
    row = next(line.split() for line in said.remedy.splitlines() if line.startswith("    left ball"))
    assert row[2] == "2"
    assert float(row[3].rstrip(",")) == pytest.approx((mask.voxels == 1).sum() * mask.voxel_volume, rel=5e-3)


def test_names_of_one_file_are_never_alike() -> None:
    assert suggest_aliases({"a": ["Kidney L", "kidney left"]}) == {}
    assert suggest_aliases({"a": ["Kidney L"], "b": ["kidney left"]}) == {"kidney left": "Kidney L"}


def test_sides_and_numbers_tell_apart() -> None:
    files = {"a": ["Parotid L"], "b": ["Parotid R"], "c": ["Lesion1"], "d": ["Lesion2"], "e": ["GTVp"], "f": ["GTVn"]}
    assert suggest_aliases(files) == {}


def test_misspelt_names_and_modalities_are_alike() -> None:
    files = {"a": ["SpinalCord"], "b": ["SpinalCord"], "c": ["Spinal_Chord"], "d": ["spinal cord MR"]}
    assert suggest_aliases(files) == {"Spinal_Chord": "SpinalCord", "spinal cord MR": "SpinalCord"}
