from pathlib import Path

import numpy as np
import pytest
from browser import TOOLS, needs_chromium, open_page
from PIL import Image

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.measures import Channel
from medunet.report.embedding import ShownCase, embed_case
from medunet.report.niivue import find_niivue
from medunet.report.sheet import link_case, write_document
from medunet.report.viewer import write_viewer

SHAPE, MARK, AT = (24, 30, 14), 1234, (7, 19, 5)
TURN = np.array([[0.96, -0.28, 0, 5], [0.28, 0.96, 0, -7], [0, 0, 1, 11], [0, 0, 0, 1.0]])
AFFINES = {
    "straight": np.diag([2.0, 2.0, 4.0, 1.0]),
    "mirrored, other axes": np.array([[0, 0, -3, 9.0], [-2, 0, 0, 30], [0, 2, 0, -50], [0, 0, 0, 1]]),
    "oblique": TURN @ np.diag([-2.0, 2.0, 4.0, 1.0]),
}


def make_case(name: str) -> ShownCase:
    """Dark, with one bright voxel; truth and prediction lie elsewhere but for it."""
    grid = Grid(SHAPE, AFFINES[name])
    values = np.zeros((1, *SHAPE), np.int16)
    values[0][AT] = MARK
    coarse = Grid((12, 15, 7), grid.affine @ np.diag([2, 2, 2, 1.0]))
    pet = np.broadcast_to(np.arange(12.0, dtype=np.float32)[:, None, None], coarse.shape)[None]
    masks = [np.zeros(SHAPE, np.uint8) for _ in range(2)]
    masks[0][7:12, 15:20, 5:8] = 1
    masks[1][9:14, 15:20, 5:8] = 2
    truth, predicted = (Mask("classes", mask, grid, LabelTable.from_names(["liver", "tumor"])) for mask in masks)
    images = [Channel("ct", "HU", values, grid), Channel("pet", "SUV", pet, coarse)]
    return embed_case(name, images, truth, predicted)


def write_page(path: Path) -> Path:
    cases = [make_case(name) for name in AFFINES]
    links = [f"<p>{link_case(case.name, case.name)}</p>" for case in cases]
    path.write_text(write_document("made up", [*links, write_viewer(cases)]))
    return path


