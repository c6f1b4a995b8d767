"""2D networks on sagittal and coronal volumes: slices of the fine plane, by medunet and by MONAI alone."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from plans import pin_schedule
from stock import in_float32, measure_dice, run_monai

import medunet

SHAPE = (10, 40, 44)
"""Voxels along x, y, z where slices are sagittal."""


def write_cohort(folder: Path, spacing: np.ndarray, count: int = 4) -> Path:
    """Bright cylinders that run through some slices, in volumes whose axes are stored in another order each."""
    across = int(spacing.argmax())
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        shape = np.roll(SHAPE, across)
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
        centre = np.array(shape) * rng.uniform(0.4, 0.6, 3)
        flat = [axis for axis in range(3) if axis != across]
        inside = np.linalg.norm((index - centre)[..., flat], axis=-1) < 9
        label = (inside & (np.abs(index[..., across] - centre[across]) < 3)).astype(np.uint8)
        voxels = (rng.normal(100, 20, shape) + 200 * label).astype(np.int16)
        order = np.random.default_rng(10 + number).permutation(3)
        affine = np.eye(4)
        affine[:3, :3] = np.diag(spacing)[:, order]
        for name, array in (("imagesTr", voxels), ("labelsTr", label)):
            ending = "_0000.nii.gz" if name == "imagesTr" else ".nii.gz"
            nib.save(nib.Nifti1Image(array.transpose(order), affine), folder / name / f"case_{number}{ending}")
    content = {"channel_names": {"0": "T2"}, "labels": {"background": 0, "rod": 1}, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("spacing", "axes", "plane"),
    [((3.3, 0.6, 0.6), "ASR", "sagittal"), pytest.param((0.6, 3.3, 0.6), "RSA", "coronal", marks=pytest.mark.slow)],
)
def test_slices_are_those_of_the_fine_plane(
    spacing: tuple[float, float, float], axes: str, plane: str, tmp_path: Path
) -> None:
    cohort = write_cohort(tmp_path / "cohort", np.array(spacing))
    plan = medunet.init(cohort, tmp_path / "bundle", dims=2, budget_minutes=0.02)
    assert plan.grid.axes == axes
    assert plan.grid.spacing_mm == pytest.approx((0.6, 0.6, 3.3))
    assert plan.reasons["axes"].startswith(f"slices are {plane}, 3.3 mm apart along ")
    assert plan.window.patch[2] == 1
    assert min(plan.window.patch[:2]) >= 32
    pin_schedule(tmp_path / "bundle", epochs=3, steps_per_epoch=10)
    medunet.train(tmp_path / "bundle")
    images = sorted((cohort / "imagesTr").iterdir())
    with in_float32():
        made = medunet.predict(tmp_path / "bundle", *images, output=tmp_path / "masks", backend="torch")
    config = tmp_path / "bundle" / "configs" / "inference.json"
    theirs = tmp_path / "theirs"
    arguments = ("--config_file", config, "--dataset_dir", cohort / "imagesTr", "--output_dir", theirs)
    run_monai("run", *arguments, cwd=tmp_path)
    for item, image in zip(made, images, strict=True):
        assert item.warnings == ()
        source = nib.load(image)
        ours = nib.load(item.path)
        other = nib.load(theirs / image.name.replace(".nii.gz", "_mask.nii.gz"))
        assert np.allclose(ours.affine, source.affine, atol=1e-5)
        truth = nib.load(cohort / "labelsTr" / image.name.replace("_0000", ""))
        first, second, right = (np.asarray(mask.dataobj) for mask in (ours, other, truth))
        assert first.shape == source.shape
        assert measure_dice(first, second) >= 0.999
        assert measure_dice(first, right) >= 0.8
