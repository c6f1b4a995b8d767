import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from medunet.bundle import adjust_recipe, make_recipe, open_bundle
from medunet.inference import find_scan, parse_box
from medunet.inference.computing import PLAIN, Computing, describe_computed, list_backends
from medunet.inference.record import find_record, hash_recipe, identify
from medunet.reading import ReadOptions


def test_a_recipe_is_told_by_what_decides_its_masks(trained: Path) -> None:
    recipe = make_recipe(open_bundle(trained))
    known = hash_recipe(recipe)
    assert known == hash_recipe(make_recipe(open_bundle(trained)))
    assert known == hash_recipe(replace(recipe, name="another", version="9", peak_gib=7.0))
    assert known != hash_recipe(replace(recipe, window=replace(recipe.window, overlap=0.25)))
    assert known != hash_recipe(replace(recipe, preprocessing=recipe.preprocessing[:-1]))
    assert known != hash_recipe(adjust_recipe(recipe, {"lesion": 0.3}))
    assert known != hash_recipe(adjust_recipe(recipe, keep_largest=["all"]))
    assert known != hash_recipe(adjust_recipe(recipe, smallest=0.1))


def test_predictions_of_before_there_were_thresholds_are_known_again(trained: Path) -> None:
    recipe = make_recipe(open_bundle(trained))
    whole = asdict(recipe)
    decisive = {name: whole[name] for name in ("inputs", "preprocessing", "network", "window", "restoring")}
    decisive["window"] = {name: whole["window"][name] for name in ("patch", "overlap", "mode", "dims")}
    decisive["decision"] = {"kind": "largest", "values": (0, 1)}
    decisive["task"] = {name: item for name, item in recipe.task.model_dump(mode="json").items() if name != "sides"}
    content = json.dumps(decisive, sort_keys=True, default=str)
    assert hash_recipe(recipe) == hashlib.sha256(content.encode()).hexdigest()


def test_what_decides_a_prediction_is_told_apart(trained: Path, patients: list[Path]) -> None:
    recipe = make_recipe(open_bundle(trained))
    first, second = (find_scan(patient, recipe.task) for patient in patients[:2])
    weights = {"model.pt": "1" * 64}
    plain, fast = (describe_computed(list_backends(how)[0], how) for how in (PLAIN, Computing("fast", "torch")))
    one = identify(recipe, weights, first, None, plain)
    assert one == identify(recipe, dict(weights), find_scan(patients[0], recipe.task), None, plain)
    assert one != identify(recipe, weights, second, None, plain)
    assert one != identify(recipe, {"model.pt": "2" * 64}, first, None, plain)
    assert one != identify(recipe, weights, first, parse_box("0:9,0:9,0:9"), plain)
    assert one != identify(recipe, weights, first, None, fast)
    other = find_scan(patients[0], recipe.task, {"ct": ReadOptions(assume_rescale=(1.0, -1000.0))})
    assert one.images["ct"].sha256 != identify(recipe, weights, other, None, plain).images["ct"].sha256


def test_what_is_no_record_is_none(tmp_path: Path) -> None:
    assert find_record(tmp_path / "none.json") is None
    (tmp_path / "old.json").write_text('{"command": "predict"}')
    assert find_record(tmp_path / "old.json") is None
