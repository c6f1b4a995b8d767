"""Runs where torchvision is installed: `make maskrcnn-env`, then its Python with -m pytest."""

import numpy as np
import pytest

pytest.importorskip("torchvision", reason="torchvision isn't installed here: make maskrcnn-env")

import maskrcnn
from overlapping_discs import paint, place_discs


def draw_one(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    image, label = paint(place_discs(random, overlap=False), random)
    return np.stack([image] * 3).astype(np.float32) / 255, label.astype(np.int64)


def test_a_crop_keeps_its_objects_and_their_boxes() -> None:
    picture, numbers = draw_one(0)
    for seed in range(8):
        image, target = maskrcnn.cut_crop(picture, numbers, np.random.default_rng(seed))
        assert image.shape == picture.shape
        assert len(target["masks"]) == len(target["boxes"]) == numbers.max()
        for mask, (left, top, right, bottom) in zip(target["masks"], target["boxes"].int().tolist(), strict=True):
            assert mask[top:bottom, left:right].sum() == mask.sum()
            assert mask[top].any()
            assert mask[:, right - 1].any()


def test_a_crop_without_objects_is_learnt_from() -> None:
    picture, numbers = draw_one(0)
    image, target = maskrcnn.cut_crop(picture, np.zeros_like(numbers), np.random.default_rng(0))
    assert target["boxes"].shape == (0, 4)
    network = maskrcnn.make_network().train()
    assert all(np.isfinite(float(loss)) for loss in network([image, image], [target, target]).values())


def test_objects_are_predicted_at_the_picture_s_own_size() -> None:
    pictures = [draw_one(seed) for seed in range(2)]
    network, steps = maskrcnn.train(pictures, minutes=0.05)
    assert steps >= 1
    assert maskrcnn.predict(network, pictures[0][0][:, :150]).shape == (150, 192)
