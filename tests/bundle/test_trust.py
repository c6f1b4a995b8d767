from pathlib import Path

import pytest
import torch
from plans import make_tiny_bundle

from medunet.bundle import open_bundle
from medunet.bundle.trust import evaluate_parts
from medunet.errors import BundleError
from medunet.records import read_json, write_json


def test_of_a_bundle_that_is_data_nothing_is_evaluated(tmp_path: Path) -> None:
    assert evaluate_parts(open_bundle(make_tiny_bundle(tmp_path / "tiny", "ab"), trust=True)) is None


def test_network_and_chain_are_evaluated_with_the_imports_of_the_file(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "tiny", "ab")
    path = folder / "configs" / "inference.json"
    content = read_json(path)
    content["imports"].append("$import math")
    content["network_def"]["filters"] = "$[4, 8, math.gcd(16, 48)]"
    content["preprocessing"]["transforms"].append({"_target_": "torch.nn.Identity"})
    write_json(path, content)
    bundle = open_bundle(folder, trust=True)
    parts = evaluate_parts(bundle)
    assert parts is not None
    assert parts["network_def"] == {**content["network_def"], "filters": [4, 8, 16]}
    *steps, last = parts["preprocessing"]["transforms"]
    assert steps == bundle.preprocessing[:-1]
    assert isinstance(last, torch.nn.Identity)
    content["network_def"]["filters"] = "$[4, 8, "
    write_json(path, content)
    with pytest.raises(BundleError, match=r"inference\.json: MONAI can't evaluate it"):
        evaluate_parts(open_bundle(folder, trust=True))
