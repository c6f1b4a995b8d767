from pathlib import Path
from typing import Any

import pytest
from plans import make_tiny_bundle

from medunet.bundle import Recipe, adjust_recipe, make_recipe, open_bundle
from medunet.errors import InputError
from medunet.labels import LabelTable, Region
from medunet.postprocessing import NOTHING, Cleaning


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return make_recipe(open_bundle(make_tiny_bundle(tmp_path / "tiny", "ab")))


def test_what_is_not_asked_for_stays(recipe: Recipe) -> None:
    assert adjust_recipe(recipe) == recipe
    kept = adjust_recipe(recipe, keep_largest=["all"], smallest=0.1)
    assert kept.cleaning == Cleaning(((1,),), 0.1)
    assert adjust_recipe(kept, {"lesion": 0.3}).cleaning == kept.cleaning
    assert adjust_recipe(kept, keep_largest=[], smallest=0).cleaning == NOTHING


def test_a_threshold_is_placed_at_its_output(recipe: Recipe) -> None:
    assert adjust_recipe(recipe, {"lesion": 0.3}).decision.thresholds == (None, 0.3)
    regions = (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))
    table = LabelTable.from_names(["a", "b"]).model_copy(update={"regions": regions})
    task = recipe.task.model_copy(update={"labels": table})
    changed = adjust_recipe(Recipe(**{**dict_of(recipe), "task": task}), {"core": 0.8})
    assert changed.decision.thresholds == (None, 0.8)


def dict_of(recipe: Recipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in Recipe.__dataclass_fields__}


@pytest.mark.parametrize(("size", "number"), [("0.1mL", 0.1), (" 2 ml ", 2.0), (".5ML", 0.5), (3, 3), (0.0, 0.0)])
def test_sizes_are_numbers_or_have_a_unit(recipe: Recipe, size: float | str, number: float) -> None:
    assert adjust_recipe(recipe, smallest=size).cleaning.smallest == number


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"thresholds": {"lesoin": 0.3}}, "--threshold lesoin=0.3: there is no such label; did you mean 'lesion'"),
        ({"thresholds": {"lesion": 1.0}}, "--threshold lesion=1: it is no probability"),
        ({"keep_largest": ["lesoin"]}, "--keep-largest lesoin: there is no label 'lesoin'"),
        ({"smallest": "10"}, "--smallest 10: it is no size; write it like 0.1mL"),
        ({"smallest": "10px"}, "--smallest 10px: volumes of this bundle are in mL"),
        ({"smallest": ""}, "--smallest '': it is no size"),
        ({"smallest": -1.0}, "--smallest -1.0: it is no size"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(recipe: Recipe, wish: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        adjust_recipe(recipe, **wish)
    assert caught.value.code == "option-wrong"


def test_objects_have_no_threshold(recipe: Recipe) -> None:
    table = LabelTable.from_names(["nucleus"], objects=True)
    objects = Recipe(**{**dict_of(recipe), "task": recipe.task.model_copy(update={"labels": table})})
    with pytest.raises(InputError, match="number objects, which have no threshold"):
        adjust_recipe(objects, {"nucleus": 0.3})
    with pytest.raises(InputError, match="object by object"):
        adjust_recipe(objects, keep_largest=["all"])
    assert adjust_recipe(objects, smallest=5.0).cleaning.smallest == 5
