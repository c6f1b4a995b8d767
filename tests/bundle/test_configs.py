import json

import pytest
from plans import make_test_plan

from medunet.bundle import (
    make_evaluate_config,
    make_inference_config,
    make_metadata,
    make_multi_gpu_config,
    make_train_config,
)
from medunet.bundle.configs import ENSEMBLE_KEYS, INFERENCE_KEYS, find_root, make_inferer
from medunet.planning import ObjectsPlan


@pytest.mark.parametrize("channels", [("ct",), ("ct", "pet")])
def test_inference_and_evaluation_name_nothing_of_medunet(channels: tuple[str, ...]) -> None:
    plan = make_test_plan(channels=channels)
    for config in (make_inference_config(plan), make_evaluate_config(plan)):
        assert "medunet" not in json.dumps(config)
    assert "medunet" in json.dumps(make_train_config(plan))


def test_training_infers_with_the_same_network_and_window() -> None:
    plan = make_test_plan()
    train, inference = make_train_config(plan), make_inference_config(plan)
    assert train["network_def"] == inference["network_def"]
    assert train["validate"]["inferer"]["inferer"] == inference["inferer"] == make_inferer(plan)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_keys_that_are_checked_are_those_that_are_written(dims: int) -> None:
    plan = make_test_plan(dims=dims)
    assert tuple(make_inference_config(plan)) == INFERENCE_KEYS
    assert tuple(make_inference_config(plan, ("a.pt", "b.pt"))) == ENSEMBLE_KEYS


def test_an_ensemble_has_a_network_a_file_and_averages_before_all_else() -> None:
    files = ("a.pt", "b.pt")
    for make in (make_inference_config, make_evaluate_config):
        config = make(make_test_plan(), files)
        assert len(config["networks"]) == len(config["network_defs"]) == 2
        assert [handler["load_dict"]["model"] for handler in config["handlers"][:2]] == ["@networks#0", "@networks#1"]
        assert "/models/b.pt" in config["handlers"][1]["load_path"]
        assert config["postprocessing"]["transforms"][0]["_target_"] == "MeanEnsembled"
        assert "medunet" not in json.dumps(config)


def test_slices_are_inferred_slice_by_slice() -> None:
    inferer = make_inferer(make_test_plan(dims=2))
    assert (inferer["_target_"], inferer["roi_size"]) == ("SliceInferer", [16, 16])


def test_the_root_is_found_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import sys

    expression = find_root("train.json").removeprefix("$")
    for arguments in (["--config_file", "a/b/configs/train.json"], ["--config_file=a/b/configs/train.json"]):
        monkeypatch.setattr(sys, "argv", ["run", *arguments])
        found = eval(expression, {"os": os, "sys": sys})  # noqa: S307 (what MONAI does with it)
        assert found == os.path.abspath("a/b")


def test_the_configuration_of_several_processes_changes_only_what_train_has(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import sys

    train, several = make_train_config(make_test_plan()), make_multi_gpu_config(make_test_plan())
    for key in several:
        *parents, last = key.split("#")
        place = train
        for parent in parents:
            place = place[parent]
        assert last in place or key in ("train#sampler", "train#dataloader#sampler")
    assert [step for step in several["initialize"] if step in train["initialize"]] == train["initialize"]
    assert [step for step in several["finalize"] if step in train["finalize"]] == train["finalize"]
    expression = several["bundle_root"].removeprefix("$")
    for quote in ("'", '"'):
        files = f"[{quote}a/b/configs/train.json{quote}, {quote}a/b/configs/multi_gpu_train.json{quote}]"
        for arguments in (["--config_file", files], [f"--config_file={files}"]):
            monkeypatch.setattr(sys, "argv", ["run", *arguments])
            assert eval(expression, {"os": os, "sys": sys}) == os.path.abspath("a/b")  # noqa: S307


def test_pictures_are_png_of_two_axes_to_monai_and_numbered_objects_are_joined() -> None:
    plan = make_test_plan(dims=2)
    plan = plan.model_copy(update={"unit": "px", "labels": plan.labels.model_copy(update={"objects": True})})
    inference, evaluate = make_inference_config(plan), make_evaluate_config(plan)
    assert (inference["inferer"]["_target_"], inference["inferer"]["roi_size"]) == ("SlidingWindowInferer", [16, 16])
    for config in (inference, evaluate):
        assert ".nii.gz" not in json.dumps(config)
    assert evaluate["preprocessing"]["transforms"][-1]["threshold"] == 0.5
    assert evaluate["postprocessing"]["transforms"][-1]["to_onehot"] == [2, 2]
    assert make_train_config(plan)["validate"]["inferer"]["inferer"]["_target_"] == "SliceInferer"


def test_interior_and_border_of_objects_are_classes_of_the_network() -> None:
    plan = make_test_plan(dims=2)
    labels = plan.labels.model_copy(update={"objects": True})
    plan = plan.model_copy(update={"labels": labels, "objects": ObjectsPlan(border=2, smallest=20)})
    train = make_train_config(plan)
    assert train["network_def"]["out_channels"] == 3
    assert train["validate"]["postprocessing"]["transforms"][0]["to_onehot"] == [3, 3]
    outputs = make_metadata(plan, "nuclei")["network_data_format"]["outputs"]["pred"]
    assert outputs["channel_def"] == {"0": "background", "1": "interior", "2": "border"}
