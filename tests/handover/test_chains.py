"""The chain of inference is compared with that of training."""

import json
from pathlib import Path

from plans import make_test_plan, write_test_bundle
from zoo import SCALE, oriented, write_zoo_bundle

from medunet.bundle import open_any_bundle, open_bundle
from medunet.handover.chains import check_chains


def test_a_bundle_of_medunet_and_one_whose_chain_was_edited(tmp_path: Path) -> None:
    folder = write_test_bundle(tmp_path / "b", make_test_plan())
    assert list(check_chains(open_bundle(folder))) == []
    path = folder / "configs" / "inference.json"
    content = json.loads(path.read_text())
    steps = content["preprocessing"]["transforms"]
    next(step for step in steps if step["_target_"] == "Spacingd")["pixdim"] = [1.0, 1.0, 1.0]
    path.write_text(json.dumps(content))
    (found,) = check_chains(open_bundle(folder))
    assert found.code == "bundle-chain"
    assert "Spacingd" in found.found


def test_one_of_the_zoo_whose_training_smooths(tmp_path: Path) -> None:
    folder = write_zoo_bundle(tmp_path / "b")
    steps = oriented((3.0, 3.0, 4.0))
    train = {"image_key": "image", "train": {}, "validate": {"preprocessing": {"transforms": steps}}}
    path = folder / "configs" / "train.json"
    path.write_text(json.dumps(train))
    assert list(check_chains(open_any_bundle(folder))) == []
    smooth = {"_target_": "GaussianSmoothd", "keys": "image", "sigma": 0.4}
    train["validate"] = {"preprocessing": {"transforms": [*steps, smooth]}}
    path.write_text(json.dumps(train))
    (found,) = check_chains(open_any_bundle(folder))
    assert (found.severity, "GaussianSmoothd" in found.found) == ("warning", True)
    other = [step if step is not SCALE else {**SCALE, "a_max": 300} for step in steps]
    train["validate"] = {"preprocessing": {"transforms": other}}
    path.write_text(json.dumps(train))
    assert "ScaleIntensityRanged" in next(iter(check_chains(open_any_bundle(folder)))).found
