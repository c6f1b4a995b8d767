import json

import pytest
from plans import make_test_plan

from medunet.bundle import make_evaluate_config, make_inference_config
from medunet.bundle.configs import ENSEMBLE_KEYS, INFERENCE_KEYS, make_inferer


@pytest.mark.parametrize("channels", [("ct",), ("ct", "pet")])
def test_inference_and_evaluation_name_nothing_of_medunet(channels: tuple[str, ...]) -> None:
    plan = make_test_plan(channels=channels)
    for config in (make_inference_config(plan), make_evaluate_config(plan)):
        assert "medunet" not in json.dumps(config)


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


def test_pictures_are_png_of_two_axes_to_monai_and_numbered_objects_are_joined() -> None:
    plan = make_test_plan(dims=2)
    plan = plan.change(task={"unit": "px", "labels": plan.task.labels.model_copy(update={"objects": True})})
    inference, evaluate = make_inference_config(plan), make_evaluate_config(plan)
    assert (inference["inferer"]["_target_"], inference["inferer"]["roi_size"]) == ("SlidingWindowInferer", [16, 16])
    for config in (inference, evaluate):
        assert ".nii.gz" not in json.dumps(config)
    assert evaluate["preprocessing"]["transforms"][-1]["threshold"] == 0.5
    assert evaluate["postprocessing"]["transforms"][-1]["to_onehot"] == [2, 2]


def test_what_a_plan_leaves_out_stands_in_both_before_the_last_step() -> None:
    plain, plan = make_test_plan(), make_test_plan().change(decision={"keep_largest": ("lesion",), "smallest": 0.1})
    for make in (make_inference_config, make_evaluate_config):
        steps, before = (make(item)["postprocessing"]["transforms"] for item in (plan, plain))
        names = [step["_target_"] for step in steps]
        assert names[-4:-1] == ["AsDiscreted", "KeepLargestConnectedComponentd", "Lambdad"]
        assert steps[:-4] == before[: len(steps) - 4]
        assert "medunet" not in json.dumps(make(plan))
    # The label map that is left is scored, not the logits.
    assert make_evaluate_config(plan)["postprocessing"]["transforms"][-1]["argmax"] == [False, False]
    assert make_inference_config(plan.change(decision={"keep_largest": (), "smallest": 0.0})) == make_inference_config(
        plain
    )
