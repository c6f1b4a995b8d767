"""Write a mask of a picture as PNG."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from medunet.errors import ResourceError
from medunet.labels import Mask


def write_picture(mask: Mask, path: Path, read_back: Callable[[Path, Mask], Mask]) -> None:
    """Write a mask of one slice as a grey PNG of its label values, 8 bit, or 16 where a value needs them.

    Args:
        mask: what to write, (I, J, 1): i counts columns, j rows.
        path: the temporary name of `records.whole_file`, so that a wrong file never gets its own.
        read_back: reads the written file, given the mask for its grid and table.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    dtype = np.uint8 if len(mask.table.labels) < 256 else np.uint16
    rows = np.ascontiguousarray(mask.voxels[:, :, 0].T.astype(dtype))
    Image.fromarray(rows).save(path, format="PNG")
    if not np.array_equal(read_back(path, mask).voxels, mask.voxels):
        raise ResourceError(path, "what was read back differs from what was written", "check the disk")
