from pathlib import Path

import pytest

from medunet.bundle import open_bundle
from medunet.inference import Computing, make_maker
from medunet.inference.computing import PLAIN


def test_how_is_known_before_the_network_is_loaded(trained: Path) -> None:
    bundle = open_bundle(trained)
    for computing in (PLAIN, Computing(), Computing("fast", "torch")):
        maker = make_maker(bundle, computing=computing)
        before = maker.computed
        predictor = maker.load()
        assert predictor.computed == before
        assert predictor.recipe == maker.recipe
    assert make_maker(bundle).algorithm.name == bundle.name


def test_the_preset_changes_the_recipe(trained: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    exact, fast = (make_maker(open_bundle(trained), computing=Computing(preset)) for preset in ("exact", "fast"))  # type: ignore[arg-type]
    assert exact.recipe.window.overlap > fast.recipe.window.overlap
    assert [record.getMessage() for record in caplog.records if "nobody measured" in record.getMessage()]
