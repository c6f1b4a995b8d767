"""A cohort of PET and CT whose hot spots are known."""

from pathlib import Path

import nibabel as nib
import numpy as np

from medunet.cohort import Case, Channel, Cohort, LabelSource
from medunet.labels import LabelTable

FINE = np.diag([1.0, 1.0, 2.0, 1.0])
COARSE = np.array([[2.0, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 4, 1], [0, 0, 0, 1]])
"""Voxels of twice the size; the centre of the first lies amid the first eight of the fine grid."""


def write_pet_ct(folder: Path) -> Cohort:
    """Two patients with a PET hot spot that the CT doesn't show, and one without."""
    cases = []
    for number in range(3):
        name = f"P{number}"
        truth = np.zeros((20, 16, 12), dtype=np.uint8)
        if number < 2:
            truth[4 + 4 * number : 12 + 4 * number, 4:12, 4:8] = 1
        hot = truth.reshape(10, 2, 8, 2, 6, 2).mean(axis=(1, 3, 5)) * 5 + 0.5
        ct = np.random.default_rng(number).normal(40, 10, truth.shape)
        for kind, voxels, affine in (("ct", ct, FINE), ("pet", hot, COARSE), ("label", truth, FINE)):
            dtype = np.uint8 if kind == "label" else np.float32
            nib.save(nib.Nifti1Image(voxels.astype(dtype), affine), folder / f"{name}_{kind}.nii.gz")
        channels = {kind: Channel(path=str(folder / f"{name}_{kind}.nii.gz")) for kind in ("ct", "pet")}
        label = LabelSource(path=str(folder / f"{name}_label.nii.gz"))
        cases.append(Case(id=name, patient=name, channels=channels, label=label))
    modalities = {"ct": "CT", "pet": "PT"}
    labels = LabelTable.from_names(["lesion"])
    return Cohort(channels=("ct", "pet"), modalities=modalities, labels=labels, cases=tuple(cases))
