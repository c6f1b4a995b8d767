import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicoms import make_grid, write_series

from medunet.errors import ResourceError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.measures import Channel, Measures, measure_mask
from medunet.reading import find_image, read_volume
from medunet.records import read_record
from medunet.writing import Algorithm, Result, list_rows, write_measures, write_table
from medunet.writing import measures as module
from medunet.writing.formats import FORMATS

TABLE = LabelTable.from_names(["organ, left", "tumor"])
ALGORITHM = Algorithm("bundle", "1", "0" * 64)


def make_measures() -> Measures:
    grid = Grid((9, 8, 7), np.diag([1.0, 1, 2, 1]))
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[1:4, 2:5, 1:3] = voxels[6, 6, 6] = 1
    image = np.arange(voxels.size, dtype=np.int16).reshape(1, *voxels.shape)
    # The second channel ends before the second lesion.
    half = Channel("pet", "", np.ones((1, 5, 8, 7)), Grid((5, 8, 7), grid.affine))
    return measure_mask(Mask("classes", voxels, grid, TABLE), [Channel("ct", "HU", image, grid), half])


def test_json_holds_every_number(tmp_path: Path) -> None:
    made = make_measures()
    write_measures(made, tmp_path / "a.json")
    assert read_record(tmp_path / "a.json", Measures) == made
    assert json.loads((tmp_path / "a.json").read_text())["structures"][0]["lesions"][0]["volume"] == 0.036


def test_a_table_has_a_line_for_each_structure_and_lesion(tmp_path: Path) -> None:
    made = make_measures()
    write_table(made, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["structure"], row["lesion"], row["lesions"]) for row in rows] == [
        ("organ, left", "", "2"),
        ("organ, left", "1", ""),
        ("organ, left", "2", ""),
        ("tumor", "", "0"),
    ]
    whole, first, second, none = rows
    assert [row["volume [mL]"] for row in rows] == ["0.038", "0.036", "0.002", "0"]
    assert float(first["longest diameter [mm]"]) == pytest.approx(np.hypot(3, 3), rel=1e-4)
    assert (whole["longest diameter [mm]"], none["x [RAS mm]"]) == ("", "")
    assert (first["k [voxel]"], first["z [RAS mm]"]) == ("1.5", "3")
    assert (first["touches border"], second["touches border"]) == ("no", "yes")
    lesion = made.structures[0].lesions[0]
    assert float(first["ct mean [HU]"]) == lesion.values["ct"].mean
    assert float(first["ct p95 [HU]"]) == lesion.values["ct"].p95
    assert (first["pet mean"], second["pet mean"], first["pet covered"]) == ("1", "", "1")
    assert list(list_rows(made))[1]["lesion"] == "1"


def test_a_picture_is_measured_in_pixels() -> None:
    grid = Grid((9, 8, 1), np.eye(4), "px")
    row = list(list_rows(measure_mask(Mask("classes", np.ones(grid.shape, np.uint8), grid, TABLE))))[1]
    assert (row["volume [px]"], row["spatial diameter [px]"], row["x [px]"]) == ("72", "", "4")


def test_values_come_from_the_scan_and_what_is_gone_is_said(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", make_grid())
    image, volume = find_image(tmp_path / "ct"), read_volume(tmp_path / "ct")
    voxels = np.zeros(volume.grid.shape, np.uint8)
    voxels[1:4, 2:5, 1:3] = 1
    mask = Mask("classes", voxels, volume.grid, TABLE)
    result = Result(mask, image, ALGORITHM, {"ct": image})
    for name, ending in (("measures", ".json"), ("measures-csv", ".csv")):
        FORMATS[name].write(result, tmp_path / f"a{ending}")
    lesion = read_record(tmp_path / "a.json", Measures).structures[0].lesions[0]
    assert lesion.values["ct"].unit == "HU"
    assert lesion.values["ct"].mean == pytest.approx(float(volume.voxels[0][voxels > 0].mean()), rel=1e-5)
    shutil.rmtree(tmp_path / "ct")
    gone = Result(mask, image, ALGORITHM, {"ct": image}).measures
    assert gone.structures[0].lesions[0].values == {}
    assert gone.structures[0].lesions[0].volume == lesion.volume
    assert "ct is not measured: " in gone.notes[0]
    # Without a voxel nothing is read.
    empty = Mask("classes", np.zeros_like(voxels), volume.grid, TABLE)
    assert Result(empty, image, ALGORITHM, {"ct": image}).measures.notes == ()


def test_a_file_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_measures()
    with monkeypatch.context() as patch, pytest.raises(ResourceError, match="what was read back differs"):
        patch.setattr(module, "read_record", lambda *_: None)
        write_measures(made, tmp_path / "a.json")
    with monkeypatch.context() as patch, pytest.raises(ResourceError, match="what was read back differs"):
        patch.setattr(module.csv, "DictReader", lambda _: [])
        write_table(made, tmp_path / "a.csv")
