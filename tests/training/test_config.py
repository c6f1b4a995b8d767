import json
from pathlib import Path

from plans import make_test_plan, make_tiny_bundle

from medunet.bundle import make_inference_config, make_metadata
from medunet.bundle.configs import make_inferer
from medunet.task import Separation
from medunet.training import CONFIGS, make_multi_gpu_config, make_train_config


def test_training_infers_with_the_same_network_and_window() -> None:
    plan = make_test_plan()
    train, inference = make_train_config(plan), make_inference_config(plan)
    assert train["network_def"] == inference["network_def"]
    assert train["validate"]["inferer"]["inferer"] == inference["inferer"] == make_inferer(plan)


def test_pictures_are_slices_to_training() -> None:
    plan = make_test_plan(dims=2).change(task={"unit": "px"})
    assert make_train_config(plan)["validate"]["inferer"]["inferer"]["_target_"] == "SliceInferer"


def test_a_bundle_gets_what_trains_it_and_says_that_it_needs_medunet(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "ab")
    for name, make in CONFIGS.items():
        text = (bundle / "configs" / name).read_text(encoding="utf-8")
        assert text == json.dumps(make(make_test_plan()), indent=2, ensure_ascii=False) + "\n"
        assert "medunet" in text
    assert sorted(CONFIGS) == ["multi_gpu_train.json", "train.json"]


def test_the_configuration_of_several_processes_changes_only_what_train_has() -> None:

    train, several = make_train_config(make_test_plan()), make_multi_gpu_config(make_test_plan())
    for key in several:
        *parents, last = key.split("#")
        place = train
        for parent in parents:
            place = place[parent]
        assert last in place or key in ("train#sampler", "train#dataloader#sampler")
    assert [step for step in several["initialize"] if step in train["initialize"]] == train["initialize"]
    assert [step for step in several["finalize"] if step in train["finalize"]] == train["finalize"]
    assert "bundle_root" not in several, "train.json, given before it, finds the root"


def test_interior_and_border_of_objects_are_classes_of_the_network() -> None:
    plan = make_test_plan(dims=2)
    labels = plan.task.labels.model_copy(update={"objects": True})
    plan = plan.change(task={"labels": labels, "objects": Separation(border=2, smallest=20)})
    train = make_train_config(plan)
    assert train["network_def"]["out_channels"] == 3
    assert train["validate"]["postprocessing"]["transforms"][0]["to_onehot"] == [3, 3]
    outputs = make_metadata(plan, "nuclei").network_data_format["outputs"]["pred"]
    assert outputs["channel_def"] == {"0": "background", "1": "interior", "2": "border"}
