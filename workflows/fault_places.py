"""Edits that spoil, or only change, where the slices of a scan lie and which image they belong to.

Where a header still says where a slice lies, the truth follows the header; where it says nothing or nonsense, the
truth stays what it was.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from fault_phantom import SHAPE, SPACING, Scan, Slice, draw_values, make_scan, rename, write_numbers
from phantom_dicom import make_uid
from pydicom import Dataset
from pydicom.uid import UID, CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage

Edit = Callable[[Scan], None]
ODD = 5
"""The slice that faults of one slice befall: neither an end nor the middle."""


def keep(scan: Scan) -> None:
    """Leave the scan as it is."""


def start_from(orientation: str, spacing: tuple[float, float, float] = SPACING) -> Edit:
    """Take the clean scan of another orientation or spacing instead."""

    def edit(scan: Scan) -> None:
        scan.slices[:] = make_scan(orientation, spacing=spacing).slices

    return edit


def set_tags(only: Iterable[int] | None = None, **tags: Any) -> Edit:
    """Write values into headers, of all slices or of some; None takes the tag out. The truth stays as it is."""

    def edit(scan: Scan) -> None:
        for item in pick(scan, only):
            for name, value in tags.items():
                if value is not None:
                    setattr(item.dataset, name, copy.deepcopy(value))
                elif name in item.dataset:
                    delattr(item.dataset, name)

    return edit


def number_tags(**tags: Callable[[int], Any]) -> Edit:
    """Write values that depend on the number of the slice."""

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            for name, value in tags.items():
                setattr(item.dataset, name, value(k))

    return edit


def pick(scan: Scan, only: Iterable[int] | None) -> list[Slice]:
    """Slices by number, all of them for None."""
    return scan.slices if only is None else [scan.slices[k] for k in only if k < len(scan.slices)]


def pick_odd(scan: Scan) -> Slice:
    """The slice that faults of one slice befall."""
    return scan.slices[min(ODD, len(scan.slices) - 1)]


def drop_slices(*numbers: int) -> Edit:
    """Leave files out."""

    def edit(scan: Scan) -> None:
        scan.slices[:] = [item for k, item in enumerate(scan.slices) if k not in numbers]

    return edit


def keep_one(scan: Scan) -> None:
    """Leave one slice."""
    scan.slices[:] = scan.slices[:1]


def shift_along_normal(offset: Callable[[int], float]) -> Edit:
    """Move each slice along its normal."""

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            item.move(item.normal * offset(k))

    return edit


def jitter(amplitude: float) -> Edit:
    """Move slices along their normal, to and fro by chance, up to an amplitude in mm."""
    offsets = np.random.default_rng(3).uniform(-amplitude, amplitude, 64)
    offsets[ODD] = amplitude
    return shift_along_normal(lambda k: float(offsets[k]))


def widen_steps(scan: Scan) -> None:
    """Steps of 3.27 mm become 5 mm from the middle on."""
    half = len(scan.slices) // 2
    shift_along_normal(lambda k: max(k - half, 0) * (5.0 - SPACING[2]))(scan)


def shear(millimetres: float, axis: int) -> Edit:
    """Move each slice by a distance a slice along its rows (axis 0) or columns (axis 1)."""

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            item.move(item.directions[axis] * millimetres * k)

    return edit


def tilt(degrees: float) -> Edit:
    """The stack of a tilted gantry: slices follow the table, not their normal."""
    lean = shear(float(np.tan(np.radians(degrees))) * SPACING[2], axis=1)

    def edit(scan: Scan) -> None:
        lean(scan)
        set_tags(GantryDetectorTilt=degrees)(scan)

    return edit


def turn_slices(degrees: float, numbers: Iterable[int]) -> Edit:
    """Turn slices in their plane."""

    def edit(scan: Scan) -> None:
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        for item in pick(scan, numbers):
            item.turn(np.array([[cos, sin], [-sin, cos]]) @ item.directions)

    return edit


def turn_over(scan: Scan) -> None:
    """Patient prone: both directions in the plane are reversed."""
    for item in scan.slices:
        item.turn(-item.directions)
        item.dataset.PatientPosition = "HFP"


def mirror_slice(scan: Scan) -> None:
    """One slice runs the other way along its rows."""
    item = pick_odd(scan)
    item.turn(item.directions * [[-1], [1]])


def skew_cosines(change: Callable[[Any], Any]) -> Edit:
    """Write direction cosines that are no longer a pair of perpendicular unit vectors; the truth stays."""

    def edit(scan: Scan) -> None:
        for item in scan.slices:
            item.dataset.ImageOrientationPatient = write_numbers(np.ravel(change(item.directions)))

    return edit


def scale_spacing(factor: float) -> Edit:
    """One slice has another PixelSpacing."""

    def edit(scan: Scan) -> None:
        item = pick_odd(scan)
        item.spacing = (item.spacing[0] * factor, item.spacing[1] * factor)
        item.dataset.PixelSpacing = write_numbers(item.spacing)

    return edit


def crop_slice(scan: Scan) -> None:
    """One slice has fewer rows."""
    item = pick_odd(scan)
    stored = item.stored()[:-4]
    item.values = item.values[:-4]
    item.dataset.Rows, item.dataset.Columns = item.values.shape
    item.dataset.PixelData = stored.astype("<u2").tobytes()


def swap_positions(scan: Scan) -> None:
    """Two neighbours have each other's position: only InstanceNumber could tell."""
    first, second = pick_odd(scan), scan.slices[ODD - 1]
    offset = second.position - first.position
    first.move(offset)
    second.move(-offset)


