"""Bits of pixels: of those that a number takes in its file or codestream, the header says which count.

The lowest Bits Stored of a number are its value, and Pixel Representation says whether they have a sign, whatever
higher bits hold (DICOM PS3.5 8.1.1); that is so for compressed pixels too, whose codestreams may have more bits and,
but for JPEG 2000, know of no sign.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.errors import SeriesError
from medunet.reading.dicom.codestreams import Frame

Array = npt.NDArray[np.generic]


def keep_lowest(values: Array, bits: int) -> Array:
    """Clear the higher bits of whole numbers in place, or fill them with the sign of signed ones.

    Args:
        values: of native byte order.
        bits: that are kept, the lowest ones.
    """
    unused = 8 * values.dtype.itemsize - bits
    if unused:
        np.left_shift(values, unused, out=values)
        np.right_shift(values, unused, out=values)
    return values


def take_decoded(decoded: Array, frame: Frame, bits: int, kind: np.dtype[Any], subject: str) -> Array:
    """Stored values of what a codestream decodes to.

    Args:
        decoded: its own numbers, negative ones only where it says that it is signed.
        frame: what it says of itself.
        bits: Bits Stored of the header.
        kind: of the values by the header.
        subject: the file, and the frame in it, for messages.

    Raises:
        SeriesError: header and codestream contradict each other about the sign of a value that is there.
    """
    signed, low, high = kind.kind == "i", int(decoded.min()), int(decoded.max())
    if low < 0 and not signed:
        found = f"its compressed pixels are signed, down to {low}, but its Pixel Representation is 0"
        raise SeriesError(subject, found, "correct Pixel Representation in its header", "1", code="sign-wrong")
    if signed and not frame.signed and frame.bits < bits and high >> (frame.bits - 1):
        found = f"its compressed pixels have {frame.bits} bits, of which the highest is a sign or not: its header has"
        found += f" signed values of {bits} Bits Stored"
        raise SeriesError(subject, found, "correct Bits Stored in its header", str(frame.bits), code="sign-wrong")
    if frame.lossy:
        # A value beyond what the header allows is an overshoot of the compression: its lowest bits would be nonsense.
        reach = 1 << (bits - frame.signed)
        decoded = np.clip(decoded, -reach if frame.signed else 0, reach - 1)
    return keep_lowest(decoded.astype(kind), bits)
