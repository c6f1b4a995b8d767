"""Write the probabilities of a prediction as one NIfTI: a map of each output, 8 bits a voxel, on the grid of the mask.

NIfTI has no 16-bit floats. 255 steps of which all classes together have exactly 255 sum to 1 and keep the order of the
two most likely classes, which is what a mask is made of.
"""

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from medunet.errors import ResourceError
from medunet.geometry import Grid
from medunet.writing.interface import Format, Probabilities, Result, check_nothing
from medunet.writing.nifti import COMMENT, DIFFERENT

STEPS = 255
"""Of a probability of 1."""
PIECE = 2**24
"""Bytes that are compressed, and compared, at once."""


def write_probabilities(probabilities: Probabilities, grid: Grid, path: Path) -> None:
    """Write maps (I, J, K, outputs) as compressed NIfTI-1: uint8 that are scaled by 1/255; names in its header as JSON.

    A picture, which has no place in millimetres, is written as one slice of pixels of size 1.

    Args:
        probabilities: may lie in a file: a few planes of a map are in memory at a time.
        grid: where they lie.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    header = _make_header(probabilities, grid)
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as stream:
        stream.write(header)
        for piece in cut_planes(probabilities.maps):
            stream.write(piece)
    with gzip.open(path) as stream:
        same = stream.read(len(header)) == header
        same = same and all(stream.read(len(piece)) == piece for piece in cut_planes(probabilities.maps))
        if not same or stream.read(1):
            raise ResourceError(path, *DIFFERENT, code="output-differs")


def cut_planes(maps: Any) -> Iterator[bytes]:
    """All voxels of maps (outputs, I, J, K), i fastest and outputs slowest, a few planes k at a time."""
    planes = max(1, PIECE // (maps.shape[1] * maps.shape[2]))
    for one in maps:
        for start in range(0, one.shape[2], planes):
            yield np.ascontiguousarray(one[:, :, start : start + planes].T).tobytes()


def _make_header(probabilities: Probabilities, grid: Grid) -> bytes:
    """The head of the file, up to its voxels."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((*grid.shape, len(probabilities.maps)))
    header.set_xyzt_units("mm" if grid.unit == "mm" else "unknown")
    header.set_sform(grid.affine, code=1)
    header.set_qform(grid.affine if grid.is_orthogonal() else None, code=int(grid.is_orthogonal()))
    header.set_slope_inter(1 / STEPS, 0)
    said = {"probabilities": list(probabilities.names), "exclusive": probabilities.exclusive}
    header.extensions.append(nib.nifti1.Nifti1Extension(COMMENT, json.dumps(said).encode()))
    offset = header.single_vox_offset + header.extensions.get_sizeondisk()
    header.set_data_offset(offset)
    stream = io.BytesIO()
    header.write_to(stream)
    return bytes(stream.getvalue()).ljust(offset, b"\0")


def _write(result: Result, path: Path) -> None:
    if result.probabilities is None:
        raise ValueError("nobody kept the probabilities of this mask")
    write_probabilities(result.probabilities, result.mask.grid, path)


FORMAT = Format(
    name="probabilities",
    ending=".probabilities.nii.gz",
    unit=None,
    check=check_nothing,
    write=_write,
    read=None,
    likely=True,
)
