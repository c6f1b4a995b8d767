"""Edits that spoil, or only change, where the slices of a scan lie and which image they belong to.

Where a header still says where a slice lies, the truth follows the header; where it says nothing or nonsense, the
truth stays what it was. Functions of a scan are edits; the others make one. Distances are mm.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from medunet.testing.faults.edits import ODD, Edit, combine, pick, pick_odd, set_tags
from medunet.testing.faults.scans import SHAPE, SPACING, Scan, draw_values, make_scan, rename, write_numbers
from medunet.testing.phantoms.dicom import make_uid


def start_from(orientation: str, spacing: tuple[float, float, float] = SPACING) -> Edit:
    """Make an edit that takes a clean scan of another orientation or spacing instead.

    Args:
        orientation: a key of `ORIENTATIONS`.
        spacing: mm along I (between columns), J and K.
    """

    def edit(scan: Scan) -> None:
        scan.slices[:] = make_scan(orientation, spacing=spacing).slices

    return edit


def drop_slices(*numbers: int) -> Edit:
    """Make an edit that leaves slices out, by their numbers from 0."""

    def edit(scan: Scan) -> None:
        scan.slices[:] = [item for k, item in enumerate(scan.slices) if k not in numbers]

    return edit


def keep_one(scan: Scan) -> None:
    """Leave the first slice alone."""
    scan.slices[:] = scan.slices[:1]


def shift_along_normal(offset: Callable[[int], float]) -> Edit:
    """Make an edit that moves each slice along its normal, header and truth.

    Args:
        offset: mm, by the number of the slice from 0.
    """

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            item.move(item.normal * offset(k))

    return edit


def jitter(amplitude: float) -> Edit:
    """Make an edit that moves slices along their normal, to and fro by chance.

    Args:
        amplitude: the farthest in mm, by which the slice of `pick_odd` is moved.
    """
    offsets = np.random.default_rng(3).uniform(-amplitude, amplitude, 64)
    offsets[ODD] = amplitude
    return shift_along_normal(lambda k: float(offsets[k]))


def widen_steps(scan: Scan) -> None:
    """Widen the steps of 3.27 mm between slices to 5 mm from the middle on, headers and truth."""
    half = len(scan.slices) // 2
    shift_along_normal(lambda k: max(k - half, 0) * (5.0 - SPACING[2]))(scan)


def shear(millimetres: float, axis: int) -> Edit:
    """Make an edit that moves each slice in its plane, header and truth.

    Args:
        millimetres: how much farther than the slice before.
        axis: 0 along its rows, 1 along its columns.
    """

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            item.move(item.directions[axis] * millimetres * k)

    return edit


def tilt(degrees: float) -> Edit:
    """Make an edit to the stack of a tilted gantry: slices follow the table, not their normal.

    Args:
        degrees: between the two, written as GantryDetectorTilt.
    """
    lean = shear(float(np.tan(np.radians(degrees))) * SPACING[2], axis=1)

    def edit(scan: Scan) -> None:
        lean(scan)
        set_tags(GantryDetectorTilt=degrees)(scan)

    return edit


def turn_slices(degrees: float, numbers: Iterable[int]) -> Edit:
    """Make an edit that turns slices in their plane, header and truth.

    Args:
        degrees: from the rows towards the columns.
        numbers: of the slices, from 0.
    """

    def edit(scan: Scan) -> None:
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        for item in pick(scan, numbers):
            item.turn(np.array([[cos, sin], [-sin, cos]]) @ item.directions)

    return edit


def turn_over(scan: Scan) -> None:
    """Turn the patient over, so that both directions in the plane are reversed, headers and truth."""
    for item in scan.slices:
        item.turn(-item.directions)
        item.dataset.PatientPosition = "HFP"


def mirror_slice(scan: Scan) -> None:
    """Let one slice run the other way along its rows, header and truth."""
    item = pick_odd(scan)
    item.turn(item.directions * [[-1], [1]])


def skew_cosines(change: Callable[[Any], Any]) -> Edit:
    """Make an edit that writes other direction cosines into all headers; the truth stays what it was.

    Args:
        change: of (2, 3), the directions along a row and down a column, which may come to no such pair.
    """

    def edit(scan: Scan) -> None:
        for item in scan.slices:
            item.dataset.ImageOrientationPatient = write_numbers(np.ravel(change(item.directions)))

    return edit


def scale_spacing(factor: float) -> Edit:
    """Make an edit that multiplies the PixelSpacing of one slice, header and truth, by a factor."""

    def edit(scan: Scan) -> None:
        item = pick_odd(scan)
        item.spacing = (item.spacing[0] * factor, item.spacing[1] * factor)
        item.dataset.PixelSpacing = write_numbers(item.spacing)

    return edit


def crop_slice(scan: Scan) -> None:
    """Take the last four rows of one slice away, header and truth."""
    item = pick_odd(scan)
    stored = item.stored()[:-4]
    item.values = item.values[:-4]
    item.dataset.Rows, item.dataset.Columns = item.values.shape
    item.dataset.PixelData = stored.astype("<u2").tobytes()


def swap_positions(scan: Scan) -> None:
    """Give two neighbours each other's position, headers and truth: only InstanceNumber tells of it."""
    first, second = pick_odd(scan), scan.slices[ODD - 1]
    offset = second.position - first.position
    first.move(offset)
    second.move(-offset)


def stack_at_one_place(scan: Scan) -> None:
    """Write the position of the first slice into all headers; the truth stays what it was."""
    for item in scan.slices:
        item.dataset.ImagePositionPatient = write_numbers(scan.slices[0].position)


