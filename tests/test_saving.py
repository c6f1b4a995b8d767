from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import medunet
from medunet import saving
from medunet.errors import InputError, OutputExistsError, ResourceError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import Source, Volume

GRID = Grid((6, 5, 4), np.array([[0, 2.0, 0, 9], [-1.5, 0, 0, 3], [0, 0, 3, -7], [0, 0, 0, 1]]))
PIXELS = Grid((6, 5, 1), np.eye(4), "px")
RANDOM = np.random.default_rng(3)


def make_volume(kind: str, components: int = 1, grid: Grid = GRID) -> Volume:
    return Volume(RANDOM.integers(0, 200, (components, *grid.shape)).astype(kind), grid, Source(path="x"))


def make_mask(grid: Grid = GRID, kind: str = "classes") -> Mask:
    table = LabelTable.from_names(["lesion"], objects=kind == "instances")
    return Mask(kind, RANDOM.integers(0, 2, grid.shape).astype(np.uint16), grid, table)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".NII.GZ"])
@pytest.mark.parametrize(("kind", "components"), [("int16", 1), ("float32", 1), ("uint8", 3), ("int32", 1)])
def test_a_volume_comes_back(kind: str, components: int, ending: str, tmp_path: Path) -> None:
    volume = make_volume(kind, components)
    path = volume.save(tmp_path / f"new/scan{ending}")
    again = medunet.read_volume(path)
    assert again.voxels.dtype == volume.voxels.dtype
    assert np.array_equal(again.voxels, volume.voxels)
    assert np.allclose(again.grid.affine, GRID.affine, atol=1e-6)
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_wide_floats_become_single_ones_and_truth_numbers(tmp_path: Path) -> None:
    for given, stored in (("float64", "float32"), ("float16", "float32"), ("bool", "uint8")):
        volume = make_volume(given)
        again = medunet.read_volume(volume.save(str(tmp_path / f"{given}.nii.gz")))
        assert again.voxels.dtype == stored
        assert np.array_equal(again.voxels, volume.voxels.astype(stored))
    volume.voxels.setflags(write=True)
    holed = replace(volume, voxels=np.full(volume.voxels.shape, np.nan))
    with pytest.raises(InputError, match=r"x\.nii: 120 voxels are not finite"):
        holed.save(tmp_path / "x.nii")
    assert not (tmp_path / "x.nii").exists()


@pytest.mark.parametrize(("kind", "components"), [("uint8", 1), ("uint16", 1), ("uint8", 3)])
def test_a_picture_comes_back(kind: str, components: int, tmp_path: Path) -> None:
    picture = make_volume(kind, components, PIXELS)
    again = medunet.read_volume(picture.save(tmp_path / "a.png"))
    assert again.voxels.dtype == kind
    assert np.array_equal(again.voxels, picture.voxels)


def test_a_mask_comes_back_with_its_table(tmp_path: Path) -> None:
    for mask, name in ((make_mask(), "a.nii.gz"), (make_mask(PIXELS), "b.png"), (make_mask(kind="instances"), "c.nii")):
        path = mask.save(tmp_path / name)
        again = medunet.read_volume(path)
        assert np.array_equal(again.voxels[0], mask.voxels)
        assert again.grid.unit == mask.grid.unit
    assert b'"lesion"' in (tmp_path / "c.nii").read_bytes()


def test_a_file_that_exists_stays_unless_told(tmp_path: Path) -> None:
    path = make_volume("int16").save(tmp_path / "a.nii")
    old = path.read_bytes()
    for other in (make_volume("int16"), make_mask()):
        with pytest.raises(OutputExistsError, match=r"a\.nii: it exists already"):
            other.save(path)
        assert path.read_bytes() == old
    other.save(path, overwrite=True)
    assert path.read_bytes() != old


@pytest.mark.parametrize(
    ("thing", "name", "words"),
    [
        (make_volume("int16"), "a.png", "a grid in mm isn't written so; let its name end with .nii.gz or .nii"),
        (make_volume("uint8", 1, PIXELS), "a.nii", "a grid in px isn't written so; let its name end with .png"),
        (make_mask(PIXELS), "a.nii.gz", "a grid in px isn't written so; let its name end with .png"),
        (make_mask(), "a.txt", "it ends otherwise; let its name end with .nii.gz or .nii"),
        (make_volume("int16"), "a.dcm", "DICOM needs the headers of a patient"),
        (make_mask(), "a.seg.dcm", "refers to the series it was made from, see predict"),
        (make_volume("uint16", 3, PIXELS), "a.png", r"3 components of uint16 a pixel \(expected one of"),
        (make_volume("float32", 1, PIXELS), "a.png", "1 components of float32"),
        (make_volume("uint8", 2, PIXELS), "a.png", "2 components of uint8"),
    ],
)
def test_what_fits_no_file_is_one_sentence(thing: Volume | Mask, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        thing.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_comes_back_otherwise_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make_volume("uint8", 3, PIXELS)
    monkeypatch.setattr(saving, "read_volume", lambda _: replace(other, voxels=other.voxels + 1))
    for volume, name in ((make_volume("int16"), "a.nii"), (other, "a.png"), (make_volume("uint8", 1, PIXELS), "b.png")):
        with pytest.raises(ResourceError, match="what was read back differs"):
            volume.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
