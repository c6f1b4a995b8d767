from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from dicoms import make_grid, write_series

from medunet.errors import InputError
from medunet.preparation import foresee_chain, run_chain, stream_chain, streaming
from medunet.reading import Image, find_image, measure_image
from medunet.scratch import Scratch

Steps = list[dict[str, Any]]


def write_nifti(path: Path, orientation: str, shape: tuple[int, int, int], dtype: type = np.int16) -> Image:
    grid = make_grid(orientation, shape)
    values = np.random.default_rng(len(shape)).normal(100, 400, shape).astype(dtype)
    image = nib.Nifti1Image(values, grid.affine)
    image.set_sform(grid.affine, 1)
    image.set_qform(None, 0)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return find_image(path)


def make_steps(keys: list[str], pixdim: tuple[float, ...], *scales: str) -> Steps:
    first, *others = keys
    steps: Steps = [
        *({"_target_": name, "keys": keys} for name in ("LoadImaged", "EnsureChannelFirstd")),
        {"_target_": "Orientationd", "keys": [first], "axcodes": "RAS", "labels": [["L", "R"], ["P", "A"], ["I", "S"]]},
        {"_target_": "Spacingd", "keys": [first], "pixdim": list(pixdim), "mode": "bilinear"},
        *({"_target_": "ResampleToMatchd", "keys": [key], "key_dst": first, "mode": "bilinear"} for key in others),
    ]
    ranged = {"_target_": "ScaleIntensityRanged", "a_min": -100.0, "a_max": 300.0, "b_min": -1.3, "b_max": 1.7}
    each = {"_target_": "NormalizeIntensityd", "channel_wise": True}
    for key, how in zip(keys, scales, strict=True):
        steps.append({**(each if how == "each" else {**ranged, "clip": True}), "keys": [key]})
    if others:
        steps.append({"_target_": "ConcatItemsd", "keys": keys, "name": "image"})
    return [*steps, {"_target_": "EnsureTyped", "keys": ["image"], "dtype": "float32"}]


def check_equal(steps: Steps, images: dict[str, Image], folder: Path) -> None:
    whole = run_chain(steps, images)
    with Scratch(folder) as room:
        streamed = stream_chain(steps, images, room)
        foreseen = foresee_chain(steps, {key: measure_image(image) for key, image in images.items()})
        read = sum(volume.voxels.nbytes for volume in streamed.meta["volumes"].values())
        assert torch.equal(streamed.as_tensor(), whole.as_tensor())
        assert torch.equal(streamed.affine, whole.affine)
        for key in ("original_affine", "spatial_shape", "notes"):
            assert np.array_equal(streamed.meta[key], whole.meta[key])
        assert foreseen.tail or foreseen.shape == tuple(whole.shape)
        assert foreseen.tail or np.array_equal(foreseen.affine, whole.affine.numpy())
        assert foreseen.scratch_bytes == room.size - read


@pytest.fixture(autouse=True, params=[30_000, 2_000_000])
def _small_boxes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BOX_BYTES", request.param)


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "oblique"])
@pytest.mark.parametrize("scale", ["range", "each"])
def test_a_series_is_prepared_to_the_last_bit(tmp_path: Path, orientation: str, scale: str) -> None:
    write_series(tmp_path / "ct", make_grid(orientation, (30, 26, 9)))
    check_equal(make_steps(["image"], (1.5, 1.5, 2.0), scale), {"image": find_image(tmp_path / "ct")}, tmp_path)


@pytest.mark.parametrize(("dtype", "pixdim"), [(np.int16, (1.0, 1.2, 2.0)), (np.float32, (1.1, 1.1, 0.0))])
def test_compressed_nifti_is_prepared_to_the_last_bit(tmp_path: Path, dtype: type, pixdim: tuple[float, ...]) -> None:
    image = write_nifti(tmp_path / "scan.nii.gz", "oblique", (25, 31, 12), dtype)
    check_equal(make_steps(["image"], pixdim, "range"), {"image": image}, tmp_path / "scratch")


@pytest.mark.parametrize("other", ["axial", "oblique"])
def test_channels_meet_to_the_last_bit(tmp_path: Path, other: str) -> None:
    write_series(tmp_path / "ct", make_grid("axial", (24, 20, 10)))
    pet = write_nifti(tmp_path / "pet.nii.gz", other, (15, 14, 9), np.float32)
    images = {"ct": find_image(tmp_path / "ct"), "pet": pet}
    check_equal(make_steps(["ct", "pet"], (1.5, 1.5, 2.5), "range", "each"), images, tmp_path / "scratch")


def test_an_image_that_keeps_its_grid_is_turned_only(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", make_grid("sagittal", (14, 11, 7)))
    check_equal(make_steps(["image"], (0.0, 0.0, 0.0), "each"), {"image": find_image(tmp_path / "ct")}, tmp_path)


def test_steps_that_do_not_stream_run_at_the_end(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "scan.nii.gz", "axial", (25, 31, 12))
    crop = {"_target_": "CropForegroundd", "keys": ["image"], "source_key": "image"}
    steps = [*make_steps(["image"], (1.0, 1.0, 2.0), "range"), crop]
    check_equal(steps, {"image": image}, tmp_path / "scratch")
    foreseen = foresee_chain(steps, {"image": measure_image(image)})
    assert foreseen.tail == ("CropForegroundd",)
    assert foreseen.tail_bytes > 4 * np.prod(foreseen.shape)


def test_a_refusal_keeps_its_sentence(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "scan.nii.gz", "axial", (9, 8, 7))
    content = bytearray((tmp_path / "scan.nii.gz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "scan.nii.gz").write_bytes(content)
    with Scratch(tmp_path / "scratch") as room, pytest.raises(InputError, match="compression is damaged"):
        stream_chain(make_steps(["image"], (1.0, 1.0, 1.0), "range"), {"image": image}, room)
    assert list((tmp_path / "scratch").iterdir()) == [] if (tmp_path / "scratch").exists() else True
