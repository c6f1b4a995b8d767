"""Save volumes and masks as files of their own: what `Volume.save` and `Mask.save` do.

It reads back what it writes, so it knows both readers and writers. Volumes and masks lie below these and import it
when they are saved; no other import points down like that.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medunet.errors import InputError
from medunet.files import check_free, whole_file
from medunet.geometry import Grid, Unit
from medunet.labels import Mask
from medunet.reading import Volume, read_mask, read_volume
from medunet.reading.files.values import check_values
from medunet.writing import write_colour, write_grey, write_image, write_nifti, write_picture

NIFTI, PNG, DICOM = (".nii.gz", ".nii"), (".png",), (".dcm", ".seg", ".ima")
"""How names of files end."""
GREYS = (np.dtype(np.uint8), np.dtype(np.uint16))
"""Types of the pixels of a PNG."""


def save_volume(volume: Volume, path: Path, *, overwrite: bool = False) -> Path:
    """Write a volume as NIfTI, or a picture as PNG; arguments, result and errors as of `Volume.save`.

    Floats are written in 32 bits, as they are read; everything else in its own type.
    """
    _check_path(path, volume.grid.unit, overwrite, "DICOM needs the headers of a patient and a study")
    voxels = check_values(volume.voxels.astype(np.uint8) if volume.voxels.dtype == bool else volume.voxels, path)
    with whole_file(path) as part:
        if volume.grid.unit == "px":
            _write_pixels(voxels, part, path)
        else:
            write_image(voxels, volume.grid, part, _read_image)
    return path


def save_mask(mask: Mask, path: Path, *, overwrite: bool = False) -> Path:
    """Write a mask as NIfTI, or as PNG of a picture; arguments, result and errors as of `Mask.save`."""
    _check_path(path, mask.grid.unit, overwrite, "a DICOM SEG refers to the series it was made from, see predict")
    write = write_picture if mask.grid.unit == "px" else write_nifti
    with whole_file(path) as part:
        write(mask, part, lambda written, _: read_mask(written, mask.grid, mask.table))
    return path


def _check_path(path: Path, unit: Unit, overwrite: bool, no_dicom: str) -> None:
    wanted = PNG if unit == "px" else NIFTI
    name = path.name.lower()
    if not name.endswith(wanted):
        found = f"what lies on a grid in {unit} isn't written so" if name.endswith(NIFTI + PNG) else "it ends otherwise"
        if name.endswith(DICOM):
            found = no_dicom
        raise InputError(path, found, f"let its name end with {' or '.join(wanted)}")
    if not overwrite:
        check_free(path)


def _write_pixels(voxels: npt.NDArray[np.generic], part: Path, path: Path) -> None:
    if len(voxels) not in (1, 3) or voxels.dtype not in GREYS[: 2 if len(voxels) == 1 else 1]:
        raise InputError(
            path,
            f"it would hold {len(voxels)} components of {voxels.dtype} a pixel",
            "convert them",
            "one of uint8 or uint16, or three of uint8",
        )
    if len(voxels) == 1:
        write_grey(voxels[0], part, lambda written: read_volume(written).voxels[0])
    else:
        write_colour(voxels, part, lambda written: read_volume(written).voxels)


def _read_image(path: Path) -> tuple[npt.NDArray[np.generic], Grid]:
    volume = read_volume(path)
    return volume.voxels, volume.grid
