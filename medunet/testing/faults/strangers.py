"""Edits that add to a series what is no slice of it, or what only numbers and private elements tell apart.

Functions of a scan are edits, those of a data set make another object of it; the others make an edit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import RawDataStorage, SecondaryCaptureImageStorage

from medunet.testing.faults.edits import Edit, pick_odd
from medunet.testing.faults.places import add_group, set_tag
from medunet.testing.faults.scans import Scan
from medunet.testing.phantoms.dicom import make_uid


def number_frames(count: int) -> Edit:
    """Make an edit that gives the slices so many frames of reference in turns, where they have one.

    Args:
        count: of frames.
    """

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            item.dataset.FrameOfReferenceUID = make_uid("frame", str(k % count))

    return edit


def add_object(name: str, change: Callable[[Dataset], None]) -> Edit:
    """Make an edit that adds an object to the series which is no slice of it, and which a reader leaves out.

    Args:
        name: of its file, without ending.
        change: what makes another object of a copy of the first slice.
    """

    def edit(scan: Scan) -> None:
        fresh = scan.add(scan.slices[0], name)
        change(fresh.dataset)
        fresh.extra = True

    return edit


def become_raw(dataset: Dataset) -> None:
    """Make raw data, without pixels or place, of an image."""
    set_tag(dataset, "SOPClassUID", RawDataStorage)
    for name in (*_PLACE, "PixelData", "Rows", "Columns"):
        del dataset[name]


def become_private(dataset: Dataset) -> None:
    """Make an object of a private class, with pixels and without a place, of an image."""
    set_tag(dataset, "SOPClassUID", "1.3.12.2.1107.5.9.1")
    lose_place(dataset)


def become_capture(dataset: Dataset) -> None:
    """Make a secondary capture of an image, which keeps the place that it was made at."""
    set_tag(dataset, "SOPClassUID", SecondaryCaptureImageStorage)


def become_coloured(dataset: Dataset) -> None:
    """Make a picture in colour of an image of 16 bits, which keeps its place and its class."""
    pixels = np.frombuffer(dataset.PixelData, np.uint16) >> 4
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = np.repeat(pixels.astype(np.uint8), 3).tobytes()


_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")


def lose_place(dataset: Dataset) -> None:
    """Take position, orientation and spacing out of an image."""
    for name in _PLACE:
        del dataset[name]


def add_between(scan: Scan) -> None:
    """Add a slice of its own content a quarter of a millimetre behind the one of `pick_odd`, which a reader refuses."""
    fresh = scan.add(pick_odd(scan), "between")
    fresh.move(fresh.normal * 0.25)
    fresh.store(pick_odd(scan).stored()[::-1, ::-1], bits=12)
    fresh.values, fresh.group = pick_odd(scan).values[::-1, ::-1], "between"
    fresh.dataset.InstanceNumber = len(scan.slices)


def put_private(values: tuple[Any, Any], group: int, creator: str, element: int, kind: str) -> Edit:
    """Make an edit that adds a second image, which a private element alone tells apart from the first.

    Args:
        values: of the element in the first and in the second image.
        group: of the element.
        creator: of its block.
        element: its number within the block.
        kind: of its values.
    """

    def edit(scan: Scan) -> None:
        add_group("private")(scan)
        for item in scan.slices:
            block = item.dataset.private_block(group, creator, create=True)
            block.add_new(element, kind, values[item.group == "private"])

    return edit
