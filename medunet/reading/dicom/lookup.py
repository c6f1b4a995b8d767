"""Modality LUT: turn stored values into those of a table (DICOM PS3.3 C.11.1)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.errors import SeriesError

MODALITY_LUT = "ModalityLUTSequence"


def look_up(dataset: Any, pixels: npt.NDArray[np.generic], subject: str) -> npt.NDArray[np.uint16]:
    """Values of a Modality LUT for stored values; what lies below or above the table takes its first or last entry.

    Args:
        dataset: the image, with its LUT.
        pixels: stored values (J, I).
        subject: the file, for messages.

    Returns:
        (J, I) uint16.

    Raises:
        SeriesError: the table contradicts itself, or there is a rescale beside it.
    """
    item = (dataset.get(MODALITY_LUT) or [{}])[0]
    try:
        # pydicom turns bytes into numbers only now, and raises here.
        count, first, bits = (int(number) for number in item.get("LUTDescriptor") or ())
        table = _read_table(item.get("LUTData"), bits, dataset.original_encoding[1] is not False)
        rescale = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    except (TypeError, ValueError):
        raise SeriesError(
            subject, "its Modality LUT can't be read", "restore the header", code="rescale-wrong"
        ) from None
    if rescale != (1.0, 0.0):
        found = "it has a Modality LUT and a rescale, of which only one can hold"
        raise SeriesError(subject, found, "take one away", code="rescale-wrong")
    count = count or 2**16  # DICOM PS3.3 C.11.1.1.1
    if bits not in (8, 16) or len(table) != count or table.min() < 0 or table.max() >= 2**bits:
        found = f"its Modality LUT holds {len(table)} entries where {count} of {bits} bits are declared"
        raise SeriesError(subject, found, "restore the header", code="rescale-wrong")
    if dataset.get("PixelRepresentation") == 1 and first >= 2**15:
        first -= 2**16  # written as if unsigned
    index = np.clip(pixels.astype(np.int64) - first, 0, count - 1)
    values: npt.NDArray[np.uint16] = table.astype(np.uint16)[index]
    return values


def _read_table(data: Any, bits: int, little_endian: bool) -> npt.NDArray[np.int64]:
    """Entries, which are numbers (US) or bytes (OW) in the order of the file."""
    if not isinstance(data, bytes):
        return np.array(data, dtype=np.int64).ravel()
    kind = "u1" if bits == 8 else "<u2" if little_endian else ">u2"
    return np.frombuffer(data, kind).astype(np.int64)
