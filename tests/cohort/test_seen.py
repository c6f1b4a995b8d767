from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import make_grid, write_series

import medunet
from medunet.cohort import hash_image, salt_hashes


def hash_file(path: Path) -> str:
    volume = medunet.read_volume(path)
    return hash_image(volume.voxels, volume.grid.affine)


@pytest.mark.parametrize("plane", ["axial", "sagittal", "coronal", "oblique"])
def test_a_series_and_its_nifti_in_any_order_of_axes_agree(tmp_path: Path, plane: str) -> None:
    write_series(tmp_path / "ct", make_grid(plane))
    medunet.read_volume(tmp_path / "ct").save(tmp_path / "ct.nii.gz")
    wanted = hash_file(tmp_path / "ct")
    assert hash_file(tmp_path / "ct.nii.gz") == wanted
    image = nib.load(tmp_path / "ct.nii.gz")
    for axes in ("RAS", "LPS", "SLA", "PIR"):
        codes = nib.orientations.axcodes2ornt(axes)
        turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), codes)
        turned = image.as_reoriented(turn)
        floats = nib.Nifti1Image(np.asarray(turned.dataobj).astype(np.float32), turned.affine)
        floats.set_sform(turned.affine, 1)
        floats.set_qform(turned.affine, 1)
        nib.save(floats, tmp_path / f"{axes}.nii")
        assert hash_file(tmp_path / f"{axes}.nii") == wanted


def test_other_voxels_spacings_and_sides_differ(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(-1000, 1000, (1, 7, 6, 5)).astype(np.int16)
    affine = np.diag([0.9765625, 0.625, 2.5, 1.0])
    found = {hash_image(voxels, affine), hash_image(voxels + 1, affine), hash_image(voxels[:, ::-1], affine)}
    found |= {hash_image(voxels, np.diag([0.9765625, 0.625, 3.0, 1.0])), hash_image(voxels[:, :-1], affine)}
    assert len(found) == 5
    moved = affine.copy()
    moved[:3, 3] = 100
    rounded = affine.astype(np.float32).astype(float) * (1 + 1e-6)
    assert hash_image(voxels, affine) == hash_image(voxels, moved) == hash_image(voxels, rounded)
    zero = np.zeros((1, 2, 2, 2), np.float32)
    assert hash_image(zero, affine) == hash_image(-zero, affine)
    picture = np.ones((3, 5, 4), np.uint8)
    assert hash_image(picture, np.eye(4)) == hash_image(picture[..., None], np.eye(4))


def test_salted_hashes_tell_neither_order_nor_image() -> None:
    first, second = salt_hashes(["a", "b", "a"], "1"), salt_hashes(["b", "a"], "1")
    assert first == second
    assert len(first) == 2
    assert not set(first) & set(salt_hashes(["a", "b"], "2"))
