from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plans import make_test_plan, write_test_bundle

from medunet.bundle import Recipe, make_recipe, open_bundle
from medunet.errors import ResourceError
from medunet.findings import Finding
from medunet.geometry import Grid
from medunet.inference.likeness import find_unlike
from medunet.measuring import ValueRange

GRID = Grid((24, 22, 20), np.diag([3.0, 3, 5, 1]))
SEEN = ValueRange(low=(-1024.0, -950.0), middle=(-800.0, 40.0), high=(180.0, 900.0))


def draw_ct() -> np.ndarray:
    """Air, fat, soft tissue and bone in HU, (1, I, J, K)."""
    rng = np.random.default_rng(0)
    voxels = rng.normal(40, 20, GRID.shape)
    voxels[:6] = rng.normal(-1000, 10, (6, 22, 20))
    voxels[6:8] = rng.normal(-100, 10, (2, 22, 20))
    voxels[-2:] = rng.normal(600, 100, (2, 22, 20))
    return voxels[None]


@pytest.fixture(params=["its own fingerprint", "an older bundle"])
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    values = {"ct": SEEN} if request.param == "its own fingerprint" else {}
    plan = make_test_plan().change(grid={"values": values}, task={"units": {"ct": "HU"}})
    return make_recipe(open_bundle(write_test_bundle(tmp_path / "bundle", plan)))


def look(recipe: Recipe, voxels: np.ndarray, grid: Grid = GRID) -> list[Finding]:
    return [*find_unlike({"ct": (voxels, grid)}, recipe, "a scan")]


def test_a_scan_like_those_of_training_is_no_finding(recipe: Recipe) -> None:
    assert not look(recipe, draw_ct())
    # Nor is a part of it without any air, nor padding far below it.
    assert not look(recipe, draw_ct()[:, 6:])
    padded = draw_ct()
    padded[:, :3] = -3024
    assert not look(recipe, padded)


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: np.clip((hu + 160) / 400, 0, 1),
        lambda hu: np.clip((hu + 160) / 400, 0, 1) * 255,
        lambda hu: np.clip(hu, -1024, None) + 1024,
        lambda hu: hu[:, 8:] + 1024,
        lambda hu: hu * 50 + 30000,
        lambda hu: hu * 0,
    ],
    ids=["0 to 1", "0 to 255", "HU + 1024", "a part of HU + 1024", "Bq/ml", "zero"],
)
def test_values_of_another_unit_are_told(recipe: Recipe, change: Callable[[np.ndarray], np.ndarray]) -> None:
    voxels = change(draw_ct())
    (found,) = look(recipe, voxels)
    assert (found.code, found.severity, found.subject) == ("scan-unlike", "warning", "a scan ct")
    assert f"{voxels.min():g}" in found.found
    assert ("from -1024 to 900 HU" if recipe.values else "from -200 to 300 HU") in found.found


def test_values_without_a_unit_are_never_odd_but_where_they_are_all_equal(tmp_path: Path) -> None:
    plan = make_test_plan(channels=("mr",))
    recipe = make_recipe(open_bundle(write_test_bundle(tmp_path / "bundle", plan)))
    for factor in (1e-3, 1.0, 1e4):
        assert not [*find_unlike({"mr": (draw_ct() * factor, GRID)}, recipe, "a scan")]
    (found,) = find_unlike({"mr": (draw_ct() * 0, GRID)}, recipe, "a scan")
    assert found.found == "all of its values are 0"


def test_voxels_of_another_size_are_told(recipe: Recipe) -> None:
    (found,) = look(recipe, draw_ct(), Grid(GRID.shape, np.diag([0.003, 0.003, 0.005, 1])))
    assert found.found == "its voxels are 0.003 × 0.003 × 0.005 mm large, those of the network 3 × 3 × 5 mm"
    with pytest.raises(ResourceError, match=r"its voxels are 3e.03 × 3e.03 × 5e.03 mm large") as caught:
        look(recipe, draw_ct(), Grid(GRID.shape, np.diag([3000.0, 3000, 5000, 1])))
    assert caught.value.code == "too-large"
    assert "0.003" in look(recipe, draw_ct(), Grid((20, 22, 24), np.diag([3.0, 3, 0.003, 1])))[0].found


def test_scans_far_larger_than_in_training_are_told(recipe: Recipe) -> None:
    seen = replace(recipe, extent_mm=(72, 66, 60))
    (found,) = look(seen, draw_ct())
    assert found.found == "it shows 72 × 66 × 100 mm, training saw at most 72 × 66 × 60 mm"
    assert "--box" in found.remedy
    assert not [*find_unlike({"ct": (draw_ct(), GRID)}, seen, "a scan", whole=False)]
