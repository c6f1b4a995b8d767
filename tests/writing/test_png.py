from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medunet.errors import ResourceError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import read_mask
from medunet.writing import write_picture


def read_back(path: Path, mask: Mask) -> Mask:
    return read_mask(path, mask.grid, mask.table)


def make(labels: int) -> Mask:
    voxels = np.random.default_rng(0).integers(0, labels + 1, (7, 5, 1)).astype(np.uint16)
    table = LabelTable.from_names([f"label {n}" for n in range(labels)])
    return Mask("classes", voxels, Grid(voxels.shape, np.eye(4), "px"), table)


@pytest.mark.parametrize(("labels", "dtype"), [(2, np.uint8), (300, np.uint16)])
def test_rows_and_columns_are_those_of_the_picture(tmp_path: Path, labels: int, dtype: type) -> None:
    mask = make(labels)
    write_picture(mask, tmp_path / "m.png", read_back)
    with Image.open(tmp_path / "m.png") as image:
        pixels = np.asarray(image)
    assert pixels.dtype == dtype
    assert np.array_equal(pixels, mask.voxels[..., 0].T)


def test_objects_are_numbered_in_16_bits(tmp_path: Path) -> None:
    mask = make(1)
    table = LabelTable.from_names(["nucleus"], objects=True)
    numbers = replace(mask, kind="instances", voxels=mask.voxels * 300, table=table)
    write_picture(numbers, tmp_path / "m.png", read_back)
    with Image.open(tmp_path / "m.png") as image:
        assert np.array_equal(np.asarray(image), numbers.voxels[..., 0].T)
    many = replace(numbers, voxels=mask.voxels.astype(np.uint32) * 70_000)
    with pytest.raises(ResourceError, match="70000 objects"):
        write_picture(many, tmp_path / "n.png", read_back)


def test_what_reads_back_otherwise_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="differs from what was written"):
        write_picture(make(2), tmp_path / "m.png", lambda *_: make(3))
