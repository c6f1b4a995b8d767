from pathlib import Path

import pytest
import torch
from monai.transforms import ScaleIntensityRanged
from plans import make_test_plan, write_test_bundle

from medunet.bundle import (
    find_stale,
    make_recipe,
    open_bundle,
    publish_folds,
    publish_weights,
    read_calibration,
    write_calibration,
)
from medunet.bundle.temperature import (
    DIVIDE,
    FILE,
    divide_logits,
    find_temperature,
    set_temperature,
    settle_temperature,
    take_temperature,
)
from medunet.calibration import Calibration
from medunet.errors import BundleError
from medunet.files import hash_file
from medunet.findings import overhearing
from medunet.networks import build_network, make_network
from medunet.records import read_json, write_json
from medunet.training import CONFIGS


def make_record(temperature: float, *weights: str) -> Calibration:
    return Calibration(
        weights=tuple(sorted(weights)),
        temperature=temperature,
        cases=2,
        voxels=100,
        others=(temperature,),
        likelihood_before=0.2,
        likelihood_after=0.1,
        structures={},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_test_bundle(tmp_path / "bundle", make_test_plan())


def train(folder: Path, seed: int = 0) -> str:
    torch.manual_seed(seed)
    publish_weights(folder, build_network(make_network(make_test_plan())).state_dict(), {})
    return hash_file(folder / "models" / "model.pt")


def test_the_step_divides_and_others_are_none() -> None:
    (step,) = divide_logits(1.7)
    logits = torch.randn((3, 4, 5, 6))
    divided = ScaleIntensityRanged(**{key: value for key, value in step.items() if key != "_target_"})({"pred": logits})
    assert torch.allclose(divided["pred"], logits / 1.7)
    assert take_temperature(step) == 1.7
    assert divide_logits(1.0) == []
    for value in (0, -1.0, float("inf"), True, "2"):
        assert take_temperature({**DIVIDE, "a_max": value}) is None
    assert take_temperature({**step, "clip": True}) is None
    assert take_temperature("$x") is None


def test_inference_json_holds_it_before_logits_are_brought_back_and_nothing_else_changes(folder: Path) -> None:
    before = read_json(folder / "configs" / "inference.json")
    after = set_temperature(before, 1.5)
    names = [step["_target_"] for step in after["postprocessing"]["transforms"]]
    assert names == ["Lambdad", "ScaleIntensityRanged", "Invertd", "AsDiscreted", "SaveImaged"]
    assert find_temperature(after["postprocessing"]["transforms"]) == 1.5
    assert set_temperature(set_temperature(after, 2.0), 1.0) == before
    assert find_temperature(before["postprocessing"]["transforms"]) == 1


def test_a_recipe_takes_it_and_the_decision_is_that_of_the_plan(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    digest = train(folder)
    write_calibration(folder, make_record(1.5, digest))
    assert make_recipe(open_bundle(folder)).decision.temperature == 1.5
    assert not find_stale(open_bundle(folder), CONFIGS)
    assert not caplog.records
    path = folder / "configs" / "inference.json"
    config = read_json(path)
    steps = config["postprocessing"]["transforms"]
    write_json(path, {**config, "postprocessing": {"_target_": "Compose", "transforms": [*steps[:2], *steps[1:]]}})
    with pytest.raises(BundleError, match=r"postprocessing\.transforms\.2"):
        make_recipe(open_bundle(folder))


def test_its_record_is_of_these_weights_alone_and_goes_when_they_are_trained_again(folder: Path) -> None:
    digest = train(folder)
    write_calibration(folder, make_record(1.5, digest))
    found = read_calibration(folder, [digest])
    assert found is not None
    assert found.temperature == 1.5
    assert read_calibration(folder, ["0" * 64]) is None
    # The same weights once more keep it.
    assert train(folder) == digest
    assert make_recipe(open_bundle(folder)).decision.temperature == 1.5
    assert train(folder, seed=1) != digest
    assert make_recipe(open_bundle(folder)).decision.temperature == 1
    assert not (folder / FILE).exists()


def test_an_ensemble_keeps_and_loses_it_likewise(folder: Path, tmp_path: Path) -> None:
    train(folder)
    files = {0: tmp_path / "0.pt", 1: tmp_path / "1.pt"}
    for path in files.values():
        path.write_bytes((folder / "models" / "model.pt").read_bytes())
    publish_folds(folder, files, {})
    hashes = open_bundle(folder).metadata.fold_weights
    write_calibration(folder, make_record(0.8, *hashes.values()))
    steps = read_json(folder / "configs" / "inference.json")["postprocessing"]["transforms"]
    assert [step["_target_"] for step in steps[:3]] == ["MeanEnsembled", "Lambdad", "ScaleIntensityRanged"]
    publish_folds(folder, files, {})
    assert make_recipe(open_bundle(folder)).decision.temperature == 0.8
    settle_temperature(folder, ["0" * 64])
    assert make_recipe(open_bundle(folder)).decision.temperature == 1


def test_limits_of_scores_of_other_probabilities_are_left_out_with_a_word(folder: Path) -> None:
    digest = train(folder)
    path = folder / "configs" / "metadata.json"
    trust = {"limits": {"lesion": {"score": 0.9, "contact": 0.1}}}
    write_json(path, {**read_json(path), "trust": trust})
    with overhearing() as found:
        write_calibration(folder, make_record(1.5, digest))
    assert read_json(path)["trust"]["limits"] == {"lesion": {"score": None, "contact": 0.1}}
    assert [item.code for item in found] == ["limits-dropped"]
    with overhearing() as found:
        write_calibration(folder, make_record(1.5, digest))
    assert not found
