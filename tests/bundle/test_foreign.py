"""Opening and reading bundles from elsewhere, and what is wrong with them, in one sentence each."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from zoo import ARGMAX, INVERT, SOFTMAX, UNET, oriented, read_config, write_metadata, write_random_weights
from zoo import write_zoo_bundle as write

from medunet.bundle import ForeignBundle, find_config, open_any_bundle, read_foreign, take_recipe
from medunet.errors import BundleError, MissingInputError
from medunet.findings import listening


def read(folder: Path, **how: Any) -> Any:
    bundle = open_any_bundle(folder, **how)
    assert isinstance(bundle, ForeignBundle)
    return read_foreign(bundle)


def change(folder: Path, **entries: Any) -> Path:
    path = folder / "configs" / "inference.json"
    path.write_text(json.dumps({**read_config(folder), **entries}))
    return folder


@pytest.fixture
def spleen(tmp_path: Path) -> Path:
    folder = write(tmp_path / "spleen")
    write_random_weights(folder)
    return folder


def test_a_recipe_is_made_of_data(spleen: Path) -> None:
    reading = read(spleen)
    recipe = reading.recipe
    assert recipe.name == "spleen"
    assert recipe.inputs == ("image",)
    assert recipe.task.channels == ("ct",)
    assert recipe.task.labels.names == ("organ 1",)
    assert recipe.window.overlap == 0.5
    assert (recipe.decision.kind, recipe.decision.activation, recipe.restoring) == ("largest", "softmax", "linear")
    assert recipe.entry == "model"
    assert reading.weights == spleen / "models" / "model.pt"
    assert not reading.odd
    assert {"imports", "dataset_dir", "run", "initialize", "evaluator"} <= set(reading.ignored)
    assert not {"device", "image_key", "checkpointloader"} & set(reading.ignored)


def test_a_bundle_may_be_named_from_where_one_is(spleen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(spleen.parent)
    assert read(Path("spleen")).weights.is_file()
    monkeypatch.chdir(spleen)
    assert read(Path()).recipe.name == "spleen"


def test_what_only_runs_for_monai_is_ignored(spleen: Path) -> None:
    mad = {"_target_": "os.system", "command": "touch hacked"}
    change(spleen, imports=["$import nothing"], handlers=[mad], run=["$1 / 0"], initialize=["$open('x', 'w')"])
    change(spleen, dataset=mad, evaluator=mad, more="$lambda: 0", datalist="$nothing.read_csv(@dataset_dir)")
    assert not read(spleen).odd


def test_yaml_is_read_as_json(spleen: Path) -> None:
    yaml = pytest.importorskip("yaml")
    path = spleen / "configs" / "inference.json"
    before = read(spleen).recipe
    path.with_suffix(".yaml").write_text(yaml.safe_dump(read_config(spleen)))
    path.unlink()
    assert find_config(spleen) == path.with_suffix(".yaml")
    after = read(spleen).recipe
    assert (after.network, after.window, after.preprocessing) == (before.network, before.window, before.preprocessing)
    path.with_suffix(".yaml").write_text("a: [")
    with pytest.raises(BundleError, match="no valid YAML"):
        open_any_bundle(spleen)


def test_the_loader_of_weights_is_found_wherever_it_stands(spleen: Path) -> None:
    loader = read_config(spleen)["checkpointloader"]
    (spleen / "models" / "model.pt").rename(spleen / "models" / "best.pt")
    place = {"_target_": "torch.device", "device": "@device"}
    handler = {**loader, "load_path": "$@bundle_root + '/models/best.pt'", "map_location": place}
    change(spleen, checkpointloader=None, handlers=[{**handler, "load_dict": {"net": "@network"}}])
    reading = read(spleen)
    assert reading.weights.name == "best.pt"
    assert reading.recipe.entry == "net"
    assert read(change(spleen, handlers=[{**handler, "load_path": "models/best.pt"}])).weights.is_file()
    with pytest.raises(BundleError, match="several files of weights"):
        read(change(spleen, handlers=[handler, loader]))


def test_labels_of_a_decision_before_the_way_back(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", {**UNET, "out_channels": 3}, post=[ARGMAX, INVERT])
    write_random_weights(folder)
    recipe = read(folder).recipe
    assert recipe.restoring == "nearest"
    assert "no label map" in recipe.notes[0]


def test_a_network_of_an_earlier_monai_is_repaired_with_a_note(tmp_path: Path) -> None:
    swin = {"_target_": "SwinUNETR", "img_size": 32, "in_channels": 1, "out_channels": 2, "feature_size": 12}
    folder = write(tmp_path / "b", swin, oriented((3, 3, 3), reader="ITKReader"))
    torch.save({}, folder / "models" / "model.pt")
    recipe = read(folder).recipe
    assert "img_size" not in recipe.network
    assert "'img_size' of SwinUNETR is left out" in recipe.notes[0]


def test_resized_labels_lie_right_with_a_note(tmp_path: Path) -> None:
    resized = {"_target_": "Resized", "keys": "@image_key", "spatial_size": [16, 16, 16], "mode": "trilinear"}
    folder = write(
        tmp_path / "b", chain=oriented((3, 3, 3), resized), post=[ARGMAX, {**INVERT, "nearest_interp": True}]
    )
    write_random_weights(folder)
    assert any("half a voxel off" in note for note in read(folder).recipe.notes)


def test_slices_without_orientation_are_told(tmp_path: Path) -> None:
    chain = [{"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"}]
    folder = write(
        tmp_path / "b", {**UNET, "spatial_dims": 2}, chain, inferer={"_target_": "SliceInferer", "roi_size": [16, 16]}
    )
    write_random_weights(folder)
    with listening() as heard:
        recipe, files = take_recipe(open_any_bundle(folder))
    assert [item.code for item in heard] == ["bundle-unoriented"]
    assert recipe.window.axis == 0, "what MONAI's SliceInferer does where nobody says"
    assert len(files) == 1


EXPRESSION = {**UNET, "out_channels": "$len(@names)"}
WRONG = {
    "an expression": ({"network_def": EXPRESSION}, "'network_def::out_channels' is '$len", "bundle-untrusted"),
    "a script": ({"network_def": {**UNET, "_target_": "scripts.net.Net"}}, "'scripts.net.Net'", "bundle-untrusted"),
    "a system call": ({"network_def": {"_target_": "os.system"}}, "'os.system'", "bundle-untrusted"),
    "a network": ({"network_def": {**UNET, "chanels": [4]}}, "has no argument 'chanels'", "bundle-wrong"),
    "no network": ({"network": 3, "network_def": 3}, "names no network", "bundle-wrong"),
    "four axes": ({"network_def": {**UNET, "spatial_dims": 4}}, "neither 2 nor 3", "bundle-wrong"),
    "too many outputs": ({"network_def": {**UNET, "out_channels": 300}}, "300 outputs", "bundle-wrong"),
    "other channels": ({"network_def": {**UNET, "in_channels": 2}}, "takes 2 channels", "bundle-wrong"),
    "another inferer": ({"inferer": {"_target_": "DiffusionInferer"}}, "'DiffusionInferer'", "bundle-wrong"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_key(name: str, spleen: Path) -> None:
    entries, said, code = WRONG[name]
    with pytest.raises(BundleError, match=re.escape(said)) as caught:
        read(change(spleen, **entries))
    assert caught.value.code == code
    assert ("--trust" in caught.value.remedy) == (code == "bundle-untrusted")


@pytest.mark.parametrize("key", ["network_def", "preprocessing", "inferer", "postprocessing"])
def test_a_key_of_the_conventions_may_not_be_missing(key: str, spleen: Path) -> None:
    config = read_config(spleen)
    del config[key]
    (spleen / "configs" / "inference.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=f"'{key}'"):
        read(spleen)


def test_steps_that_cannot_be_undone_or_are_expressions(spleen: Path) -> None:
    step = {"_target_": "SqueezeDimd", "keys": "image"}
    with pytest.raises(BundleError, match="can't be undone"):
        read(change(spleen, preprocessing={"_target_": "Compose", "transforms": [*oriented((3, 3, 3)), step]}))
    spoken = {"_target_": "Lambdad", "keys": "image", "func": "$lambda x: x"}
    with pytest.raises(BundleError, match="lambda x: x"):
        read(change(spleen, preprocessing={"_target_": "Compose", "transforms": [*oriented((3, 3, 3)), spoken]}))


def test_another_key_than_image_is_refused(spleen: Path) -> None:
    with pytest.raises(BundleError, match="not 'image'"):
        read(change(spleen, image_key="scan"))


def test_missing_parts(spleen: Path, tmp_path: Path) -> None:
    (spleen / "models" / "model.pt").unlink()
    with pytest.raises(BundleError, match="weights are missing") as caught:
        read(spleen)
    assert caught.value.code == "weights-missing"
    (spleen / "configs" / "metadata.json").unlink()
    with pytest.raises(MissingInputError):
        open_any_bundle(spleen)
    (tmp_path / "none" / "configs").mkdir(parents=True)
    with pytest.raises(BundleError, match="no bundle"):
        open_any_bundle(tmp_path / "none")


def test_one_that_is_for_something_else_says_so(spleen: Path) -> None:
    write_metadata(spleen, UNET, format="image")
    with pytest.raises(BundleError, match="isn't for segmentation"):
        read(spleen)


def test_it_came_without_its_cohort(spleen: Path) -> None:
    bundle = open_any_bundle(spleen)
    assert bundle.task.labels.names == ("organ 1",)
    assert bundle.metadata.weights_sha256
    assert bundle.trained().fold == "all"
    assert bundle.work == spleen / "work"
    with pytest.raises(BundleError, match="without its training cohort"):
        bundle.cohort()


def test_the_whole_chain_may_be_a_sum(spleen: Path) -> None:
    chain = oriented((3.0, 3.0, 4.0))
    change(spleen, first=chain[:2], then=chain[2:])
    change(spleen, preprocessing={"_target_": "Compose", "transforms": "$@first + @then"})
    change(spleen, postprocessing={"_target_": "Compose", "transforms": SOFTMAX})
    assert len(read(spleen).recipe.preprocessing) == len(chain)
