"""Partial labels: which labels of a case nobody looked for, as numbers that travel with its label map.

Voxels of such a label are among those of the background, so a label map alone can't say so. Where some cases are
partial, label maps of patches have further channels, of one value each: a bit for each of 16 labels, since float32
holds such numbers exactly, and neither a crop nor a flip nor the nearest voxel of a coarser level changes them.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

BITS = 16
"""Labels whose bits are in one number."""


def count_codes(unknown: Iterable[Iterable[int]]) -> int:
    """Numbers that the unknown labels of all cases take; 0 where every label of every case is known."""
    return -(-max((value for values in unknown for value in values), default=0) // BITS)


def pack_unknown(unknown: Iterable[int], count: int) -> npt.NDArray[np.float32]:
    """The values of labels that are unknown as numbers, (count,).

    Example:
        >>> pack_unknown([1, 3, 17], 2).tolist()
        [5.0, 1.0]
    """
    codes = np.zeros(count, np.int64)
    for value in unknown:
        codes[(value - 1) // BITS] |= 1 << (value - 1) % BITS
    return codes.astype(np.float32)
