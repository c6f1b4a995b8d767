"""Made-up microscopy: discs on noise as PNG, grey and colour, of several sizes, with label maps that number them."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((96, 80), (128, 128), (64, 150), (160, 112))
"""Columns and rows."""


def draw_discs(folder: Path, count: int = 8, seed: int = 0) -> list[Path]:
    """Write `images/` and `labels/`; every second picture has colours. Returns the pictures."""
    random = np.random.default_rng(seed)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    written = []
    for number in range(count):
        columns, rows = SIZES[number % len(SIZES)]
        y, x = np.mgrid[:rows, :columns]
        label = np.zeros((rows, columns), np.uint16)
        for value in range(1, 7):
            centre, radius = random.uniform((8, 8), (rows - 8, columns - 8)), random.uniform(5, 10)
            label[(np.hypot(y - centre[0], x - centre[1]) <= radius) & (label == 0)] = value
        grey = np.where(label > 0, 150, 40) + random.normal(0, 12, label.shape)
        tint = np.array([1.0, 0.6, 0.9]) if number % 2 else np.ones(1)
        pixels = np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8)
        path = folder / "images" / f"disc{number}.png"
        Image.fromarray(pixels if number % 2 else pixels[..., 0]).save(path)
        Image.fromarray(label).save(folder / "labels" / path.name)
        written.append(path)
    return written


def read(path: Path) -> np.ndarray:
    """Values of a picture."""
    with Image.open(path) as image:
        return np.asarray(image)
