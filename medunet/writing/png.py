"""Write pictures and masks of pictures as PNG."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medunet.errors import ResourceError
from medunet.labels import Mask
from medunet.reading import read_mask
from medunet.writing.interface import Format, Result, check_nothing

DIFFERENT = ("what was read back differs from what was written", "check the disk")


def write_grey(
    pixels: npt.NDArray[np.generic], path: Path, read_back: Callable[[Path], npt.NDArray[np.generic]]
) -> None:
    """Write a grey picture as PNG of 8 or 16 bits.

    Args:
        pixels: (I, J, 1) uint8 or uint16: i counts columns, j rows.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        read_back: reads the pixels of the written file.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    Image.fromarray(np.ascontiguousarray(pixels[:, :, 0].T)).save(path, format="PNG")
    if not np.array_equal(read_back(path), pixels):
        raise ResourceError(path, *DIFFERENT, code="output-differs")


def write_colour(
    voxels: npt.NDArray[np.generic], path: Path, read_back: Callable[[Path], npt.NDArray[np.generic]]
) -> None:
    """Write a colour picture as PNG of 8 bits a colour.

    Args:
        voxels: (3, I, J, 1) uint8, red, green and blue: i counts columns, j rows.
        path: as of `write_grey`.
        read_back: reads the voxels of the written file.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    Image.fromarray(np.ascontiguousarray(voxels[..., 0].transpose(2, 1, 0))).save(path, format="PNG")
    if not np.array_equal(read_back(path), voxels):
        raise ResourceError(path, *DIFFERENT, code="output-differs")


def write_picture(mask: Mask, path: Path, read_back: Callable[[Path, Mask], Mask]) -> None:
    """Write a mask of one slice as a grey PNG: its label values in 8 bits, or 16 where one needs them or for objects.

    Args:
        mask: what to write, (I, J, 1).
        path: as of `write_grey`.
        read_back: reads the written file, given the mask for its grid and table.

    Raises:
        ResourceError: the disk is full, what was read back differs, or the objects are more than PNG can number.
    """
    pixels = mask.pack_voxels()
    if pixels.dtype.itemsize > 2:
        found = f"it would number {pixels.max()} objects"
        raise ResourceError(path, found, "predict parts of the picture", "65535", code="format-unfit")
    write_grey(pixels, path, lambda part: read_back(part, mask).voxels)


def _write(result: Result, path: Path) -> None:
    write_picture(result.mask, path, lambda part, mask: read_mask(part, mask.grid, mask.table))


FORMAT = Format(name="png", ending=".png", unit="px", check=check_nothing, write=_write, read=read_mask)
