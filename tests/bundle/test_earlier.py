"""Bundles that earlier versions wrote are used as before."""

from pathlib import Path
from typing import Any

import pytest
from plans import make_test_plan, make_tiny_bundle

from medunet.bundle import earlier, make_recipe, open_bundle
from medunet.errors import BundleError
from medunet.records import read_json, write_json
from medunet.training.trust import check_configs

Json = dict[str, Any]
ROOT = (
    "$next((os.path.dirname(os.path.dirname(os.path.abspath(a.split('=')[-1]))) for a in sys.argv "
    "if a.endswith('{}')), '.')"
)
LIST = "$[{'image': p} for p in sorted(glob.glob(@dataset_dir + '/*.nii.gz'))]"
TWO = (
    "$[{'ct': p.replace('_ct.nii.gz', '_ct.nii.gz'), 'pet': p.replace('_ct.nii.gz', '_pet.nii.gz')} "
    "for p in sorted(glob.glob(@dataset_dir + '/*_ct.nii.gz'))]"
)
LABELS = (
    "$[dict(c, label=@dataset_dir + '/labels/' + os.path.basename(c['image']).replace('.png', '.png')) "
    "for c in @images]"
)


def make_earlier(folder: Path) -> Path:
    """A bundle as the version 0.1.0 of the first weeks wrote it."""
    bundle = make_tiny_bundle(folder, "ab")
    path = bundle / "configs" / "inference.json"
    content: Json = read_json(path)
    for group in ("preprocessing", "postprocessing"):
        steps = content[group]["transforms"]
        content[group]["transforms"] = [step for step in steps if step["_target_"] != "Lambdad"]
    content |= {
        "imports": ["$import glob", "$import os", "$import sys", "$import torch"],
        "bundle_root": ROOT.format("inference.json"),
        "datalist": LIST,
        "initialize": ["$@datalist or sys.exit('no image *.nii.gz in ' + @dataset_dir)"],
    }
    write_json(path, content)
    path = bundle / "configs" / "train.json"
    imports = ["$import os", "$import sys", "$import torch"]
    write_json(path, read_json(path) | {"imports": imports, "bundle_root": ROOT.format("train.json")})
    return bundle


def test_an_earlier_bundle_has_the_recipe_of_one_of_today(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before, now = make_earlier(tmp_path / "tiny"), make_tiny_bundle(tmp_path / "again" / "tiny", "ab")
    assert make_recipe(open_bundle(before)) == make_recipe(open_bundle(now))
    check_configs(open_bundle(before), [before / "configs" / "train.json"], trust=False)
    assert not caplog.records


def test_its_expressions_are_known_to_the_letter(tmp_path: Path) -> None:
    assert TWO in earlier.list_expressions(make_test_plan(channels=("ct", "pet")).task)
    assert LABELS in earlier.list_expressions(make_test_plan(dims=2).change(task={"unit": "px"}).task)
    bundle = make_earlier(tmp_path / "tiny")
    path = bundle / "configs" / "inference.json"
    write_json(path, read_json(path) | {"datalist": LIST + " "})
    with pytest.raises(BundleError, match="the key 'datalist' holds"):
        make_recipe(open_bundle(bundle))
