"""Write small cohorts of NIfTI files or pictures whose labels shine."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

SPACING = (3.0, 3.0, 4.0)


def write_cohort(
    folder: Path,
    labels: Sequence[str] = ("organ 1",),
    channels: Sequence[str] = ("ct",),
    modality: str = "CT",
    patients: str = "abcd",
    shape: tuple[int, int, int] = (28, 26, 20),
) -> Path:
    """A cohort.json with a case for each patient, two folds; each label is a box in every channel."""
    folder.mkdir(parents=True)
    random, cases = np.random.default_rng(len(patients)), []
    affine = np.diag([-SPACING[0], SPACING[1], SPACING[2], 1.0])
    for name in patients:
        truth = np.zeros(shape, np.uint8)
        for value in range(1, len(labels) + 1):
            i, j, k = (int(random.integers(0, size - 8)) for size in shape)
            truth[i : i + 7, j : j + 7, k : k + 6] = value
        files = {}
        for channel in channels:
            voxels = random.normal(-80, 30, shape) + 250 * (truth > 0) + 20 * truth
            files[channel] = folder / f"{name}_{channel}.nii.gz"
            _save(files[channel], voxels.astype(np.int16), affine)
        _save(folder / f"{name}_label.nii.gz", truth, affine)
        images = {channel: {"path": path.name} for channel, path in files.items()}
        cases.append({"id": name, "patient": name, "channels": images, "label": {"path": f"{name}_label.nii.gz"}})
    half = len(patients) // 2
    written = {
        "channels": list(channels),
        "modalities": dict.fromkeys(channels, modality),
        "labels": list(labels),
        "cases": cases,
        "folds": [list(patients[:half]), list(patients[half:])],
    }
    (folder / "cohort.json").write_text(json.dumps(written))
    return folder / "cohort.json"


def _save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> None:
    image = nib.Nifti1Image(voxels, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, path)


def write_pictures(folder: Path, patients: str = "abcd", size: tuple[int, int] = (60, 44)) -> Path:
    """A folder of colour pictures and their label maps, with a bright disc in each."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    random = np.random.default_rng(3)
    for name in patients:
        rows, columns = np.indices(size[::-1])
        truth = np.hypot(rows - random.integers(12, 30), columns - random.integers(14, 44)) < 9
        picture = random.integers(0, 60, (*size[::-1], 3)) + 150 * truth[..., None]
        Image.fromarray(picture.astype(np.uint8)).save(folder / "images" / f"{name}.png")
        Image.fromarray(truth.astype(np.uint8)).save(folder / "labels" / f"{name}.png")
    return folder


def draw_neck(folder: Path, name: str, contoured: list[str]) -> None:
    """Two organs in noise, of which some are drawn."""
    rng = np.random.default_rng(len(name) + sum(map(ord, name)))
    values = rng.normal(0, 20, (24, 24, 12)).astype(np.int16)
    labels = np.zeros(values.shape, np.uint8)
    for value, (organ, start) in enumerate((("cord", 4), ("larynx", 14)), 1):
        place = (slice(start, start + 6), slice(8, 14), slice(3, 9))
        values[place] += 200 * value
        if organ in contoured:
            labels[place] = value
    for part, voxels in (("images", values), ("labels", labels)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(voxels, np.diag([2.0, 2.0, 3.0, 1.0]))
        nib.save(image, folder / part / f"{name}.nii.gz")
