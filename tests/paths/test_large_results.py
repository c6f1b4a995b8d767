"""DICOM results of a CT of 512 × 512 × 350 voxels, by the clock and by the memory that they take."""

import time
from pathlib import Path

import numpy as np
import pytest
from dicoms import write_series

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.machine import forget_peak_memory, measure_memory, measure_peak_memory
from medunet.reading import Image, find_image, measure_image
from medunet.writing import Algorithm, Result
from medunet.writing.formats import FORMATS

pytestmark = pytest.mark.slow
SHAPE = (512, 512, 350)
ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("large") / "series"
    slice_ = np.random.default_rng(0).integers(-200, 200, (*SHAPE[:2], 1)).astype(np.int16)
    write_series(folder, Grid(SHAPE, np.diag([0.8, 0.8, 1.0, 1.0])), np.repeat(slice_, SHAPE[2], axis=2))
    return find_image(folder)


def draw(image: Image, count: int) -> Mask:
    """As many ellipsoids, many of which meet; a few may be covered by others."""
    size = measure_image(image)
    assert size is not None
    random, voxels = np.random.default_rng(1), np.zeros(SHAPE, np.uint8)
    i, j = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
    for value in range(1, count + 1):
        x, y, z = random.uniform(60, 450), random.uniform(60, 450), random.uniform(20, 330)
        radius, half = random.uniform(8, 50), random.uniform(20, 100)
        for k in range(max(0, round(z - half)), min(SHAPE[2], round(z + half))):
            left = 1 - ((k - z) / half) ** 2
            voxels[:, :, k][(i - x) ** 2 + (j - y) ** 2 < radius**2 * left] = value
    assert len(np.unique(voxels)) > 0.9 * count
    return Mask("classes", voxels, size.grid, LabelTable.from_names([f"part {n}" for n in range(count)]))


def write(name: str, image: Image, mask: Mask, path: Path) -> tuple[float, int]:
    """Seconds, and bytes above those that are held before."""
    row, channels = FORMATS[name], {"ct": image} if name in ("sr", "sc") else {}
    forget_peak_memory()
    held, started = measure_memory(), time.monotonic()
    row.check(image, mask.table, ALGORITHM)
    row.write(Result(mask, image, ALGORITHM, channels), path)
    return time.monotonic() - started, measure_peak_memory() - held


@pytest.mark.parametrize("name", ["seg", "seg-labelmap", "rtstruct", "sr", "sc"])
def test_five_labels_are_written_within_a_minute(image: Image, tmp_path: Path, name: str) -> None:
    mask = draw(image, 5)
    took = [write(name, image, mask, tmp_path / "m.dcm")]
    while min(took)[0] >= 60 and len(took) < 3:
        took.append(write(name, image, mask, tmp_path / "m.dcm"))
    assert min(took)[0] < 60
    assert max(peak for _, peak in took) < 2**30


@pytest.mark.parametrize("name", ["seg", "seg-labelmap"])
def test_a_hundred_labels_are_written_without_a_gigabyte(image: Image, tmp_path: Path, name: str) -> None:
    """Where the file itself has more than that, too."""
    _, peak = write(name, image, draw(image, 100), tmp_path / "m.dcm")
    assert peak < 2**29
    assert name != "seg" or (tmp_path / "m.dcm").stat().st_size > 2**30