@pytest.fixture(params=["plain", "niivue"])
def page(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    find_niivue.cache_clear()
    if request.param == "niivue":
        if not TOOLS.is_dir():
            pytest.skip("make browser brings ipyniivue")
        monkeypatch.syspath_prepend(TOOLS)
    else:
        monkeypatch.setattr("medunet.report.viewer.find_niivue", lambda: None)
    return request.param, write_page(tmp_path / "page.html")


@needs_chromium
def test_the_right_voxel_is_shown_at_a_known_place(page: tuple[str, Path], tmp_path: Path) -> None:
    kind, path = page
    with open_page(path, viewport={"width": 800, "height": 700}) as opened:
        assert opened.wait_for_viewer() == kind
        for name, affine in list(AFFINES.items())[kind == "niivue" :]:
            opened.page.click(f"a[data-case='{name}']")
            opened.wait_for_viewer()
            mm = (affine @ (*AT, 1))[:3]
            opened.go_to(mm.tolist())
            said = opened.read()
            assert said["voxel"] == list(AT)
            assert said["mm"] == pytest.approx(mm.tolist(), abs=1e-3)
            assert [value["value"] for value in said["values"]] == [MARK, pytest.approx(AT[0] / 2, abs=1e-3)]
            assert (said["truth"], said["prediction"]) == (1, 0)
            text = opened.page.inner_text("[data-is=readout]")
            assert "ct 1234 HU" in text
            assert "truth liver" in text
            look(opened, kind, Grid(SHAPE, affine), tmp_path / "shot.png")
        assert opened.complaints == []
        assert [url for url in opened.asked if not url.startswith(("blob:", path.as_uri()))] == []


def look(opened: object, kind: str, grid: Grid, shot: Path) -> None:
    """The bright voxel lies where it lies in the patient: the right on the left, front and head on top."""
    opened.page.set_checked(".truth input", False)
    opened.page.set_checked(".prediction input", False)
    opened.page.wait_for_timeout(100)
    canvas = "canvas[data-view=axial]" if kind == "plain" else "canvas[data-view=niivue]"
    opened.page.locator(canvas).screenshot(path=shot)
    axes = grid.nearest_axes()
    start = np.array(opened.page.evaluate("viewer.viewer.box().start"))
    size = np.array(opened.page.evaluate("viewer.viewer.box().shape"))
    part = (np.array(AT) - start + 0.5) / size
    along = [part[axis] if grid.affine[world, axis] > 0 else 1 - part[axis] for world, axis in enumerate(axes)]
    wide, high = (size[axes[n]] * grid.spacing[axes[n]] for n in (0, 1))
    picture = np.asarray(Image.open(shot).convert("RGB"))
    view_wide = picture.shape[1] if kind == "plain" else picture.shape[1] / 3
    scale = min(view_wide / wide, picture.shape[0] / high)
    corner = 12  # of the page, round
    inner = picture[corner:-corner, corner : int(view_wide) - corner]
    bright = np.argwhere(inner.min(axis=2) > 235) + corner
    assert len(bright) > 0  # few, since niivue smooths
    y, x = bright.mean(axis=0)
    voxel = max(grid.spacing) * scale
    assert x == pytest.approx(view_wide / 2 + (0.5 - along[0]) * wide * scale, abs=voxel)
    assert y == pytest.approx(picture.shape[0] / 2 + (0.5 - along[1]) * high * scale, abs=voxel)


@needs_chromium
def test_slices_window_channels_and_keys(page: tuple[str, Path]) -> None:
    kind, path = page
    with open_page(path, viewport={"width": 800, "height": 700}) as opened:
        opened.wait_for_viewer()
        before = opened.read()["mm"]
        opened.page.focus("[data-plane=axial]")
        opened.page.keyboard.press("ArrowRight")
        assert opened.read()["mm"] == pytest.approx([before[0], before[1], before[2] + 4])
        opened.page.focus("canvas >> nth=0")
        opened.page.keyboard.press("1")
        opened.page.keyboard.press("ArrowDown")
        assert opened.read()["mm"] == pytest.approx(before)
        opened.page.fill("[data-is=white]", "500")
        opened.page.keyboard.press("Enter")
        opened.page.click("button:has-text('pet')")
        opened.page.wait_for_timeout(200)
        assert opened.page.input_value("[data-is=white]") != "500"
        opened.page.click("button:has-text('ct')")
        assert opened.page.input_value("[data-is=white]") == "500"
        box = opened.page.locator("canvas >> nth=0").bounding_box()
        opened.page.mouse.click(
            box["x"] + box["width"] * (0.6 if kind == "plain" else 0.2), box["y"] + box["height"] * 0.4
        )
        assert opened.read()["mm"][:2] != pytest.approx(before[:2])
        assert opened.complaints == []


@needs_chromium
def test_without_webgl_slices_are_drawn_plainly_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not TOOLS.is_dir():
        pytest.skip("make browser brings ipyniivue")
    find_niivue.cache_clear()
    monkeypatch.syspath_prepend(TOOLS)
    path = write_page(tmp_path / "page.html")
    with open_page(path, "--disable-3d-apis", viewport={"width": 390, "height": 800}, has_touch=True) as opened:
        assert opened.wait_for_viewer() == "plain"
        assert "no WebGL 2" in opened.page.inner_text("[data-is=note]")
        before = opened.read()["mm"]
        opened.page.tap("canvas[data-view=axial]", position={"x": 120, "y": 90})
        assert opened.read()["mm"] != before
        assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_nothing_without_cases_and_names_are_escaped() -> None:
    assert write_viewer([]) == ""
    case = make_case("straight")
    html = write_viewer([ShownCase('"><b>', case.unit, {1: "</script>"}, case.place, case.parts)])
    assert 'data-name="&quot;&gt;&lt;b&gt;"' in html
    assert html.count("</script>") == html.count("<script")
