from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plans import make_test_plan, write_test_bundle

from medunet.bundle import Recipe, Seen, make_recipe, open_bundle
from medunet.confidence import Limits
from medunet.findings import make_finding
from medunet.geometry import Grid
from medunet.inference.judgement import judge, judge_scan, measure_contacts, measure_noise
from medunet.labels import LabelTable, Mask

GRID = Grid((20, 20, 10), np.diag([2.0, 2.0, 4.0, 1.0]))
SEEN = Seen(
    cases=7,
    volumes={"lesion": (1.0, 20.0)},
    spacing_mm=((2.0, 2.0), (2.0, 2.0), (3.0, 5.0)),
    extent_mm=((35.0, 80.0), (35.0, 80.0), (35.0, 80.0)),
    noise={"ct": (0.02, 0.06)},
    limits={"lesion": Limits(score=0.8, contact=0.3)},
)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    made = make_recipe(open_bundle(write_test_bundle(tmp_path / "bundle", make_test_plan())))
    return replace(made, seen=SEEN)


def draw(*box: slice, grid: Grid = GRID) -> Mask:
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[box] = 1
    return Mask("classes", voxels, grid, LabelTable.from_names(["lesion"]))


INSIDE = (slice(5, 12), slice(5, 12), slice(2, 6))
"""7 x 7 x 4 voxels of 16 mm3: 3.1 mL."""


def list_reasons(recipe: Recipe, mask: Mask, score: float | None = 0.9, agreement: float | None = None) -> list[str]:
    return judge(mask, {"lesion": (score, agreement)}, recipe, []).list_reasons()


def test_a_mask_like_those_of_training_is_as_trained(recipe: Recipe) -> None:
    sure = judge(draw(*INSIDE), {"lesion": (0.9, 0.95)}, recipe, [])
    assert (sure.trust, sure.reasons, sure.list_reasons()) == ("as trained", (), [])
    assert sure.structures[0].score == 0.9


def test_each_reason_is_said(recipe: Recipe) -> None:
    assert list_reasons(recipe, draw(*INSIDE), score=0.7) == ["lesion: its expected Dice is 0.70, below 0.80"]
    assert list_reasons(recipe, draw(*INSIDE), agreement=0.6) == [
        "lesion: the folds agree by a Dice of 0.60, below 0.70"
    ]
    assert list_reasons(recipe, draw(slice(0, 7), *INSIDE[1:])) == ["lesion: the border of the scan cuts it"]
    assert list_reasons(recipe, draw(slice(5, 7), slice(5, 7), slice(2, 4))) == [
        "lesion: 0.128 mL, in training 1 to 20"
    ]
    assert list_reasons(recipe, draw(slice(0, 0)), score=None) == [
        "lesion: nothing was found, and each of 7 cases of training had some"
    ]
    small = judge(draw(slice(5, 7), slice(5, 7), slice(2, 4)), {}, recipe, [])
    assert small.trust == "outside training", "less than a third of the least"


def test_what_a_bundle_does_not_say_is_said(recipe: Recipe) -> None:
    sure = judge(draw(*INSIDE), {}, replace(recipe, seen=None), [])
    assert sure.trust == "as trained"
    assert sure.unknown[0] == "volumes, spacings and extents of training"
    assert sure.unknown[-1].startswith("the score")
    unvalidated = judge(draw(*INSIDE), {"lesion": (0.1, None)}, replace(recipe, seen=replace(SEEN, limits={})), [])
    assert unvalidated.trust == "as trained"
    assert unvalidated.unknown[-1].endswith("nobody validated it")


def test_the_border_is_in_contact_with_what_it_cuts() -> None:
    cube = Grid((20, 20, 20), np.diag([2.0, 2.0, 2.0, 1.0]))
    at_face, inside = (slice(0, 6), slice(7, 13), slice(7, 13)), (slice(1, 7), slice(7, 13), slice(7, 13))
    assert measure_contacts(draw(*at_face, grid=cube)) == {"lesion": pytest.approx(1.0)}
    assert measure_contacts(draw(*inside, grid=cube)) == {"lesion": 0.0}
    half = (slice(0, 3), *at_face[1:])
    assert measure_contacts(draw(*half, grid=cube))["lesion"] == pytest.approx(2 ** (2 / 3))
    flat = Grid((20, 20, 1), np.eye(4), "px")
    assert measure_contacts(draw(slice(0, 6), slice(7, 13), slice(0, 1), grid=flat))["lesion"] == pytest.approx(1.0)
    assert measure_contacts(draw(slice(1, 7), slice(7, 13), slice(0, 1), grid=flat))["lesion"] == 0.0


def draw_ct(noise: float = 20.0) -> np.ndarray:
    """Two kinds of tissue with noise in HU; the bundle sees -200 to 300."""
    rng = np.random.default_rng(0)
    voxels = np.where(np.indices(GRID.shape)[0] < 10, 0.0, 100.0)
    return (voxels + rng.normal(0, noise, GRID.shape))[None]


def test_noise_is_that_of_neighbours_whatever_the_tissue() -> None:
    for noise in (5.0, 20.0):
        assert measure_noise(draw_ct(noise), (-200.0, 300.0)) == pytest.approx(noise / 500, rel=0.1)
    own = draw_ct()
    span = float(np.ptp(np.percentile(own, [0.5, 99.5])))
    assert measure_noise(own, None) == pytest.approx(20 / span, rel=0.15)
    assert measure_noise(np.full((1, 9, 9, 9), 40.0), None) is None
    assert measure_noise(np.full((1, 9, 9, 9), 900.0), (-200.0, 300.0)) is None


def test_a_scan_is_compared_with_those_of_training(recipe: Recipe) -> None:
    def look(voxels: np.ndarray, grid: Grid, whole: bool = True) -> list[tuple[str, str]]:
        return [(item.trust, item.said) for item in judge_scan({"ct": (voxels, grid)}, recipe, [], whole=whole)]

    assert look(draw_ct(), GRID) == []
    assert look(draw_ct(60.0), GRID) == [("look", "the noise of its ct is 0.12 of its range, in training 0.02 to 0.06")]
    fine = Grid(GRID.shape, np.diag([1.0, 1.0, 4.0, 1.0]))
    assert look(draw_ct(), fine, whole=False) == [("look", "its voxels are 1 mm along x, in training 2 to 2")]
    assert ("look", "it shows 20 mm along x, in training at least 35") in look(draw_ct(), fine)
    tiny = Grid(GRID.shape, np.diag([0.5, 2.0, 4.0, 1.0]))
    assert look(draw_ct(), tiny, whole=False)[0][0] == "outside training"


def test_findings_are_reasons(recipe: Recipe) -> None:
    unlike = make_finding("scan-unlike", "S ct", "its values are odd", "x")
    apart = make_finding("channels-apart", "S", "they are apart", "x")
    found = judge_scan({"ct": (draw_ct(), GRID)}, recipe, [unlike, apart])
    assert [item.trust for item in found] == ["outside training", "look"]
    assert found[0].said == "S ct: its values are odd"
