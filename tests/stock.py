"""Run a bundle by MONAI alone, and medunet in its precision; compare their masks."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import run
from PIL import Image

from medunet.networks import precision

BLOCK = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('medunet', 'SimpleITK', 'pydicom', 'pydantic', 'typer', *OTHERS):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
sys.argv[0] = 'run'
import runpy
runpy.run_module('monai.bundle', run_name='__main__')
"""


@contextmanager
def in_float32() -> Iterator[None]:
    """Networks compute in float32, as MONAI alone does: those of a few steps are too unsure to compare with bf16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "choose_precision", lambda _: torch.float32)
        yield


def measure_dice(first: np.ndarray, second: np.ndarray) -> float:
    """Dice, apart from the package's, of what isn't 0 in two masks of one shape; NaN where both are empty."""
    first, second = first != 0, second != 0
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def run_monai(*arguments: object, cwd: Path, code: int = 0, pictures: bool = False, parts: bool = False) -> str:
    """Run `python -m monai.bundle` where only monai, fire, ignite and nibabel (or pillow) can be imported.

    With `parts` scikit-image too, with what it needs.
    """
    others = ["nibabel"] if pictures else [] if parts else ["PIL"]
    block = BLOCK.replace("OTHERS", repr([*others, *([] if parts else ["scipy", "skimage"])]))
    command = [sys.executable, "-c", block, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout + done.stderr


def run_stock(bundle: Path, images: Path, output: Path) -> np.ndarray:
    """The mask of `monai.bundle run`, of the only image of a folder."""
    run(
        config_file=str(bundle / "configs" / "inference.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        bundle_root=str(bundle),
        dataset_dir=str(images),
        output_dir=str(output),
        logging_file=False,
    )
    (written,) = [path for path in output.rglob("*mask*") if path.is_file()]
    return (
        np.asarray(Image.open(written).convert("L")).T
        if written.suffix == ".png"
        else np.asarray(nib.load(written).dataobj)
    )
