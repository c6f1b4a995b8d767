"""Pixel padding: values that mark what was never scanned (DICOM PS3.3 C.7.5.1.1.2)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.findings import Note


def find_padding(dataset: Any, pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_] | None:
    """Where stored values are padding; None where the header declares none.

    Args:
        dataset: the image.
        pixels: stored values (J, I).
    """
    try:
        ends = [int(dataset.get(name)) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit") if name in dataset]
    except (TypeError, ValueError):
        return None
    if not ends:
        return None
    if dataset.get("PixelRepresentation") == 1:
        ends = [end - 2**16 if end >= 2**15 else end for end in ends]  # written as if unsigned
    padding: npt.NDArray[np.bool_] = (pixels >= min(ends)) & (pixels <= max(ends))  # type: ignore[operator]
    return padding


def note_padding(dataset: Any, padding: npt.NDArray[np.bool_] | None) -> tuple[Note, ...]:
    """A note where an image holds padding."""
    if padding is None or not padding.any():
        return ()
    value = dataset.get("PixelPaddingValue")
    return (Note("padding-kept", f"pixels of the stored value {value} are padding, which is kept"),)