def edit_position(numbers: Iterable[int], change: Callable[[list[str]], Any]) -> Edit:
    """Make an edit that spoils what headers say of a position; the truth stays what it was.

    Args:
        numbers: of the slices, from 0.
        change: of the three numbers, as text.
    """

    def edit(scan: Scan) -> None:
        for item in pick(scan, numbers):
            item.dataset["ImagePositionPatient"].value = change([str(v) for v in item.dataset.ImagePositionPatient])

    return edit


def reverse_order(scan: Scan) -> None:
    """Let file names and InstanceNumbers run against the normal; each slice stays in its place."""
    names = [item.name for item in scan.slices]
    for item, name, number in zip(reversed(scan.slices), names, range(1, 99), strict=False):
        item.name, item.dataset.InstanceNumber = name, number


def copy_slice(same_uid: bool, same_pixels: bool = True) -> Edit:
    """Make an edit that puts a second image at the place of another.

    Args:
        same_uid: it has the same SOPInstanceUID, too.
        same_pixels: it is a copy, which a reader may leave out; else it shows something else.
    """

    def edit(scan: Scan) -> None:
        source = pick_odd(scan)
        fresh = scan.add(source, "copy")
        if same_uid:
            rename(fresh.dataset, source.dataset.SOPInstanceUID)
        if same_pixels:
            fresh.extra = True
        else:
            fresh.store(source.stored()[::-1, ::-1])
            fresh.values, fresh.group = source.values[::-1, ::-1], "other"

    return edit


def share_uid(scan: Scan) -> None:
    """Give two different slices one SOPInstanceUID."""
    rename(pick_odd(scan).dataset, scan.slices[0].dataset.SOPInstanceUID)


def add_group(name: str, offset: float = 0.0, interleave: bool = False, **tags: tuple[Any, Any]) -> Edit:
    """Make an edit that adds a second image of other content to the series.

    Args:
        name: of the group that its slices make.
        offset: how far along the normal it lies from the first, mm.
        interleave: number the slices of both in turns.
        tags: DICOM keyword to its value in the first and in the second image.
    """

    def edit(scan: Scan) -> None:
        first = list(scan.slices)
        others = draw_values(sum(name.encode()), (*SHAPE[:2], len(first)))
        for k, item in enumerate(first):
            for tag, (value, _) in tags.items():
                set_tag(item.dataset, tag, value)
            fresh = scan.add(item, f"{name}-{k:04d}")
            fresh.group, fresh.values = name, others[:, :, k].T.astype(np.float64)
            rescaled = "RescaleIntercept" in item.dataset
            fresh.store(others[:, :, k].T.astype(np.int64) + 1024, bits=12)
            fresh.values += 0 if rescaled else 1024
            fresh.move(fresh.normal * offset)
            for tag, (_, value) in tags.items():
                set_tag(fresh.dataset, tag, value)
            step, start = (2, 1) if interleave else (1, len(first))
            item.dataset.InstanceNumber = step * k + 1
            fresh.dataset.InstanceNumber = step * k + 1 + start

    return edit


def set_tag(dataset: Dataset, tag: str, value: Any) -> None:
    """Write a value into a header; a storage class into that of the file, too."""
    if tag == "SOPClassUID":
        dataset.file_meta.MediaStorageSOPClassUID = UID(value)
    setattr(dataset, tag, value)


def become_mr(scan: Scan) -> None:
    """Make an MR of the scan, which has no rescale: its values are the stored numbers."""
    for item in scan.slices:
        set_tag(item.dataset, "SOPClassUID", MRImageStorage)
        item.dataset.Modality = "MR"
        for name in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            item.dataset.pop(name, None)
        item.values = item.stored().astype(np.float64)


PET = {
    "Modality": ("CT", "PT"),
    "SOPClassUID": (CTImageStorage, PositronEmissionTomographyImageStorage),
    "Units": ("HU", "BQML"),
}
"""Tags for `add_group` that make the second image a PET."""
PHASES = combine(
    add_group("second", TemporalPositionIdentifier=(1, 2), TriggerTime=(0, 300)),
    set_tags(range(9, 18), AcquisitionTime="101530"),
)
"""Edit that adds a second phase, 30 s after the first and at the same places."""


def add_third(scan: Scan) -> None:
    """Add a third phase to a scan that `PHASES` has given two."""
    others = draw_values(33, (*SHAPE[:2], len(scan.slices)))
    for k, item in enumerate(scan.slices[: len(scan.slices) // 2]):
        fresh = scan.add(item, f"third-{k:04d}")
        fresh.group, fresh.values = "third", others[:, :, k].T.astype(np.float64)
        fresh.store(others[:, :, k].T.astype(np.int64) + 1024, bits=12)
        fresh.dataset.TemporalPositionIdentifier, fresh.dataset.TriggerTime = 3, 600


def add_localizer(of_size: tuple[int, int]) -> Edit:
    """Make an edit that adds a scout across the slices to the series, as scanners do; a reader may leave it out.

    Args:
        of_size: rows and columns.
    """

    def edit(scan: Scan) -> None:
        fresh = scan.add(scan.slices[0], "scout")
        values = draw_values(99, (*of_size[::-1], 1))[:, :, 0].T
        fresh.values, fresh.extra, fresh.group = values.astype(np.float64), True, "localizer"
        fresh.dataset.Rows, fresh.dataset.Columns = of_size
        fresh.store(values.astype(np.int64) + 1024, bits=12)
        fresh.dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        fresh.turn(np.array([fresh.directions[0], -fresh.normal]))

    return edit


def split_uid(scan: Scan) -> None:
    """Put the last slice under another SeriesInstanceUID."""
    scan.slices[-1].dataset.SeriesInstanceUID = make_uid("strayed")
    scan.slices[-1].group = "strayed"
