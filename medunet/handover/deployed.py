"""MONAI Deploy's application predicts a case, in a process of its own: DICOM in, DICOM SEG out."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from medunet.bundle import Recipe
from medunet.deploy.outcome import RESULT
from medunet.errors import BundleError
from medunet.geometry import Grid
from medunet.handover.series import CLASSES, write_series
from medunet.labels import Mask
from medunet.reading import Image, read_image, read_mask

SECONDS = 600
"""After which it is ended."""
PACKAGES = ("holoscan", "monai.deploy")


def tell_unfit(recipe: Recipe) -> str:
    """Why MONAI Deploy can't predict a made-up case of a bundle here; "" where it can."""
    task = recipe.task
    if task.unit == "px":
        return "it takes DICOM, and the bundle pictures"
    several = [name for name in task.channels if task.count_components(name) > 1]
    if several:
        return f"DICOM has one component a voxel, and the channel {several[0]} more"
    others = [name for name in task.channels if task.modalities[name] not in CLASSES]
    if others:
        return f"made-up cases are written as {', '.join(CLASSES)}, and the channel {others[0]} is something else"
    if any(importlib.util.find_spec(name) is None for name in PACKAGES):
        return "its SDK isn't installed (pip install 'medunet[deploy]')"
    return ""


def predict_deployed(folder: Path, images: Mapping[str, Image], grid: Grid, recipe: Recipe) -> Mask:
    """Run the application of MONAI Deploy on a case, which is written as DICOM, and read its SEG.

    Args:
        folder: the bundle.
        images: of the case, by key of the bundle's chain.
        grid: of the first of them.
        recipe: of the bundle.

    Returns:
        The labels on that grid.

    Raises:
        BundleError: the application ends otherwise than with labels.
    """
    task = recipe.task
    wanted = "nifti" if task.labels.objects else "seg"  # segments don't tell objects apart
    with TemporaryDirectory() as place:
        source, output = Path(place) / "in", Path(place) / "out"
        command = [sys.executable, "-m", "medunet.deploy", "--format", wanted]
        for name, image in zip(task.channels, images.values(), strict=True):
            units = task.units.get(name, "")
            uid = write_series(source / name, read_image(image), task.modalities[name], units)
            command += ["--series", f"{name}={uid}"]
        paths = {"-i": source, "-o": output, "-m": folder.absolute()}
        command += [text for option, path in paths.items() for text in (option, str(path))]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter
                command, capture_output=True, text=True, cwd=place, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise _fail(folder, f"it took more than {SECONDS} s") from None
        result = output / RESULT
        if done.returncode or not result.is_file():
            lines = done.stderr.strip().splitlines()
            raise _fail(folder, lines[-1][:300] if lines else f"exit code {done.returncode}")
        return read_mask(output / json.loads(result.read_text("utf-8"))["files"][wanted], grid, task.labels)


def _fail(folder: Path, said: str) -> BundleError:
    remedy = "run it yourself: python -m medunet.deploy -i DICOM -o OUT -m BUNDLE"
    return BundleError(folder, f"MONAI Deploy can't predict the self-test ({said})", remedy, code="bundle-selftest")
