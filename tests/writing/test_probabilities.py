import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from shapes import make_grid

from medunet.errors import ResourceError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import Image
from medunet.writing import Algorithm, Probabilities, Result, probabilities, write_probabilities
from medunet.writing.formats import FORMATS


def make_maps(grid: Grid, count: int = 3) -> Probabilities:
    maps = np.random.default_rng(0).integers(0, 256, (count, *grid.shape), dtype=np.uint8)
    return Probabilities(maps, tuple(f"class {n}" for n in range(count)), exclusive=True)


@pytest.mark.parametrize("shear", [0.0, 0.3])
def test_any_reader_of_nifti_finds_maps_names_and_places(tmp_path: Path, shear: float) -> None:
    grid = make_grid((7, 6, 5), (0.7, 0.9, 2.5), 0.3, shear)
    made = make_maps(grid)
    write_probabilities(made, grid, tmp_path / "a.nii.gz")
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.shape == (7, 6, 5, 3)
    assert image.get_data_dtype() == np.uint8
    assert np.allclose(image.get_fdata(), np.moveaxis(made.maps, 0, 3) / 255, atol=1e-6)
    assert np.allclose(image.affine, grid.affine, atol=1e-5)
    assert int(image.header["qform_code"]) == (0 if shear else 1)
    said = json.loads(image.header.extensions[0].get_content())
    assert said == {"probabilities": ["class 0", "class 1", "class 2"], "exclusive": True}


def test_pieces_are_joined_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probabilities, "PIECE", 100)
    grid = make_grid((7, 6, 5), (1.0, 1.0, 1.0))
    made = make_maps(grid)
    moved = Probabilities(np.moveaxis(np.ascontiguousarray(np.moveaxis(made.maps, 3, 1)), 1, 3), made.names, True)
    for number, item in enumerate((made, moved)):
        write_probabilities(item, grid, tmp_path / f"{number}.nii.gz")
    assert (tmp_path / "0.nii.gz").read_bytes() == (tmp_path / "1.nii.gz").read_bytes()
    stored = nib.load(tmp_path / "0.nii.gz").dataobj.get_unscaled()
    assert np.array_equal(np.asarray(stored), np.moveaxis(made.maps, 0, 3))


def test_a_picture_has_pixels_of_size_one(tmp_path: Path) -> None:
    grid = Grid((7, 6, 1), np.eye(4), "px")
    write_probabilities(make_maps(grid), grid, tmp_path / "a.nii.gz")
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.shape == (7, 6, 1, 3)
    assert image.header.get_xyzt_units()[0] == "unknown"


def test_a_file_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    whole = gzip.open

    def cut(path: Path) -> object:
        content = whole(path).read()
        Path(path).write_bytes(gzip.compress(content[:-1]))
        return whole(path)

    monkeypatch.setattr(gzip, "open", cut)
    with pytest.raises(ResourceError, match="what was read back differs"):
        write_probabilities(make_maps(grid), grid, tmp_path / "a.nii.gz")


def test_a_mask_whose_probabilities_nobody_kept_is_a_fault(tmp_path: Path) -> None:
    grid = Grid((4, 4, 4), np.eye(4))
    mask = Mask("classes", np.zeros(grid.shape, np.uint8), grid, LabelTable.from_names(["a"]))
    row, algorithm = FORMATS["probabilities"], Algorithm("b", "1", "0")
    assert row.likely
    with pytest.raises(ValueError, match="nobody kept"):
        row.write(Result(mask, Image("x"), algorithm), tmp_path / "a")
    row.write(Result(mask, Image("x"), algorithm, {}, make_maps(grid)), tmp_path / "a.nii.gz")
    assert nib.load(tmp_path / "a.nii.gz").shape == (4, 4, 4, 3)
