"""Drop images that repeat another one of their series, and refuse those that share its name."""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from medunet.errors import SeriesError, refuse_damage
from medunet.findings import Note
from medunet.reading.dicom.elements import read_dataset
from medunet.reading.dicom.headers import Header, measure_heights

SAME_PLACE_MM = 1e-3
"""Copies of an image have one position, up to the digits in which it was written."""
COPIED = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelData",
)
"""What makes two slices of one place the same image."""


def drop_copies(headers: Sequence[Header]) -> tuple[list[Header], tuple[Note, ...]]:
    """Drop images that repeat another: same place, same marks, same pixels.

    Args:
        headers: of one series, in any order.

    Returns:
        The others along the normal of the first, and a note for each that was dropped.

    Raises:
        SeriesError: two that are left share a SOPInstanceUID.
    """
    heights = measure_heights(headers)
    kept: list[int] = []
    notes: tuple[Note, ...] = ()
    for n in np.argsort(heights, kind="stable").tolist():
        near = takewhile(lambda m, height=heights[n]: height - heights[m] <= SAME_PLACE_MM, reversed(kept))  # type: ignore[misc]
        twin = next((m for m in near if _is_copy(headers[m], headers[n])), None)
        if twin is None:
            kept.append(n)
        else:
            copied = f"{headers[n].path} is a copy of {headers[twin].path} and was left out"
            notes += (Note("slice-copied", copied),)
    left = [headers[n] for n in kept]
    _check_twins(left)
    return left, notes


def _is_copy(first: Header, second: Header) -> bool:
    return (
        # Two frames of one file are never copies.
        first.frame is None
        and second.frame is None
        and bool(np.linalg.norm(first.position - second.position) <= SAME_PLACE_MM)
        and first.marks == second.marks
        and first.spacing == second.spacing
        and np.array_equal(first.orientation, second.orientation)
        and _hold_same_pixels(first, second)
    )


def _hold_same_pixels(first: Header, second: Header) -> bool:
    with refuse_damage(second.path, SeriesError):
        one, other = (read_dataset(header.path) for header in (first, second))
        syntaxes = {dataset.file_meta.get("TransferSyntaxUID") for dataset in (one, other)}
        return len(syntaxes) == 1 and all(one.get(name) == other.get(name) for name in COPIED)


def _check_twins(headers: Sequence[Header]) -> None:
    """SOPInstanceUIDs name one image each (DICOM PS3.3 C.12.1); two images of one UID are a mixture."""
    seen: dict[tuple[str, int | None], Header] = {}
    for header in headers:
        key = header.instance_uid, header.frame
        twin = seen.setdefault(key, header) if header.instance_uid else header
        if twin is not header:
            found = f"it shares its SOPInstanceUID with {twin.path}"
            raise SeriesError(header.path, found, "take the file away that doesn't belong", code="file-damaged")
