"""Draw made-up pictures of discs that lie apart or overlap, as a cohort of `images/` and `labels/` that number them.

    python workflows/claims/overlapping_discs.py DIR [--overlap] [--pictures 60]

All pictures have the same number of discs of the same sizes, brighter where two overlap, as in fluorescence. Without
`--overlap` they keep a distance of two pixels. Where they overlap, the label map gives a pixel to the disc whose
centre is nearer, in radii. Every fifth picture is held out by fold 0 of folds.json.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medunet.files import whole_folder
from medunet.records import write_json

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share

from command import finish

SIZE = 192
DISCS = 24
RADII = (7.0, 12.0)
APART = 2.0
"""Pixels between discs that don't overlap."""
NEAREST = 0.9
"""Least distance of centres over the larger radius where they overlap."""
TRIES = 2000
Discs = npt.NDArray[np.float64]
"""(N, 3): row, column and radius in pixels."""


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--overlap", action="store_true", help="each disc touches another where it can")
    parser.add_argument("--pictures", type=int, default=60)
    arguments = parser.parse_args()
    return finish("overlapping_discs", lambda: draw(arguments.folder, arguments.pictures, overlap=arguments.overlap))


def draw(folder: Path, pictures: int, *, overlap: bool) -> None:
    """Write the cohort, whole or not at all."""
    names = [f"discs{number:03d}" for number in range(pictures)]
    with whole_folder(folder) as part:
        for place in ("images", "labels"):
            (part / place).mkdir()
        for number, name in enumerate(names):
            random = np.random.default_rng((number, int(overlap)))
            image, label = paint(place_discs(random, overlap=overlap), random)
            Image.fromarray(image).save(part / "images" / f"{name}.png")
            Image.fromarray(label).save(part / "labels" / f"{name}.png")
        write_json(part / "folds.json", {str(fold): names[fold::5] for fold in range(5)})


def place_discs(random: np.random.Generator, *, overlap: bool) -> Discs:
    """Discs by chance: each keeps its distance from the others, or overlaps the one before it."""
    discs: list[npt.NDArray[np.float64]] = []
    for _ in range(TRIES):
        if len(discs) == DISCS:
            break
        radius = random.uniform(*RADII)
        centre = random.uniform(radius, SIZE - radius, 2)
        if overlap and len(discs) % 2:
            angle, reach = random.uniform(0, 2 * np.pi), random.uniform(NEAREST, 1.2) * max(radius, discs[-1][2])
            centre = discs[-1][:2] + reach * np.array([np.sin(angle), np.cos(angle)])
        if _fits(centre, radius, discs, partner=overlap and len(discs) % 2 == 1):
            discs.append(np.array([*centre, radius]))
    return np.array(discs)


def _fits(
    centre: npt.NDArray[np.float64], radius: float, discs: list[npt.NDArray[np.float64]], *, partner: bool
) -> bool:
    if (centre < radius).any() or (centre > SIZE - radius).any():
        return False
    others = discs[:-1] if partner else discs
    return all(np.hypot(*(centre - other[:2])) >= radius + other[2] + APART for other in others)


def paint(discs: Discs, random: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """The picture with noise, (rows, columns), and its label map."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    reach = np.hypot(rows - discs[:, 0, None, None], columns - discs[:, 1, None, None]) / discs[:, 2, None, None]
    light = random.uniform(50, 70, (len(discs), 1, 1)) * (reach <= 1)
    image = 40 + light.sum(0) + random.normal(0, 10, (SIZE, SIZE))
    label = np.where(reach.min(0) <= 1, reach.argmin(0) + 1, 0)
    return np.clip(image, 0, 255).astype(np.uint8), label.astype(np.uint16)


if __name__ == "__main__":
    sys.exit(main())
