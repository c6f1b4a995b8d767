import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plans import make_test_plan, make_tiny_bundle, write_test_bundle

from medunet.bundle import Bundle, Decision, Window, choose_decision, make_recipe, open_bundle
from medunet.errors import BundleError
from medunet.labels import LabelTable, Region
from medunet.records import read_json, write_json
from medunet.task import Separation

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
NESTED = (Region(name="whole", values=(1, 2), value=2), Region(name="core", values=(1,), value=1))
REGIONS = LabelTable.from_names(["a", "b"]).model_copy(update={"regions": NESTED})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "tiny", "ab")


def edit(folder: Path, name: str, change: Callable[[Json], object]) -> Bundle:
    path = folder / "configs" / name
    content = read_json(path)
    change(content)
    write_json(path, content)
    return open_bundle(folder)


def test_a_recipe_of_an_unedited_bundle_is_that_of_its_plan(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = open_bundle(tiny)
    recipe = make_recipe(bundle)
    assert recipe.task == bundle.plan.task
    assert recipe.window == Window((16, 16, 16), 0.5, "gaussian", 3)
    assert recipe.decision == Decision("largest", (0, 1)) == choose_decision(recipe.task)
    assert (recipe.name, recipe.version, recipe.inputs, recipe.restoring) == ("tiny", "0.1.0", ("image",), "linear")
    assert list(recipe.preprocessing) == bundle.preprocessing
    assert recipe.network == bundle.inference["network_def"]
    assert not caplog.records


@pytest.mark.parametrize("name", ["sts_petct_unet3d", "nuclei_unet2d"])
def test_a_shipped_bundle_has_a_recipe(name: str, caplog: pytest.LogCaptureFixture) -> None:
    bundle = open_bundle(ROOT / "bundles" / name)
    recipe = make_recipe(bundle)
    assert (recipe.name, recipe.version) == (name, bundle.metadata.version)
    assert recipe.window.patch == bundle.plan.window.patch
    assert recipe.peak_gib == bundle.plan.foreseen.peak_gib["predict"]
    assert recipe.extent_mm == bundle.plan.grid.extent_mm
    assert not caplog.records


def test_slices_pictures_regions_and_objects(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    flat, table = make_test_plan(dims=2), LabelTable.from_names(["nucleus"], objects=True)
    slices = make_recipe(open_bundle(write_test_bundle(tmp_path / "slices", flat)))
    assert slices.window == Window((16, 16, 1), 0.5, "gaussian", 2)
    objects = {"unit": "px", "labels": table, "objects": Separation(border=1, smallest=4)}
    pictures = make_recipe(open_bundle(write_test_bundle(tmp_path / "pictures", flat.change(task=objects))))
    assert (pictures.window.dims, pictures.decision) == (2, Decision("largest", (0, 1, 2)))
    regions = make_recipe(
        open_bundle(write_test_bundle(tmp_path / "regions", make_test_plan().change(task={"labels": REGIONS})))
    )
    assert (regions.decision, regions.task.labels) == (Decision("regions", (2, 1)), REGIONS)
    assert not caplog.records


def edit_plan(content: Json) -> None:
    content["window"] = {"patch": [24, 16, 16], "overlap": 0.1}
    content["grid"]["spacing_mm"] = [2.0, 2.0, 2.0]
    content["network"]["residual"] = True


def test_inference_json_counts_and_each_key_of_the_plan_that_differs_is_named_once(
    tiny: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = make_recipe(open_bundle(tiny))
    assert make_recipe(edit(tiny, "plan.json", edit_plan)) == before
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    keys = ("window.patch", "window.overlap", "network", "grid")
    assert [sum(f": {key} of plan.json differs" in line for line in said) for key in keys] == [1] * len(keys)
    assert len(said) == len(keys)
    assert "(inferer.roi_size: 16 × 16 × 16)" in said[0]
    assert "(preprocessing.transforms.3: Spacingd)" in said[3]


def test_an_edited_window_and_chain_are_followed(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    def change(content: Json) -> None:
        content["inferer"] |= {"roi_size": [8, 16, 24], "overlap": 0.25, "mode": "constant"}
        content["preprocessing"]["transforms"].pop(5)

    recipe = make_recipe(edit(tiny, "inference.json", change))
    assert recipe.window == Window((8, 16, 24), 0.25, "constant", 3)
    assert len(recipe.preprocessing) == 5
    said = caplog.text
    assert all(f": {key} of plan.json differs" in said for key in ("window.patch", "window.overlap", "grid"))


def test_a_shorter_chain_is_told_by_what_is_left_out(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_recipe(edit(tiny, "inference.json", lambda content: content["preprocessing"]["transforms"].pop()))
    assert "preprocessing: EnsureTyped is left out" in caplog.text


def get_steps(content: Json) -> list[Json]:
    steps: list[Json] = content["postprocessing"]["transforms"]
    return steps


def rename(orig: object, target: object) -> Json:
    return {"_target_": "MapLabelValued", "keys": ["pred"], "orig_labels": orig, "target_labels": target}


def test_values_of_an_edited_decision_are_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = LabelTable.from_names(["a", "b"])
    folder = write_test_bundle(tmp_path / "classes", make_test_plan().change(task={"labels": labels}))
    bundle = edit(folder, "inference.json", lambda content: get_steps(content).insert(-1, rename([1, 2], [2, 1])))
    assert make_recipe(bundle).decision == Decision("largest", (0, 2, 1))
    assert "task.labels of plan.json differs" in caplog.text


def test_regions_are_written_as_inference_json_has_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_test_bundle(tmp_path / "regions", make_test_plan().change(task={"labels": REGIONS}))
    first = REGIONS.regions[0].model_copy(update={"value": 1})
    edit(folder, "plan.json", lambda plan: plan["task"]["labels"]["regions"].pop())
    with pytest.raises(BundleError, match=r"the key 'network_def\.out_channels' is 2, but plan\.json names 1 outputs"):
        make_recipe(open_bundle(folder))
    caplog.clear()
    swapped = [first.model_dump(), {"name": "outer", "values": [2], "value": 2}]
    edit(folder, "plan.json", lambda plan: plan["task"]["labels"].update(regions=swapped))
    with pytest.raises(BundleError, match=r"writes the regions of plan\.json as \[2, 1\], not as labels of theirs"):
        make_recipe(open_bundle(folder))
    swapped[1] = {"name": "core", "values": [1, 2], "value": 2}
    edit(folder, "plan.json", lambda plan: plan["task"]["labels"].update(regions=swapped))
    recipe = make_recipe(open_bundle(folder))
    assert recipe.decision == Decision("regions", (2, 1))
    assert [region.value for region in recipe.task.labels.regions] == [2, 1]
    assert "task.labels of plan.json differs" in caplog.text


def test_a_plan_whose_regions_are_gone_names_no_regions(tmp_path: Path) -> None:
    """Two regions of two labels are written as their values still, and two regions are three classes too few."""
    folder = write_test_bundle(tmp_path / "regions", make_test_plan().change(task={"labels": REGIONS}))
    bundle = edit(folder, "plan.json", lambda plan: plan["task"]["labels"].update(regions=[]))
    assert make_recipe(bundle).task.labels.regions == ()
    classes = write_test_bundle(
        tmp_path / "classes", make_test_plan().change(task={"labels": LabelTable.from_names(["a", "b"])})
    )
    nested = [region.model_dump() for region in NESTED]
    bundle = edit(classes, "plan.json", lambda plan: plan["task"]["labels"].update(regions=nested))
    assert make_recipe(bundle).task.labels.regions == ()


LAMBDA = {"_target_": "Lambdad", "keys": ["pred"], "func": "$lambda x: (x > 0.2).amax(0, True)"}


def set_key(*path: Any) -> Callable[[Json], None]:
    """Give the value at a path of keys, all but the last argument, that last argument."""

    def change(content: Json) -> None:
        *parents, last, value = path
        place: Any = content
        for parent in parents:
            place = place[parent]
        if isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value

    return change


POST = ("postprocessing", "transforms")
REFUSED = {
    "inferer._target_": set_key("inferer", "_target_", "SaliencyInferer"),
    "inferer.spatial_dim": set_key("inferer", "spatial_dim", 0),
    "inferer.padding_mode": set_key("inferer", "padding_mode", "reflect"),
    "inferer.overlap": set_key("inferer", "overlap", 1.0),
    "inferer.mode": set_key("inferer", "mode", "flat"),
    "inferer.roi_size": set_key("inferer", "roi_size", [18, 16, 16]),
    "network_def.spatial_dims": set_key("network_def", "spatial_dims", 4),
    "network_def.strides": set_key("network_def", "strides", [[1, 2], [2, 2, 2]]),
    "network_def.out_channels ": set_key("network_def", "out_channels", 256),
    "network_def.strides ": set_key("network_def", "strides", [[1, 1, 1], [2, 2, 0]]),
    "network_def.in_channels": set_key("network_def", "in_channels", 2),
    "network_def.out_channels": set_key("network_def", "out_channels", 3),
    "network_def.filters": set_key("network_def", "filters", "$__import__('os').system('true')"),
    "network": set_key("network", "@network_def"),
    "evaluator": set_key("evaluator", "amp", True),
    "handlers": set_key("handlers", 0, "strict", False),
    "initialize.5": set_key("initialize", 5, "$print('hello')"),
    "dataset_dir": set_key("dataset_dir", "$os.environ['HOME']"),
    "preprocessing.transforms.3.axcodes": set_key("preprocessing", "transforms", 3, "axcodes", "$'RAS'"),
    "preprocessing.transforms.0.keys": set_key("preprocessing", "transforms", 0, "keys", ["ct"]),
    "postprocessing.transforms.1": set_key(*POST, 1, "nearest_interp", True),
    "postprocessing.transforms.2": set_key(*POST, 2, LAMBDA),
    "postprocessing.transforms.3": set_key(*POST, 3, "resample", True),
    "postprocessing.transforms": set_key("postprocessing", {"_target_": "Compose"}),
    "postprocessing": lambda content: get_steps(content).insert(3, rename([1], [5])),
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_medunet_neither_writes_nor_understands_is_refused_by_its_key(tiny: Path, key: str) -> None:
    bundle = edit(tiny, "inference.json", REFUSED[key])
    with pytest.raises(BundleError) as caught:
        make_recipe(bundle)
    assert f"inference.json: the key '{key.strip()}' " in str(caught.value)


@pytest.mark.parametrize("overlap", ["half", True, None, -0.5])
def test_an_overlap_that_is_none_is_refused(tiny: Path, overlap: object) -> None:
    bundle = edit(tiny, "inference.json", set_key("inferer", "overlap", overlap))
    with pytest.raises(BundleError, match=r"the key 'inferer\.overlap' is"):
        make_recipe(bundle)


@pytest.mark.parametrize("sizes", [[16, 16], [16, 16, 0], [16, 16, 16.0], "all", [16, 16, None]])
def test_a_patch_that_is_none_is_refused(tiny: Path, sizes: object) -> None:
    bundle = edit(tiny, "inference.json", set_key("inferer", "roi_size", sizes))
    with pytest.raises(BundleError, match=r"the key 'inferer\.roi_size' is"):
        make_recipe(bundle)


def test_a_key_that_is_left_out_is_named(tiny: Path) -> None:
    bundle = edit(tiny, "inference.json", lambda content: content["inferer"].pop("mode"))
    with pytest.raises(BundleError, match=r"the key 'inferer\.mode' is missing"):
        make_recipe(bundle)


@pytest.mark.parametrize(
    ("orig", "target"), [([1, 2], [1]), ("all", [1]), ([1], [1.0]), ([0], [1])], ids=["count", "text", "float", "zero"]
)
def test_renaming_that_says_nothing_is_refused(tmp_path: Path, orig: object, target: object) -> None:
    folder = write_test_bundle(tmp_path / "regions", make_test_plan().change(task={"labels": REGIONS}))

    def change(content: Json) -> None:
        get_steps(content)[3] = rename(orig, target)

    bundle = edit(folder, "inference.json", change)
    with pytest.raises(BundleError, match=r"the key 'postprocessing\.transforms\.3"):
        make_recipe(bundle)


def test_where_the_mask_is_saved_may_be_edited(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = edit(tiny, "inference.json", set_key(*POST, 3, "output_postfix", "lesion"))
    bundle = edit(tiny, "inference.json", set_key("output_dir", "masks"))
    make_recipe(bundle)
    assert not caplog.records
