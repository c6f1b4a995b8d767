import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

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


def test_volumes_of_one_file_are_components_and_a_time_series_is_refused(tmp_path: Path) -> None:
    volume = read_volume(save(tmp_path / "a.nii.gz", np.stack([VOXELS, -VOXELS], -1)))
    assert np.array_equal(volume.voxels, [VOXELS, -VOXELS])
    assert volume.grid.shape == VOXELS.shape
    with pytest.raises(InputError, match="not one volume"):
        read_volume(save(tmp_path / "b.nii", np.stack([VOXELS] * 40, -1)))


def test_values_that_are_not_finite_are_counted(tmp_path: Path) -> None:
    voxels = VOXELS.copy()
    voxels[0, 0, :2] = np.nan, np.inf
    with pytest.raises(InputError, match="2 voxels are not finite"):
        read_volume(save(tmp_path / "a.nii", voxels))


def test_forms_in_metres_are_compared_in_millimetres(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VOXELS, np.eye(4))
    image.header.set_xyzt_units("meter")
    moved = np.eye(4)
    moved[0, 3] = 0.001
    image.set_sform(np.eye(4), 1)
    image.set_qform(moved, 1)
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(GeometryError, match="lie 1 mm apart"):
        read_volume(tmp_path / "a.nii")


def test_nifti_2_and_big_endian_are_exact(tmp_path: Path) -> None:
    second = nib.Nifti2Image(VOXELS, AFFINE)
    second.header.set_xyzt_units("mm")
    nib.save(second, tmp_path / "a.nii.gz")
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(VOXELS.astype(np.int16), AFFINE, header), tmp_path / "b.nii")
    for name, expected in (("a.nii.gz", VOXELS), ("b.nii", VOXELS.astype(np.int16))):
        volume = read_volume(tmp_path / name)
        assert np.array_equal(volume.voxels[0], expected)
        assert np.allclose(volume.grid.affine, AFFINE, atol=1e-6)


@pytest.mark.parametrize(
    ("start", "content", "words"),
    [
        (42, np.array([32767] * 3, np.int16).tobytes(), "expected 1407"),
        (108, np.float32(0).tobytes(), "within the header"),
        (344, b"xxx", "can't be read as NIfTI"),
    ],
)
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_a_header_that_lies_is_refused(tmp_path: Path, ending: str, start: int, content: bytes, words: str) -> None:
    path = save(tmp_path / f"a.{ending}")
    whole = bytearray(gzip.decompress(path.read_bytes()) if ending == "nii.gz" else path.read_bytes())
    whole[start : start + len(content)] = content
    path.write_bytes(gzip.compress(whole) if ending == "nii.gz" else whole)
    with pytest.raises(InputError, match=words):
        read_volume(path)


def test_colours_and_complex_numbers_are_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(VOXELS.astype(np.complex64), AFFINE), tmp_path / "a.nii")
    with pytest.raises(InputError, match="not single numbers"):
        read_volume(tmp_path / "a.nii")
    colours = np.zeros((3, 4, 5), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    nib.save(nib.Nifti1Image(colours, AFFINE), tmp_path / "b.nii")
    with pytest.raises(InputError, match="not single numbers"):
        read_volume(tmp_path / "b.nii")
