"""Tasks by metadata: channels, modalities, names of labels."""

from pathlib import Path
from typing import Any

import pytest

from medunet.bundle.foreign_steps import read_chain
from medunet.bundle.foreign_task import check_segments, make_labels, make_task, name_values
from medunet.bundle.parts import Decision
from medunet.errors import BundleError

LOAD = {"_target_": "LoadImaged", "keys": "image"}
FIRST = {"_target_": "EnsureChannelFirstd", "keys": "image"}
TWO = Decision("largest", (0, 1))


def describe(image: dict[str, Any] | None = None, task: str = "Organs", **pred: Any) -> dict[str, Any]:
    image = {"modality": "CT", "format": "hounsfield", "num_channels": 1, **(image or {})}
    pred = {"format": "segmentation", "num_channels": 2, "channel_def": {"0": "background", "1": "spleen"}, **pred}
    return {"task": task, "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": pred}}}


@pytest.mark.parametrize(
    "metadata",
    [
        describe(format="image", task="CT image synthesis"),
        describe(format="labels", task="Breast Density Classification"),
        describe(format="segmentation", task="Nodule detection"),
        describe(format="classes"),
        {"task": "Generation", "network_data_format": {"outputs": {}}},
        {"network_data_format": "text"},
        {},
    ],
)
def test_what_is_not_for_segmentation_is_said_so(metadata: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="isn't for segmentation"):
        check_segments(metadata, Path("metadata.json"))


def test_segmentation_may_be_called_labels_and_have_classes() -> None:
    check_segments(describe(format="labels", task="Segmentation and classification of nuclei"), Path("m"))


def test_one_image_is_called_by_its_modality() -> None:
    task = make_task(describe(), read_chain([LOAD, FIRST], "f"), "mm", TWO, {})
    assert task.channels == ("ct",)
    assert task.modalities == {"ct": "CT"}
    assert task.units == {"ct": "HU"}
    assert task.labels.names == ("spleen",)
    unsaid = describe({"modality": "none", "format": "magnitude"})
    assert make_task(unsaid, read_chain([LOAD, FIRST], "f"), "mm", TWO, {}).modalities == {"ot": "OT"}
    brain = describe({"modality": "MRI", "format": "magnitude"})
    assert make_task(brain, read_chain([LOAD, FIRST], "f"), "mm", TWO, {}).modalities == {"mr": "MR"}


def test_files_of_one_key_are_channels_by_name() -> None:
    four = describe({"modality": "MR", "num_channels": 2, "channel_def": {"0": "T1 c", "1": "FLAIR"}})
    task = make_task(four, read_chain([LOAD], "f"), "mm", TWO, {})
    assert task.channels == ("T1_c", "FLAIR")
    assert task.count_inputs() == 2
    unnamed = describe({"num_channels": 2, "channel_def": {"0": "image"}})
    assert make_task(unnamed, read_chain([LOAD], "f"), "mm", TWO, {}).channels == ("channel0", "channel1")


def test_a_file_may_hold_all_channels() -> None:
    colours = describe({"num_channels": 3, "modality": "regular", "format": "RGB"})
    task = make_task(colours, read_chain([LOAD, FIRST], "f"), "px", TWO, {})
    assert task.components == {"picture": 3}
    assert task.modalities == {"picture": "OT"}
    assert task.count_inputs() == 3


def test_keys_of_the_chain_are_channels() -> None:
    chain = read_chain([{"_target_": "LoadImaged", "keys": ["ct", "pet"]}, FIRST], "f")
    assert make_task(describe(), chain, "mm", TWO, {}).channels == ("ct", "pet")


def test_names_of_values() -> None:
    assert name_values(describe(), Decision("largest", (0, 1, 2))) == {1: "spleen", 2: "label 2"}
    assert name_values(describe(), Decision("threshold", (1,), threshold=0.5)) == {1: "spleen"}
    alone = describe(channel_def={"0": "tumour"})
    assert name_values(alone, Decision("threshold", (1,), threshold=0.5)) == {1: "tumour"}
    assert name_values(describe(channel_def=None), TWO) == {1: "label 1"}
    mapped = {"_target_": "MapLabelValued", "keys": ["pred"], "orig_labels": [1], "target_labels": [3]}
    assert name_values(describe(), Decision("largest", (0, 1), steps=(mapped,))) == {3: "spleen"}


def test_a_table_has_no_gap_and_no_name_twice() -> None:
    assert make_labels({1: "liver", 3: "liver", 4: "a" * 90}).names == ("liver", "label 2", "liver 3", "a" * 64)