def stack_at_one_place(scan: Scan) -> None:
    """All slices have the position of the first."""
    for item in scan.slices:
        item.dataset.ImagePositionPatient = write_numbers(scan.slices[0].position)


def edit_position(numbers: Iterable[int], change: Callable[[list[str]], Any]) -> Edit:
    """Spoil what the header says of a position; the truth stays."""

    def edit(scan: Scan) -> None:
        for item in pick(scan, numbers):
            item.dataset["ImagePositionPatient"].value = change([str(v) for v in item.dataset.ImagePositionPatient])

    return edit


def reverse_order(scan: Scan) -> None:
    """Files and InstanceNumbers run against the normal."""
    names = [item.name for item in scan.slices]
    for item, name, number in zip(reversed(scan.slices), names, range(1, 99), strict=False):
        item.name, item.dataset.InstanceNumber = name, number


def copy_slice(same_uid: bool, same_pixels: bool = True) -> Edit:
    """A second image at the place of another."""

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
    """Two different slices have one SOPInstanceUID."""
    rename(pick_odd(scan).dataset, scan.slices[0].dataset.SOPInstanceUID)


def add_group(name: str, offset: float = 0.0, interleave: bool = False, **tags: tuple[Any, Any]) -> Edit:
    """Add a second image of other content to the series.

    Args:
        name: of the group.
        offset: how far it lies along the normal, mm.
        interleave: number the images of both in turns.
        tags: value in the first and in the second image.
    """

    def edit(scan: Scan) -> None:
        first = list(scan.slices)
        others = draw_values(sum(name.encode()), (*SHAPE[:2], len(first)))
        for k, item in enumerate(first):
            for tag, (value, _) in tags.items():
                _set(item.dataset, tag, value)
            fresh = scan.add(item, f"{name}-{k:04d}")
            fresh.group, fresh.values = name, others[:, :, k].T.astype(np.float64)
            rescaled = "RescaleIntercept" in item.dataset
            fresh.store(others[:, :, k].T.astype(np.int64) + 1024, bits=12)
            fresh.values += 0 if rescaled else 1024
            fresh.move(fresh.normal * offset)
            for tag, (_, value) in tags.items():
                _set(fresh.dataset, tag, value)
            step, start = (2, 1) if interleave else (1, len(first))
            item.dataset.InstanceNumber = step * k + 1
            fresh.dataset.InstanceNumber = step * k + 1 + start

    return edit


def _set(dataset: Dataset, tag: str, value: Any) -> None:
    if tag == "SOPClassUID":
        dataset.file_meta.MediaStorageSOPClassUID = UID(value)
    setattr(dataset, tag, value)


def become_mr(scan: Scan) -> None:
    """An MR has no rescale: its values are the stored numbers."""
    for item in scan.slices:
        _set(item.dataset, "SOPClassUID", MRImageStorage)
        item.dataset.Modality = "MR"
        for name in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            item.dataset.pop(name, None)
        item.values = item.stored().astype(np.float64)


def combine(*edits: Edit) -> Edit:
    """One edit after the other."""

    def edit(scan: Scan) -> None:
        for each in edits:
            each(scan)

    return edit


PET = {
    "Modality": ("CT", "PT"),
    "SOPClassUID": (CTImageStorage, PositronEmissionTomographyImageStorage),
    "Units": ("HU", "BQML"),
}
PHASES = combine(
    add_group("second", TemporalPositionIdentifier=(1, 2), TriggerTime=(0, 300)),
    set_tags(range(9, 18), AcquisitionTime="101530"),
)


def add_third(scan: Scan) -> None:
    """A third phase beside the two."""
    others = draw_values(33, (*SHAPE[:2], len(scan.slices)))
    for k, item in enumerate(scan.slices[: len(scan.slices) // 2]):
        fresh = scan.add(item, f"third-{k:04d}")
        fresh.group, fresh.values = "third", others[:, :, k].T.astype(np.float64)
        fresh.store(others[:, :, k].T.astype(np.int64) + 1024, bits=12)
        fresh.dataset.TemporalPositionIdentifier, fresh.dataset.TriggerTime = 3, 600


def add_localizer(of_size: tuple[int, int]) -> Edit:
    """A scout across the slices within the series, as scanners store them.

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
    """The last slice came under another SeriesInstanceUID."""
    scan.slices[-1].dataset.SeriesInstanceUID = make_uid("strayed")
    scan.slices[-1].group = "strayed"
