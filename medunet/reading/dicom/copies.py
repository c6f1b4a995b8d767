"""Drop images that repeat another one of their series, and refuse those that share its name."""

import hashlib
import math
from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from medunet.errors import SeriesError, refuse_damage
from medunet.findings import Note
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
)
"""What makes two slices of one place the same image, beside their pixels."""


def drop_copies(headers: Sequence[Header]) -> tuple[list[Header], tuple[Note, ...]]:
    """Drop images that repeat another: same place, same marks, same pixels.

    Pixels are read only of images that lie at one place and have the same marks, and of each of these once.

    Args:
        headers: of one series, in any order.

    Returns:
        The others along the normal of the first, and a note for each that was dropped.

    Raises:
        SeriesError: two that are left share a SOPInstanceUID.
    """
    heights = measure_heights(headers)
    order = np.argsort(heights, kind="stable")
    left, heights, notes = [headers[n] for n in order], heights[order], tuple[Note, ...]()
    if (np.diff(heights) <= SAME_PLACE_MM).any():
        left, notes = _leave_out(_Search(left, heights.tolist()))
    _check_twins(left)
    return left, notes


def _leave_out(search: "_Search") -> tuple[list[Header], tuple[Note, ...]]:
    left: list[Header] = []
    notes: tuple[Note, ...] = ()
    for n, header in enumerate(search.headers):
        twin = search.find_twin(n)
        if twin is None:
            left.append(header)
        else:
            copied = f"{header.path} is a copy of {search.headers[twin].path} and was left out"
            notes += (Note("slice-copied", copied),)
    return left, notes


class _Search:
    """Looks for copies among images that come from low to high; each is compared with those of its headers' marks.

    Args:
        headers: from low to high.
        heights: of each, in mm.
    """

    def __init__(self, headers: Sequence[Header], heights: Sequence[float]) -> None:
        self.headers, self._heights = headers, heights
        self._positions = [header.position.tolist() for header in headers]
        self._alike: dict[Any, list[int]] = defaultdict(list)
        self._unread: dict[Any, list[int]] = defaultdict(list)
        self._same: dict[Any, list[int]] = defaultdict(list)

    def find_twin(self, n: int) -> int | None:
        """The last image that this one repeats; where there is none, later ones may repeat this one."""
        header = self.headers[n]
        # Two frames of one file are never copies.
        if header.frame is not None:
            return None
        marks = header.spacing, *header.orientation.ravel().tolist(), frozenset(header.marks.items())
        if next(self._find_near(n, self._alike[marks]), None) is None:
            self._unread[marks].append(n)
            self._alike[marks].append(n)
            return None
        return self._compare(n, marks)

    def _compare(self, n: int, marks: tuple[object, ...]) -> int | None:
        """The last image at the place of this one, alike by its header, that has its pixels too."""
        for m in list(self._find_near(n, self._unread[marks])):
            self._unread[marks].remove(m)
            insort(self._same[marks, _read_content(self.headers[m])], m)
        same = self._same[marks, _read_content(self.headers[n])]
        twin = next(self._find_near(n, same), None)
        if twin is None:
            same.append(n)
            self._alike[marks].append(n)
        return twin

    def _find_near(self, n: int, others: Sequence[int]) -> Iterator[int]:
        """Those of lower images that lie at the same place, the last one first."""
        for m in reversed(others):
            if self._heights[n] - self._heights[m] > SAME_PLACE_MM:
                return
            if math.dist(self._positions[n], self._positions[m]) <= SAME_PLACE_MM:
                yield m


def _read_content(header: Header) -> tuple[object, ...]:
    """What only an equal image has."""
    with refuse_damage(header.path, SeriesError):
        dataset = header.open()
        pixels = dataset.get("PixelData")
        values = (_simplify(dataset.get(name)) for name in COPIED)
        digest = hashlib.sha256(pixels).digest() if pixels is not None else b""
        return dataset.file_meta.get("TransferSyntaxUID"), *values, digest


def _simplify(value: Any) -> object:
    """Equal numbers are equal, however they are written."""
    return float(value) if isinstance(value, int | float) else value and str(value)


def _check_twins(headers: Sequence[Header]) -> None:
    """SOPInstanceUIDs name one image each (DICOM PS3.3 C.12.1); two images of one UID are a mixture."""
    seen: dict[tuple[str, int | None], Header] = {}
    for header in headers:
        key = header.instance_uid, header.frame
        twin = seen.setdefault(key, header) if header.instance_uid else header
        if twin is not header:
            found = f"it shares its SOPInstanceUID with {twin.path}"
            raise SeriesError(header.path, found, "take the file away that doesn't belong", code="file-damaged")
