"""torchvision's Mask R-CNN trained from nothing on pictures whose label maps number objects, for `compare_maskrcnn.py`.

Its parts are torchvision's; nothing is downloaded. What is changed from its defaults fits it to small objects and to
minutes: anchors of 8 to 128 pixels instead of 32 to 512 and no enlarging to 800 pixels, crops of 256 pixels, up to 300
objects a picture, and a learning rate that falls to zero when the minutes end.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torchvision.models.detection import maskrcnn_resnet50_fpn
from torchvision.models.detection.rpn import AnchorGenerator

from medunet.progress import report

Picture = npt.NDArray[np.float32]
"""(3, rows, columns), 0 to 1."""
Numbers = npt.NDArray[np.int64]
"""(rows, columns), one number an object, 0 outside of them."""
ANCHORS = ((8,), (16,), (32,), (64,), (128,))
RATIOS = (0.5, 1.0, 2.0)
CROP = 256
BATCH = 2
LEARNING_RATE = 2e-4
"""Of AdamW: SGD from random weights learns little in the few hundred steps of such minutes."""
WARM_UP = 0.02
"""Share of the time in which the learning rate rises."""
SMALLEST = 4
"""Voxels of an object that a crop must hold to be learnt from."""
SURE = 0.5
"""Score from which on an object counts as found."""


def read_picture(path: Path) -> Picture:
    """A picture, grey or colour, from its 0.5 to its 99.5 percentile, since exposures differ widely."""
    pixels = np.asarray(Image.open(path)).astype(np.float32)
    pixels = np.stack([pixels] * 3) if pixels.ndim == 2 else pixels[..., :3].transpose(2, 0, 1)
    low, high = np.percentile(pixels, (0.5, 99.5))
    scaled: Picture = np.clip((pixels - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return scaled


def read_numbers(path: Path) -> Numbers:
    """A label map that numbers objects."""
    return np.asarray(Image.open(path)).astype(np.int64)


def make_network() -> Any:
    """A Mask R-CNN with random weights for one kind of object."""
    return maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=2,
        min_size=CROP,
        max_size=CROP,
        box_detections_per_img=300,
        rpn_anchor_generator=AnchorGenerator(ANCHORS, (RATIOS,) * len(ANCHORS)),
    )


def train(pictures: Sequence[tuple[Picture, Numbers]], minutes: float, seed: int = 0) -> tuple[Any, int]:
    """Train for the minutes.

    Args:
        pictures: with their label maps.
        minutes: by the clock on the wall.
        seed: of weights and crops.

    Returns:
        The network, and the number of steps.
    """
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    network = make_network().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    started, steps = time.monotonic(), 0
    while (share := (time.monotonic() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, (share + 1e-3) / WARM_UP) * (1 - share) ** 0.9
        crops = [cut_crop(*pictures[int(draw.integers(len(pictures)))], draw) for _ in range(BATCH)]
        losses = network([image for image, _ in crops], [target for _, target in crops])
        optimizer.zero_grad(set_to_none=True)
        loss = torch.stack(list(losses.values())).sum()
        if torch.isfinite(loss):
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
        steps += 1
        report("training Mask R-CNN", int(1000 * share), 1000, f"loss {float(loss.detach()):.3f}")
    return network, steps


def cut_crop(
    picture: Picture, numbers: Numbers, draw: np.random.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """A crop of at most `CROP` pixels an axis, turned and mirrored by chance, and what torchvision trains on."""
    start = [int(draw.integers(0, max(size - CROP, 0) + 1)) for size in numbers.shape]
    window = tuple(slice(first, first + CROP) for first in start)
    turns, mirrored = int(draw.integers(4)), bool(draw.integers(2))
    image, label = np.rot90(picture[(slice(None), *window)], turns, (1, 2)), np.rot90(numbers[window], turns)
    if mirrored:
        image, label = image[..., ::-1], label[..., ::-1]
    values, counts = np.unique(label, return_counts=True)
    masks = np.stack([label == value for value in values[(values > 0) & (counts >= SMALLEST)]] or [label < 0])
    if not masks[0].any():
        masks = masks[:0]
    boxes = np.array([_find_box(mask) for mask in masks], np.float32).reshape(-1, 4)
    return torch.from_numpy(image.copy()), {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.ones(len(masks), dtype=torch.int64),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
    }


def _find_box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom; the right and bottom edges lie beyond the last pixel."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@torch.inference_mode()
def predict(network: Any, picture: Picture) -> Numbers:
    """Objects of a whole picture at its own size; where two overlap the surer one stays.

    Returns:
        (rows, columns), one number an object.
    """
    network.eval()
    network.transform.min_size, network.transform.max_size = (min(picture.shape[1:]),), max(picture.shape[1:])
    (found,) = network([torch.from_numpy(picture)])
    numbers = np.zeros(picture.shape[1:], np.int64)
    order = torch.argsort(found["scores"]).tolist()
    for number, index in enumerate(order, start=1):
        if found["scores"][index] >= SURE:
            numbers[found["masks"][index, 0].numpy() >= SURE] = number
    return numbers
