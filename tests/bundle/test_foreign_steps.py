"""Chains and postprocessings: what is taken, what is refused, and how labels are decided."""

import math
from typing import Any

import pytest
from zoo import ACTIVATE, ARGMAX, INVERT, SAVE

from medunet.bundle.foreign_steps import UntrustedStepError, join_files, name_target, read_chain, read_postprocessing
from medunet.bundle.literals import Mark
from medunet.errors import BundleError

LOAD = {"_target_": "LoadImaged", "keys": "image", "reader": "ITKReader", "image_only": False}
FIRST = {"_target_": "EnsureChannelFirstd", "keys": "image", "channel_dim": "no_channel"}
SPACING = {"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1]}
SIGMOID = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
HALF = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}
LARGEST = {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1]}


def test_a_chain_loses_what_is_true_of_other_readers_and_devices() -> None:
    device = {"_target_": "monai.transforms.EnsureTyped", "keys": "image", "device": Mark.DEVICE}
    chain = read_chain([LOAD, FIRST, {"_target_": "OrientationD", "keys": "image", "axcodes": "RAS"}, device], "f")
    assert chain.keys == ("image",)
    assert chain.first
    assert chain.oriented
    assert chain.steps[0] == {"_target_": "EnsureChannelFirstd", "keys": "image"}
    assert chain.steps[2] == {"_target_": "EnsureTyped", "keys": "image"}
    assert not chain.notes


def test_loading_may_put_channels_first_itself() -> None:
    chain = read_chain([{**LOAD, "ensure_channel_first": True}], "f")
    assert chain.first
    assert chain.steps == ({"_target_": "EnsureChannelFirstd", "keys": ["image"]},)


