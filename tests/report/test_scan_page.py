import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import needs_chromium, open_page

import medunet
from medunet.algorithms import Algorithm
from medunet.confidence import Confidence, StructureConfidence
from medunet.geometry import Grid
from medunet.inference.memory import PAGE
from medunet.labels import LabelTable, Mask
from medunet.reading import Source, Volume
from medunet.report.scan_page import FORMAT, make_scan_page
from medunet.writing import Result

GRID = Grid((30, 24, 16), np.diag([2.0, 2.0, 4.0, 1.0]))
TABLE = LabelTable.from_names(["cord", "<b>jaw"])


def make_result(mask: Mask) -> Result:
    voxels = np.full((1, *mask.grid.shape), -100, np.int16)
    voxels[0][mask.voxels == 1] = 40
    volume = Volume(voxels, mask.grid, Source(path="scan", units="HU"))
    return Result(
        mask,
        None,  # type: ignore[arg-type]
        Algorithm("organs", "0.1.0", "ab"),
        channels={"ct": None},  # type: ignore[dict-item]
        name="one & only",
        read={"ct": volume},
    )


def make_mask() -> Mask:
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels[10:14, 10:14, 4:10] = 1
    voxels[20:30, 2:6, 4:6] = 2
    return Mask("classes", voxels, GRID, TABLE)


def test_the_page_tells_what_was_found_and_measured() -> None:
    page = make_scan_page(make_result(make_mask()))
    assert "<h1>one &amp; only</h1>" in page
    assert "organs 0.1.0: cord, &lt;b&gt;jaw found." in page
    assert "<b>jaw" not in page
    cord = next(line for line in page.splitlines() if ">cord</th>" in line)
    volume = 4 * 4 * 6 * 16 / 1000
    assert f"<td>{volume:.3g}</td><td>1</td>" in cord
    assert "<td>40</td><td>no</td>" in cord
    jaw = next(line for line in page.splitlines() if "jaw</th>" in line)
    assert "<td>-100</td><td>yes</td>" in jaw
    assert 'class="case"' in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "Trust" not in page


def test_what_speaks_against_a_mask_stands_on_top() -> None:
    sure = StructureConfidence(name="cord", trust="look", score=0.4, expected=0.4, reasons=("it is small",))
    doubtful = replace(make_mask(), confidence=Confidence(trust="look", reasons=("thick slices",), structures=(sure,)))
    page = make_scan_page(make_result(doubtful))
    assert "<b>Trust: look.</b>" in page
    assert "<li>thick slices</li><li>cord: it is small</li>" in page
    assert page.index("Trust: look") < page.index("<figure>")


def test_nothing_found_is_said() -> None:
    page = make_scan_page(make_result(Mask("classes", np.zeros(GRID.shape, np.uint8), GRID, TABLE)))
    assert "organs 0.1.0: nothing found." in page
    assert page.count("<td>not found</td>") == 2


def test_a_picture_has_its_components_and_pixels() -> None:
    grid = Grid((40, 30, 1), np.eye(4), "px")
    numbers = np.zeros(grid.shape, np.uint16)
    numbers[4:14, 5:15], numbers[20:25, 5:10] = 1, 2
    colours = np.zeros((3, *grid.shape), np.uint8)
    colours[1] = 70
    mask = Mask("instances", numbers, grid, LabelTable.from_names(["nucleus"], objects=True))
    result = replace(make_result(mask), read={"ct": Volume(colours, grid, Source(path="picture"))})
    page = make_scan_page(result)
    row = next(line for line in page.splitlines() if ">nucleus</th>" in line)
    assert "<td>125</td><td>2</td>" in row
    assert "<td>0</td><td>70</td><td>0</td>" in row
    assert "median ct 2" in page


def test_predict_writes_it_beside_the_mask(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    assert FORMAT.read is None
    (made,) = medunet.predict(trained, patients[0], output=tmp_path, formats=("page",))
    assert made.files["page"].name == f"{made.id}.page.html"
    page = made.files["page"].read_text(encoding="utf-8")
    assert f"<h1>{made.id}</h1>" in page
    assert made.files["nifti"].is_file()


@needs_chromium
def test_the_viewer_shows_a_mask_without_a_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medunet.report.viewer.find_niivue", lambda: None)
    path = tmp_path / "page.html"
    path.write_text(make_scan_page(make_result(make_mask())), encoding="utf-8")
    with open_page(path, viewport={"width": 800, "height": 700}) as opened:
        assert opened.wait_for_viewer() == "plain"
        opened.go_to(GRID.to_world([[12, 12, 6]])[0].tolist())
        said = opened.read()
        assert (said["prediction"], said["voxel"], said["values"][0]["value"]) == (1, [12, 12, 6], 40)
        text = opened.page.inner_text("[data-is=readout]")
        assert "prediction cord" in text
        assert "truth" not in text
        assert opened.page.locator(".truth input").count() == 0
        assert "around what was found" in opened.page.inner_text("[data-is=which]")
        assert opened.complaints == []


def test_a_page_takes_no_more_memory_than_is_stated() -> None:
    grid = Grid((120, 120, 80), np.eye(4))
    inside = np.zeros(grid.shape, np.uint8)
    inside[10:-10, 10:-10, 10:-10] = 1
    result = make_result(Mask("classes", inside, grid, TABLE))
    assert result.measures.structures[0].lesion_count == 1
    tracemalloc.start()
    try:
        make_scan_page(result)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Of pages and pictures, whatever the size of the scan.
    assert peak < PAGE * inside.size + 8e6
