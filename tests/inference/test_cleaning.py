"""Steps from labels to labels, by their meaning and beside MONAI's own where it can run them."""

from typing import Any

import numpy as np
import pytest
import torch

from medunet.inference.cleaning import clean_labels

LARGEST = {"_target_": "KeepLargestConnectedComponentd", "keys": ["pred"]}


def draw() -> np.ndarray:
    labels = np.zeros((12, 10, 4), np.uint8)
    labels[1:5, 1:5], labels[5, 5, 0], labels[8:10, 8, 1] = 1, 1, 1
    labels[6:9, 1:4], labels[11, 0], labels[0, 9] = 2, 2, 2
    return labels


def test_the_largest_part_of_each_label_stays() -> None:
    kept = clean_labels(draw(), [LARGEST])
    assert kept.sum() == 4 * 4 * 4 + 2 * 3 * 3 * 4 + 1
    assert not kept[8:10, 8, 1].any(), "a part apart"
    assert kept[5, 5, 0], "joined over a corner"
    assert not clean_labels(draw(), [{**LARGEST, "connectivity": 1}])[5, 5, 0]


def test_only_labels_that_are_named_lose_parts() -> None:
    kept = clean_labels(draw(), [{**LARGEST, "applied_labels": [1]}])
    assert (kept == 2).sum() == (draw() == 2).sum()
    assert (kept == 1).sum() == 65


def test_labels_may_count_together_and_several_parts_stay() -> None:
    together = clean_labels(draw(), [{**LARGEST, "independent": False, "applied_labels": [1, 2]}])
    assert (together > 0).sum() == 65
    assert (clean_labels(draw(), [{**LARGEST, "num_components": 2}]) == 1).sum() == 67


@pytest.mark.parametrize(
    "more",
    [{}, {"applied_labels": [1]}, {"connectivity": 1}, {"independent": False}, {"num_components": 2}],
)
def test_it_is_monais_step(more: dict[str, Any]) -> None:
    pytest.importorskip("skimage", reason="MONAI's own step needs scikit-image")
    from monai.transforms import KeepLargestConnectedComponent

    theirs = KeepLargestConnectedComponent(**more)(torch.from_numpy(draw())[None])[0].numpy()
    assert np.array_equal(clean_labels(draw(), [{**LARGEST, **more}]), theirs)


def test_other_steps_are_monais_own() -> None:
    renamed = {"_target_": "MapLabelValued", "keys": ["pred"], "orig_labels": [2], "target_labels": [7]}
    only = {"_target_": "LabelFilterd", "keys": ["pred"], "applied_labels": [7]}
    assert set(np.unique(clean_labels(draw(), [renamed, only]))) == {0, 7}
