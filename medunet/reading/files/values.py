"""Values of image files: single finite numbers, whatever library read them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medunet.errors import InputError
from medunet.findings import Note
from medunet.geometry import Grid

Read = tuple[npt.NDArray[np.generic], Grid, tuple[Note, ...]]


def check_values(voxels: npt.NDArray[np.generic], path: Path) -> npt.NDArray[np.generic]:
    """Single finite numbers, of 32 bits where they are floats."""
    if voxels.dtype.kind not in "iuf":
        found = f"its voxels are {voxels.dtype}, not single numbers"
        raise InputError(path, found, "give a grey image", code="not-an-image")
    if voxels.dtype.kind != "f":
        return voxels
    with np.errstate(over="ignore"):
        single = voxels.astype(np.float32, copy=False)
    count = int(single.size - np.count_nonzero(np.isfinite(single)))
    if count:
        raise InputError(path, f"{count} voxels are not finite", "replace them before use", code="values-not-finite")
    return single
