"""Edits of headers that scanners, archives and de-identification make every day, and that change no voxel.

Functions of a scan are edits; the others make one. The truth of a slice stays what it was, or follows the header.
"""

import copy
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.tag import Tag
from pydicom.uid import UID, PositronEmissionTomographyImageStorage

from medunet.geometry import Grid, flip_lps_ras
from medunet.testing.faults.edits import Edit
from medunet.testing.faults.scans import Scan, Slice, draw_values, take_slice, write_dataset, write_numbers
from medunet.testing.faults.values import change_files
from medunet.testing.phantoms.dicom import Identity, make_uid, write_ct

RAW_DATA = "1.2.840.10008.5.1.4.1.1.66"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"
REPORT = "1.2.840.10008.5.1.4.1.1.88.67"
PRESENTATION = "1.2.840.10008.5.1.4.1.1.11.1"
PRIVATE_CLASS = "1.2.840.113619.4.30"
"""Storage classes of objects that lie beside slices; the last is a vendor's own."""
HALF_LIFE_S, DOSE_BQ, WEIGHT_KG, WAITED_S = 6586.2, 3.7e8, 70.0, 3600.0
"""Of F-18 and of a made-up patient who waited an hour after the injection."""


def each(change: Callable[[Slice, int], None]) -> Edit:
    """Make an edit of a change of each slice, by its number from 0."""

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            change(item, k)

    return edit


def write_text(tags: Iterable[str], write: Callable[[float], str]) -> Edit:
    """Make an edit that writes the numbers of tags as other text of the same value, whatever its length."""

    def change(item: Slice, _: int) -> None:
        for tag in tags:
            item.dataset[tag].value = [write(float(value)) for value in item.dataset[tag].value]

    return each(change)


def round_positions(digits: int) -> Edit:
    """Make an edit that rounds positions, header and truth."""

    def change(item: Slice, _: int) -> None:
        item.dataset.ImagePositionPatient = write_numbers(np.round(item.position, digits))
        item.position = np.round(item.position, digits)

    return each(change)


def write_unknown(*tags: str) -> Edit:
    """Make an edit that writes decimal strings with the representation UN, as programs do that don't know the tags."""

    def change(content: bytes) -> bytes:
        for keyword in tags:
            tag = Tag(keyword)
            head = struct.pack("<HH", tag.group, tag.element)
            at = content.find(head + b"DS")
            (length,) = struct.unpack("<H", content[at + 6 : at + 8])
            content = content[:at] + head + b"UN\0\0" + struct.pack("<I", length) + content[at + 8 :]
        return content

    return change_files(None, change)


def add_private(item: Slice, k: int) -> None:
    """Private tags of every kind, a nested sequence among them."""
    block = item.dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", bytes(range(256)) * 3)
    nested = Dataset()
    nested.add_new(0x00091010, "UN", b"made up ")
    nested.ReferencedSOPInstanceUID = "1.2.3"
    block.add_new(0x11, "SQ", [nested, copy.deepcopy(nested)])
    item.dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", ["0", str(k), "8", "0"])


