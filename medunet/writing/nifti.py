"""Write a mask as NIfTI."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from medunet.errors import ResourceError
from medunet.geometry import RECORDED_MM, measure_displacement
from medunet.labels import Mask

COMMENT = 6
"""NIfTI-1 extension code of free text: it carries the label table as JSON."""


def write_nifti(mask: Mask, path: Path, read_back: Callable[[Path, Mask], Mask]) -> None:
    """Write a mask as compressed NIfTI-1, uint8 or uint16, with its label table as a header extension.

    The sform holds the affine exactly; the qform too where the axes are orthogonal, else it is left unset.

    Args:
        mask: what to write.
        path: ends with `.nii.gz`; the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        read_back: reads the written file, given the mask for its grid and table.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    dtype = np.uint8 if len(mask.table.labels) < 256 else np.uint16
    image = nib.Nifti1Image(mask.voxels.astype(dtype), mask.grid.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(mask.grid.affine, code=1)
    directions = mask.grid.affine[:3, :3] / np.linalg.norm(mask.grid.affine[:3, :3], axis=0)
    orthogonal = np.allclose(directions.T @ directions, np.eye(3), atol=1e-5)
    image.set_qform(mask.grid.affine if orthogonal else None, code=1 if orthogonal else 0)
    table = mask.table.model_dump_json(exclude_none=True)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(COMMENT, table.encode()))
    nib.save(image, path)
    again = read_back(path, mask)
    if not np.array_equal(again.voxels, mask.voxels) or measure_displacement(again.grid, mask.grid) > RECORDED_MM:
        raise ResourceError(path, "what was read back differs from what was written", "check the disk")
