"""Write images and masks as NIfTI.

The sform holds the affine exactly; the qform too where the axes are orthogonal. Where they are nearly so it holds the
nearest orthogonal grid, which ITK reads then, since it opens no other; where that lies elsewhere it is left unset.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from medunet.errors import ResourceError
from medunet.geometry import Grid, measure_displacement
from medunet.labels import Mask
from medunet.large_parts import are_equal, copy_boxes
from medunet.reading import find_image, read_image, read_mask
from medunet.scratch import IN_MEMORY, Room
from medunet.writing.interface import Format, Result, check_nothing

LOGGER = logging.getLogger(__name__)
COMMENT = 6
"""NIfTI-1 extension code of free text: it carries the label table as JSON."""
PIECE = 1 << 22
"""Voxels that are brought to another order at once."""
DIFFERENT = ("what was read back differs from what was written", "check the disk")


def write_image(
    voxels: npt.NDArray[np.generic],
    grid: Grid,
    path: Path,
    read_back: Callable[[Path], tuple[npt.NDArray[np.generic], Grid]],
) -> None:
    """Write an image as compressed NIfTI-1, in the type of its voxels.

    Args:
        voxels: (C, I, J, K); several components make a 4-D file.
        grid: where they lie.
        path: as of `write_nifti`.
        read_back: reads the voxels, of that form, and the grid of the written file.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    nib.save(_make_image(np.moveaxis(voxels, 0, 3) if len(voxels) > 1 else voxels[0], grid), path)
    again, place = read_back(path)
    if not np.array_equal(again, voxels) or measure_displacement(place, grid) > grid.limits.recorded:
        raise ResourceError(path, *DIFFERENT, code="output-differs")


def write_nifti(mask: Mask, path: Path, read_back: Callable[[Path, Mask], Mask], room: Room = IN_MEMORY) -> None:
    """Write a mask as compressed NIfTI-1, uint8, uint16 or uint32, with its label table as a header extension.

    Args:
        mask: what to write.
        path: ends with `.nii.gz`; the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        read_back: reads the written file, given the mask for its grid and table.
        room: where a copy lies in the order of the file.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    image = _make_image(_lay_slices(mask.pack_voxels(), room), mask.grid)
    table = mask.table.model_dump_json(exclude_none=True)
    image.header.extensions.append(nib.nifti1.Nifti1Extension(COMMENT, table.encode()))
    nib.save(image, path)
    again = read_back(path, mask)
    if (
        not are_equal(again.voxels, mask.voxels, room)
        or measure_displacement(again.grid, mask.grid) > mask.grid.limits.recorded
    ):
        raise ResourceError(path, *DIFFERENT, code="output-differs")


def _make_image(voxels: npt.NDArray[np.generic], grid: Grid) -> Any:
    image = nib.Nifti1Image(voxels, grid.affine, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(grid.affine, code=1)
    straight = grid if grid.is_orthogonal() else grid.straighten()
    distance = measure_displacement(straight, grid)
    kept = distance <= grid.limits.recorded
    image.set_qform(straight.affine if kept else None, code=int(kept))
    if straight is not grid and kept:
        LOGGER.info("axes are sheared by a little: the sform keeps that, the qform lies up to %.2g mm off", distance)
    return image


def _write(result: Result, path: Path) -> None:
    room = result.room
    if room is None:
        write_nifti(result.mask, path, lambda part, mask: read_mask(part, mask.grid, mask.table))
        return

    def read_back(part: Path, mask: Mask) -> Mask:
        volume = read_image(find_image(part), room)
        # Values of labels are known where all are those of the mask.
        return replace(mask, voxels=volume.voxels[0], grid=volume.grid)

    write_nifti(result.mask, path, read_back, room)


def _lay_slices(voxels: Any, room: Room) -> Any:
    """The same voxels (I, J, K) in the order of a NIfTI file, in which they are written."""
    laid = room.make(voxels.shape[::-1], voxels.dtype).T
    copy_boxes(voxels, laid, room)
    return laid


FORMAT = Format(name="nifti", ending=".nii.gz", unit="mm", check=check_nothing, write=_write, read=read_mask)