def drop_optional(item: Slice, _: int) -> None:
    """Leave out everything that no pixel and no place needs."""
    kept = {"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "Rows", "Columns"}
    kept |= {"PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"}
    kept |= {"SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelData"}
    kept |= {"PixelRepresentation", "PatientID"}
    for element in list(item.dataset):
        if element.keyword not in kept:
            del item.dataset[element.tag]


def own_frames(item: Slice, k: int) -> None:
    """A frame of reference of its own for each slice, as a careless de-identification makes it."""
    item.dataset.FrameOfReferenceUID = make_uid("frame", str(k))


def become_pet(decay: str, *, weight: bool = True) -> Edit:
    """Make an edit that makes a PET in Bq/ml of a scan, a slope for each slice; the truth is SUV by body weight.

    Args:
        decay: DecayCorrection: START (of the scan) or ADMIN (of the injection).
        weight: the header has the PatientWeight; without it the truth is Bq/ml.
    """
    decayed = float(np.exp2(-WAITED_S / HALF_LIFE_S)) if decay == "START" else 1.0
    factor = WEIGHT_KG * 1000 / (DOSE_BQ * decayed) if weight else 1.0

    def change(item: Slice, k: int) -> None:
        dataset, tracer = item.dataset, Dataset()
        dataset.Modality = "PT"
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(PositronEmissionTomographyImageStorage)
        dataset.Units, dataset.DecayCorrection, dataset.CorrectedImage = "BQML", decay, ["ATTN", "DECY"]
        dataset.SeriesTime = dataset.AcquisitionTime = "101500"
        tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = str(DOSE_BQ), str(HALF_LIFE_S)
        tracer.RadiopharmaceuticalStartTime = "091500"
        dataset.RadiopharmaceuticalInformationSequence = [tracer]
        if weight:
            dataset.PatientWeight = str(WEIGHT_KG)
        slope = 2.0 + 0.5 * k
        dataset.RescaleSlope, dataset.RescaleIntercept = str(slope), "0"
        item.values = item.stored().astype(np.float64) * slope * factor

    return each(change)


def store_bytes(item: Slice, _: int) -> None:
    """Pixels of 8 bits, an odd number of them in all for some sizes; the truth follows."""
    numbers = (item.stored() >> 4).astype(np.uint8)
    item.dataset.PixelData = numbers.tobytes() + b"\0" * (numbers.size % 2)
    item.dataset["PixelData"].VR = "OB"
    item.dataset.BitsAllocated, item.dataset.BitsStored, item.dataset.HighBit = 8, 8, 7
    item.values = numbers.astype(np.float64) + float(item.dataset.get("RescaleIntercept", 0))


def store_words(item: Slice, _: int) -> None:
    """Pixels of 32 bits."""
    item.dataset.PixelData = item.stored().astype("<u4").tobytes()
    item.dataset.BitsAllocated, item.dataset.BitsStored, item.dataset.HighBit = 32, 32, 31


def scale_values(item: Slice, _: int) -> None:
    """A fractional slope, as MR scanners of one vendor write it; the truth follows."""
    item.dataset.RescaleSlope, item.dataset.RescaleIntercept = "0.4375", "-17.5"
    item.values = item.stored().astype(np.float64) * 0.4375 - 17.5


def add_overlay(item: Slice, _: int) -> None:
    """An overlay in a group of its own."""
    rows, columns = item.values.shape
    item.dataset.add_new(0x60000010, "US", rows)
    item.dataset.add_new(0x60000011, "US", columns)
    item.dataset.add_new(0x60000040, "CS", "G")
    item.dataset.add_new(0x60000050, "SS", [1, 1])
    item.dataset.add_new(0x60000100, "US", 1)
    item.dataset.add_new(0x60000102, "US", 0)
    item.dataset.add_new(0x60003000, "OW", bytes(-(-rows * columns // 16) * 2))


PLACES = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceLocation", "SliceThickness")
PIXELS = ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")


def add_object(
    name: str, sop_class: str, modality: str | None = None, *, pixels: bool = False, same: bool = True, **tags: Any
) -> Edit:
    """Make an edit that puts an object without a place into the folder.

    Args:
        name: of its file.
        sop_class: its storage class.
        modality: that of the series if not given.
        pixels: it has those of the first slice.
        same: it belongs to the series of the slices.
        tags: DICOM keyword to value.
    """

    def edit(scan: Scan) -> None:
        dataset = copy.deepcopy(scan.slices[0].dataset)
        for tag in PLACES if pixels else (*PLACES, *PIXELS):
            dataset.pop(tag, None)
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(make_uid(name))
        dataset.Modality = modality or dataset.Modality
        if not same:
            dataset.SeriesInstanceUID = make_uid("series", name)
        for tag, value in tags.items():
            setattr(dataset, tag, value)
        scan.late.append(lambda folder: write_dataset(dataset, folder / name))

    return edit


def add_picture(scan: Scan) -> None:
    """A picture in colours that belongs to the series, without a place."""
    colours: dict[str, Any] = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    eight: dict[str, Any] = {
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "Rows": 20,
        "Columns": 30,
        "PixelData": bytes(1800),
    }
    add_object("picture.dcm", SECONDARY, pixels=True, **colours, **eight)(scan)


def lengthen(scan: Scan) -> None:
    """Give a scan 60 slices of half a millimetre, and few pixels."""
    shape, spacing = (12, 10, 60), np.array([0.5, 0.5, 0.5])
    grid = Grid(shape, flip_lps_ras(np.diag([*spacing, 1.0])))
    voxels = draw_values(7, shape)
    with TemporaryDirectory() as folder:
        write_ct(Path(folder), voxels, grid, Identity.from_content("LONG^Phantom", "PH-L", "O", voxels, grid))
        paths = sorted(Path(folder).iterdir())
        scan.slices[:] = [take_slice(dcmread(path), voxels[:, :, k].T, path.name) for k, path in enumerate(paths)]


def add_damaged_report(scan: Scan) -> None:
    """A dose report in the folder that breaks off within its header."""
    add_object("report.dcm", REPORT, "SR", same=False)(scan)

    def late(folder: Path) -> None:
        content = (folder / "report.dcm").read_bytes()
        (folder / "report.dcm").write_bytes(content[: len(content) - 31])

    scan.late.append(late)


def add_ge_bvalue(item: Slice, _: int) -> None:
    """The b-value where GE keeps it: 0 of the first image, 800 of the second."""
    value = 0 if item.group == "main" else 800
    item.dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [str(value), "8", "0", "0"])


def add_siemens_bvalue(item: Slice, _: int) -> None:
    """The same where Siemens keeps it."""
    value = 0 if item.group == "main" else 800
    item.dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", str(value))


def add_series(turned: bool = False) -> Edit:
    """Make an edit that adds a second series of the same modality, in the same plane or across it."""

    def edit(scan: Scan) -> None:
        for k, item in enumerate(list(scan.slices)):
            fresh = scan.add(item, f"z-{k:04d}")
            fresh.dataset.SeriesInstanceUID, fresh.group, fresh.extra = make_uid("second"), "second", True
            fresh.dataset.SeriesDescription = "second"
            fresh.store(np.ascontiguousarray(item.stored()[::-1, ::-1]), bits=12)
            fresh.values = item.values[::-1, ::-1]
            if turned:
                fresh.turn(np.array([item.directions[0], item.normal]))
                fresh.dataset.ImageType = ["DERIVED", "SECONDARY", "MPR"]

    return edit


def rename_files(new: Callable[[int], str]) -> Edit:
    """Make an edit that gives files other names, which may hold folders, by their number from 0."""

    def late(folder: Path) -> None:
        for number, path in enumerate(sorted(folder.glob("*.dcm"))):
            target = folder / new(number)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)

    return lambda scan: scan.late.append(late)


def add_file(name: str, content: bytes) -> Edit:
    """Make an edit that adds a file of any bytes."""

    def late(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return lambda scan: scan.late.append(late)
