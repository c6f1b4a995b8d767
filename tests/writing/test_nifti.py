from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from medunet.errors import ResourceError
from medunet.files import whole_file
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import read_mask, read_volume
from medunet.writing import write_image, write_nifti

TABLE = LabelTable.from_names(["a", "b"])


def read_back(path: Path, mask: Mask) -> Mask:
    return read_mask(path, mask.grid, mask.table)


def make(affine: np.ndarray) -> Mask:
    voxels = np.random.default_rng(0).integers(0, 3, (5, 4, 3)).astype(np.uint8)
    return Mask("classes", voxels, Grid(voxels.shape, affine), TABLE)


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_all_48_orientations_are_the_identity(tmp_path: Path, axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[:, list(axes)] * signs) * (0.7, 1.3, 4.0)
    affine[:3, 3] = (11, -7, 3)
    mask = make(affine)
    write_nifti(mask, tmp_path / "m.nii.gz", read_back)
    image = nib.load(tmp_path / "m.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), mask.voxels)
    assert np.allclose(image.affine, affine, atol=1e-5)
    assert image.header["qform_code"] == image.header["sform_code"] == 1
    assert image.get_data_dtype() == np.uint8


def test_a_sheared_grid_sets_the_sform_only(tmp_path: Path) -> None:
    affine = np.array([[1, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])
    write_nifti(make(affine), tmp_path / "m.nii.gz", read_back)
    header = nib.load(tmp_path / "m.nii.gz").header
    assert (header["sform_code"], header["qform_code"]) == (1, 0)
    assert np.allclose(header.get_sform(), affine)


@pytest.mark.parametrize("shear", [2e-4, 2e-3])
def test_a_little_shear_is_opened_by_itk_within_the_one_rule(tmp_path: Path, shear: float) -> None:
    """As an image whose sform is sheared beside an orthonormal qform, which ITK opens by the latter."""
    affine = np.array([[0.8, 0, 0, -40], [0, 0.8, shear * 3, 20], [0, 0, 3, 10], [0, 0, 0, 1.0]])
    mask = Mask("classes", np.ones((60, 50, 40), np.uint8), Grid((60, 50, 40), affine), TABLE)
    write_nifti(mask, tmp_path / "m.nii.gz", read_back)
    header = nib.load(tmp_path / "m.nii.gz").header
    assert np.allclose(header.get_sform(), affine)
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    opened = sitk.ReadImage(str(tmp_path / "m.nii.gz"))
    corner = (59, 49, 39)
    place = np.array(opened.TransformContinuousIndexToPhysicalPoint(corner)) * (-1, -1, 1)
    assert np.linalg.norm(place - mask.grid.to_world([corner])[0]) <= 0.2
    assert np.allclose(read_volume(tmp_path / "m.nii.gz").grid.affine, affine)


def test_what_reads_back_otherwise_is_not_left_behind(tmp_path: Path) -> None:
    mask = make(np.eye(4))
    other = make(np.diag([1, 1, 2, 1.0]))
    with (
        pytest.raises(ResourceError, match="differs from what was written"),
        whole_file(tmp_path / "m.nii.gz") as part,
    ):
        write_nifti(mask, part, lambda *_: other)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("components", [1, 3])
def test_an_image_comes_back_in_its_type(tmp_path: Path, dtype: type, components: int) -> None:
    voxels = np.random.default_rng(0).integers(0, 99, (components, 5, 4, 3)).astype(dtype)
    grid = Grid((5, 4, 3), np.array([[1, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]]))
    read: list[np.dtype] = []

    def read_image(path: Path) -> tuple[np.ndarray, Grid]:
        volume = read_volume(path)
        read.append(volume.voxels.dtype)
        return volume.voxels, volume.grid

    write_image(voxels, grid, tmp_path / "i.nii.gz", read_image)
    assert read == [dtype]
    with pytest.raises(ResourceError, match="differs from what was written"):
        write_image(voxels, grid, tmp_path / "i.nii.gz", lambda _: (voxels + 1, grid))
