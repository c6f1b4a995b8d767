"""MONAI alone predicts a case, as a bundle's user without medunet would, in a process of its own."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from medunet.bundle import Recipe
from medunet.errors import BundleError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.objects import separate_objects
from medunet.reading import read_mask

SECONDS = 600
"""After which it is ended."""
OUTPUTS = ("*.nii.gz", "*.nii", "*.png")


def predict_alone(folder: Path, config: Path, images: Path, grid: Grid, recipe: Recipe) -> Mask:
    """Run `python -m monai.bundle run` on a folder of images, and read what it wrote.

    The expressions of the bundle's configurations are evaluated by it, so that they must be known or trusted.

    Args:
        folder: the bundle.
        config: its configuration of inference.
        images: folder that holds one case.
        grid: of its first channel.
        recipe: of the bundle.

    Returns:
        The labels on that grid; of objects numbers, made of the classes that MONAI writes.

    Raises:
        BundleError: MONAI fails or writes no mask.
    """
    with TemporaryDirectory() as place:
        arguments = ["--config_file", config.absolute(), "--dataset_dir", images.absolute(), "--output_dir", place]
        command = [sys.executable, "-m", "monai.bundle", "run", *map(str, arguments)]
        if recipe.origin == "elsewhere":
            command += ["--bundle_root", str(folder.absolute())]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter
                command, capture_output=True, text=True, cwd=place, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise _fail(folder, f"it took more than {SECONDS} s") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise _fail(folder, lines[-1][:200] if lines else f"exit code {done.returncode}")
        masks = [path for pattern in OUTPUTS for path in Path(place).rglob(pattern)]
        if len(masks) != 1:
            raise _fail(folder, f"it ended with exit code 0 and wrote {len(masks)} masks of one case")
        return _read(masks[0], grid, recipe)


def _fail(folder: Path, said: str) -> BundleError:
    remedy = "run it yourself: python -m monai.bundle run --config_file BUNDLE/configs/inference.json"
    return BundleError(folder, f"MONAI alone can't predict the self-test ({said})", remedy, code="bundle-selftest")


def _read(path: Path, grid: Grid, recipe: Recipe) -> Mask:
    labels = recipe.task.labels
    if not labels.objects:
        return read_mask(path, grid, labels)
    classes = read_mask(path, grid, LabelTable.from_names(["interior", "border"]))
    smallest = recipe.task.objects.smallest if recipe.task.objects else 0.0
    voxels = smallest if grid.unit == "px" else 1000 * smallest / grid.voxel_volume
    numbers = separate_objects(classes.voxels.astype("uint8"), voxels)
    return Mask("instances", numbers, grid, labels)
