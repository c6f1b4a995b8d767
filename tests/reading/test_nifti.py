from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from medunet.errors import GeometryError, InputError
from medunet.reading import read_volume

VOXELS = np.random.default_rng(0).normal(0, 100, (7, 6, 5)).astype(np.float32)
AFFINE = np.array([[0, -1.5, 0, 3], [2, 0, 0.1, -4], [0, 0.1, 3, 5], [0, 0, 0, 1.0]])


def save(path: Path, voxels: np.ndarray = VOXELS, sform: int = 1, qform: int = 0, affine: np.ndarray = AFFINE) -> Path:
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, sform)
    image.set_qform(np.diag([2.0, 2, 3, 1]), qform)
    image.header["sform_code"], image.header["qform_code"] = sform, qform
    nib.save(image, path)
    return path


def test_a_sheared_sform_is_exact(tmp_path: Path) -> None:
    volume = read_volume(save(tmp_path / "a.nii.gz"))
    assert np.array_equal(volume.voxels[0], VOXELS)
    assert np.allclose(volume.grid.affine, AFFINE, atol=1e-6)


def test_a_single_volume_in_four_axes_is_one_volume(tmp_path: Path) -> None:
    assert read_volume(save(tmp_path / "a.nii", VOXELS[..., None])).voxels.shape == (1, 7, 6, 5)


def test_volumes_of_one_file_are_components_and_a_time_series_is_refused(tmp_path: Path) -> None:
    volume = read_volume(save(tmp_path / "a.nii.gz", np.stack([VOXELS, -VOXELS], -1)))
    assert np.array_equal(volume.voxels, [VOXELS, -VOXELS])
    assert volume.grid.shape == VOXELS.shape
    with pytest.raises(InputError, match="not one volume"):
        read_volume(save(tmp_path / "b.nii", np.stack([VOXELS] * 40, -1)))


@pytest.mark.parametrize(
    ("sform", "qform", "words"), [(0, 0, "neither sform nor qform"), (1, 1, "qform and sform lie")]
)
def test_a_place_in_doubt_is_refused(tmp_path: Path, sform: int, qform: int, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        read_volume(save(tmp_path / "a.nii.gz", sform=sform, qform=qform))


def test_values_that_are_not_finite_are_counted(tmp_path: Path) -> None:
    voxels = VOXELS.copy()
    voxels[0, 0, :2] = np.nan, np.inf
    with pytest.raises(InputError, match="2 voxels are not finite"):
        read_volume(save(tmp_path / "a.nii", voxels))


@pytest.mark.parametrize("damage", ["cut", "crc"])
def test_a_damaged_gzip_is_refused(tmp_path: Path, damage: str) -> None:
    path = save(tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) * 2 // 3]
    else:
        content[-6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="compression is damaged"):
        read_volume(path)


def test_metres_become_millimetres_with_a_note(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii")
    image = nib.load(path)
    image.header.set_xyzt_units("meter")
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header), tmp_path / "b.nii")
    volume = read_volume(tmp_path / "b.nii")
    assert volume.grid.spacing[0] == pytest.approx(2000)
    assert "scaled to mm" in volume.source.notes[0]


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_itk_formats_lie_where_itk_says(tmp_path: Path, ending: str) -> None:
    image = SimpleITK.GetImageFromArray(VOXELS.transpose(2, 1, 0))
    image.SetSpacing((0.7, 1.1, 3.0))
    image.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))
    image.SetOrigin((5, -6, 7))
    SimpleITK.WriteImage(image, str(tmp_path / f"a.{ending}"))
    volume = read_volume(tmp_path / f"a.{ending}")
    assert np.array_equal(volume.voxels[0], VOXELS)
    world = image.TransformIndexToPhysicalPoint((2, 3, 4))
    assert np.allclose(volume.grid.to_world([[2, 3, 4]])[0] * (-1, -1, 1), world)


def test_a_header_that_takes_voxels_from_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mhd").write_text("ObjectType = Image\nNDims = 3\nElementDataFile = ../other.raw\n")
    with pytest.raises(InputError, match="takes its voxels from"):
        read_volume(tmp_path / "a.mhd")