def test_a_transform_of_earlier_versions_is_repaired_with_a_note() -> None:
    chain = read_chain([LOAD, {"_target_": "AddChanneld", "keys": "image"}], "f")
    assert chain.steps == ({"_target_": "EnsureChannelFirstd", "keys": "image"},)
    assert "AddChanneld" in chain.notes[0]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"_target_": "Spacinged", "keys": "image"}, "has no transform 'Spacinged'"),
        ({"_target_": "SqueezeDimd", "keys": "image"}, "can't be undone"),
        ({"_target_": "GridPatchd", "keys": "image"}, "can't be undone"),
        ({"_target_": "RandFlipd", "keys": "image"}, "can't be undone"),
        ({"_target_": "RandGaussianNoised", "keys": "image"}, "can't be undone"),
        ({"_target_": "GridDistortiond", "keys": "image"}, "can't be undone"),
    ],
)
def test_a_step_that_is_unknown_or_has_no_inverse_is_refused(step: Any, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        read_chain([LOAD, step], "f")


@pytest.mark.parametrize("steps", [None, [], "text", [SPACING], [{**LOAD, "keys": 3}], [{**LOAD, "keys": []}]])
def test_a_chain_begins_with_loading(steps: Any) -> None:
    with pytest.raises(BundleError, match="LoadImaged"):
        read_chain(steps, "f")


def test_steps_that_are_more_than_data_are_numbered() -> None:
    lambdas = [{"_target_": "Lambdad", "keys": "image", "func": Mark.UNKNOWN}, {"_target_": "scripts.a.B", "keys": "a"}]
    assert read_chain([LOAD, *lambdas], "f").steps == (1, 2)


@pytest.mark.parametrize(
    ("steps", "nearest", "noted"),
    [
        ([SPACING], False, False),
        ([{**SPACING, "mode": "nearest"}], True, False),
        ([{**SPACING, "mode": 3}], False, True),
        ([{**SPACING, "padding_mode": "zeros"}], False, True),
        ([{"_target_": "Resized", "keys": "image", "spatial_size": [9, 9, 9]}], False, True),
        ([{"_target_": "Resized", "keys": "image", "spatial_size": [9, 9, 9], "mode": ["trilinear"]}], False, False),
        ([SPACING, {"_target_": "Zoomd", "keys": "image", "zoom": 2, "mode": "trilinear"}], False, True),
    ],
)
def test_how_resampling_is_undone(steps: list[Any], nearest: bool, noted: bool) -> None:
    chain = read_chain([LOAD, FIRST, *steps], "f")
    assert chain.nearest == nearest
    assert bool(chain.notes) == noted


def test_the_order_of_decision_and_way_back_counts() -> None:
    first, way, notes = read_postprocessing([ACTIVATE, INVERT, ARGMAX, SAVE], 3, "f")
    assert (first.kind, first.values, first.activation, way, notes) == ("largest", (0, 1, 2), "softmax", "linear", ())
    nearest = {**INVERT, "nearest_interp": True}
    assert read_postprocessing([ACTIVATE, ARGMAX, nearest], 3, "f")[1:] == ("nearest", ())
    assert read_postprocessing([ACTIVATE, nearest, ARGMAX], 3, "f")[1:] == ("nearest", ())
    assert read_postprocessing([ACTIVATE, ARGMAX], 3, "f")[1:] == ("nearest", ())


def test_labels_that_monai_would_interpolate_stay_labels_with_a_note() -> None:
    decision, way, notes = read_postprocessing([ARGMAX, LARGEST, INVERT], 3, "f")
    assert way == "nearest"
    assert decision.cleaned == "before"
    assert "no label map" in notes[0]
    assert decision.steps[0]["applied_labels"] == [1]
    assert read_postprocessing([INVERT, ARGMAX, LARGEST], 3, "f")[0].cleaned == "after"


def test_a_single_output_has_a_threshold_where_it_stands() -> None:
    before, way, _ = read_postprocessing([SIGMOID, INVERT, HALF], 1, "f")
    assert (before.kind, before.threshold, before.values, before.activation) == ("threshold", 0.5, (1,), "sigmoid")
    assert way == "linear"
    after = read_postprocessing([INVERT, SIGMOID, {**HALF, "threshold": 0.8}], 1, "f")[0]
    assert after.activation == "none"
    assert after.threshold == pytest.approx(math.log(4))
    assert read_postprocessing([INVERT, HALF], 1, "f")[0].threshold == 0.5


def test_outputs_that_nobody_decides_are_decided_with_a_note() -> None:
    assert read_postprocessing([ACTIVATE, INVERT], 3, "f")[2]
    single, _, notes = read_postprocessing([SIGMOID, INVERT], 1, "f")
    assert (single.kind, single.threshold) == ("threshold", 0.5)
    assert notes
    assert read_postprocessing([INVERT, SIGMOID], 1, "f")[0].threshold == 0
    with pytest.raises(BundleError, match="makes no labels"):
        read_postprocessing([INVERT], 1, "f")


def test_one_channel_a_label_is_one_label_map_with_a_note() -> None:
    decision, _, notes = read_postprocessing([INVERT, {**ARGMAX, "to_onehot": 3}], 3, "f")
    assert decision.kind == "largest"
    assert "one label map" in notes[0]


def test_outputs_that_may_overlap_are_refused() -> None:
    with pytest.raises(BundleError, match="may overlap"):
        read_postprocessing([SIGMOID, INVERT, HALF], 3, "f")


@pytest.mark.parametrize(
    "steps",
    [
        [{"_target_": "Lambdad", "keys": "pred", "func": Mark.UNKNOWN}],
        [{"_target_": "scripts.post.Clean", "keys": "pred"}],
        [{"_target_": "Activationsd", "keys": "pred", "other": Mark.UNKNOWN}],
        [{"_target_": "Activationsd", "keys": "pred", "softmax": True, "sigmoid": True}],
        [ARGMAX, ACTIVATE],
        [INVERT, INVERT],
        [LARGEST],
        [ARGMAX, {**LARGEST, "is_onehot": True}],
        [ARGMAX, LARGEST, INVERT, LARGEST],
        [{"_target_": "AsDiscreted", "keys": "pred", "rounding": "torchrounding"}],
        [{"_target_": "VoteEnsembled", "keys": "pred"}],
        ["text"],
    ],
)
def test_other_steps_are_left_to_monai(steps: list[Any]) -> None:
    with pytest.raises(UntrustedStepError):
        read_postprocessing(steps, 2, "f")


def test_names_of_targets() -> None:
    assert name_target({"_target_": "monai.transforms.post.dictionary.InvertDict"}) == "Invertd"
    assert name_target({"_target_": "SaveImaged"}) == "SaveImaged"
    assert name_target("text") == "text"


def test_files_of_one_key_are_joined_on_the_grid_of_the_first() -> None:
    steps = join_files(["t1", "t2"], read_chain([LOAD], "f"))
    assert [step["_target_"] for step in steps][:1] == ["LoadImaged"]
    assert steps[2] == {"_target_": "ResampleToMatchd", "keys": ["t2"], "key_dst": "t1", "mode": "bilinear"}
    assert steps[-1] == {"_target_": "ConcatItemsd", "keys": ["t1", "t2"], "name": "image"}


SOFT = {**SIGMOID, "sigmoid": False, "softmax": True}


@pytest.mark.parametrize(
    ("steps", "outputs", "unsure"),
    [
        ([SOFT, INVERT, ARGMAX], 3, False),
        ([ARGMAX, INVERT], 3, False),
        ([SIGMOID, INVERT, ARGMAX], 3, True),
        ([SIGMOID, INVERT, HALF], 1, False),
        ([INVERT, SIGMOID, HALF], 1, False),
        ([INVERT, HALF], 1, True),
    ],
)
def test_what_makes_outputs_probabilities_is_known_or_not(steps: list[Any], outputs: int, unsure: bool) -> None:
    assert read_postprocessing(steps, outputs, "f")[0].unsure == unsure
