"""Edits that spoil, or only change, how the values of a scan are stored: rescale, sign, bits, frames, files.

Functions of a scan are edits, but where they are said to make one; functions of a folder edit it after the files were
written; functions of bytes change the content of a file.
"""

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
)

from medunet.testing.faults.edits import Edit, pick, pick_odd
from medunet.testing.faults.scans import Scan, Slice, write_dataset, write_numbers
from medunet.testing.phantoms.dicom import make_uid

PREAMBLE = 132
"""Bytes before the first element of a DICOM file."""


def rescale_each(scan: Scan) -> None:
    """Give every slice a slope and an intercept of its own, as in PET; the truth follows."""
    for k, item in enumerate(scan.slices):
        slope, intercept = 0.5 + 0.25 * k, -1000.0 + 3 * k
        item.dataset.RescaleSlope, item.dataset.RescaleIntercept = write_numbers([slope, intercept])
        item.values = item.stored().astype(np.float64) * slope + intercept


def apply_table(scan: Scan) -> None:
    """Put a Modality LUT, no straight line, in place of slope and intercept (DICOM PS3.3 C.11.1); truth follows."""
    table = (np.arange(4096) ** 1.1).astype(np.uint16)
    for item in scan.slices:
        lut = Dataset()
        lut.add_new(0x00283002, "US", [len(table), 0, 16])
        lut.ModalityLUTType = "US"
        lut.add_new(0x00283006, "OW", table.tobytes())
        item.values = table[np.clip(item.stored(), 0, 4095)].astype(np.float64)
        item.dataset.ModalityLUTSequence = [lut]
        for name in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            item.dataset.pop(name, None)


def store_signed(declare: Callable[[int], bool], bits: int = 16) -> Edit:
    """Make an edit that stores HU as they are, in two's complement.

    Args:
        declare: whether a slice is declared signed, by its number from 0; the truth is that all are.
        bits: that are stored, of 16 allocated; the sign isn't extended into the others.
    """

    def edit(scan: Scan) -> None:
        for k, item in enumerate(scan.slices):
            low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
            item.values = np.clip(item.values, low, high)
            numbers = item.values.astype(np.int64) & ((1 << bits) - 1)
            item.store(numbers, bits)
            item.dataset.PixelRepresentation = int(declare(k))
            item.dataset.RescaleSlope, item.dataset.RescaleIntercept = "1", "0"

    return edit


def lie_about_few(scan: Scan) -> None:
    """Store signed numbers throughout and declare one slice, with a single negative voxel, unsigned."""
    for item in scan.slices:
        item.values = np.abs(item.values)
    pick_odd(scan).values[3, 4] = -7
    store_signed(lambda k: k != scan.slices.index(pick_odd(scan)))(scan)


def overlay_high_bits(scan: Scan) -> None:
    """Put an overlay into the bits above the 12 that are the value; the truth stays."""
    for item in scan.slices:
        if not item.is_grey():
            continue
        item.store(item.stored() | 0x5000, bits=12)
        item.dataset.add_new(0x60000010, "US", item.values.shape[0])
        item.dataset.add_new(0x60000011, "US", item.values.shape[1])
        item.dataset.add_new(0x60000040, "CS", "G")
        item.dataset.add_new(0x60000050, "SS", [1, 1])
        item.dataset.add_new(0x60000100, "US", 16)
        item.dataset.add_new(0x60000102, "US", 12)


def pad_corners(scan: Scan) -> None:
    """Store a corner outside of the scanner's circle as -2000, which PixelPaddingValue names; the truth follows."""
    for item in scan.slices:
        item.values[:4, :4] = -2000
    store_signed(lambda _: True)(scan)
    for item in scan.slices:
        item.dataset.add_new(0x00280120, "SS", -2000)


def store_floats(scan: Scan) -> None:
    """Store values, each half a unit higher, as 32-bit floats in FloatPixelData; the truth follows."""
    for item in scan.slices:
        item.dataset.FloatPixelData = (item.values + 0.5).astype("<f4").tobytes()
        item.values = item.values + 0.5
        item.dataset.BitsAllocated = 32
        item.dataset.RescaleSlope, item.dataset.RescaleIntercept = "1", "0"
        for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(item.dataset, name)


def become_pet(factor: float) -> Edit:
    """Make an edit that declares the scan a PET in counts, with Philips' private factor to SUV; the truth follows.

    Args:
        factor: of SUV to counts.
    """

    def edit(scan: Scan) -> None:
        for item in scan.slices:
            dataset = item.dataset
            dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = PositronEmissionTomographyImageStorage
            dataset.Modality, dataset.Units, dataset.CorrectedImage = "PT", "CNTS", ["ATTN", "DECY"]
            dataset.RescaleIntercept = "0"
            dataset.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0, "DS", f"{factor:g}")
            item.values = item.stored().astype(np.float64) * factor

    return edit


def become_colour(scan: Scan) -> None:
    """Make a screenshot in colour of each slice, which keeps its place."""
    for item in scan.slices:
        colours = np.repeat((item.stored() >> 4).astype(np.uint8)[..., None], 3, axis=-1)
        item.dataset.file_meta.MediaStorageSOPClassUID = item.dataset.SOPClassUID = SecondaryCaptureImageStorage
        item.dataset.SamplesPerPixel, item.dataset.PhotometricInterpretation = 3, "RGB"
        item.dataset.PlanarConfiguration = 0
        item.dataset.BitsAllocated, item.dataset.BitsStored, item.dataset.HighBit = 8, 8, 7
        item.dataset.PixelData = colours.tobytes()


def change_pixels(only: Iterable[int] | None, change: Callable[[bytes], bytes]) -> Edit:
    """Make an edit that replaces the bytes of pixels and stores their new length right; the truth stays.

    Args:
        only: numbers of the slices from 0; all slices for None.
        change: the old bytes to the new ones.
    """

    def edit(scan: Scan) -> None:
        for item in pick(scan, only):
            item.dataset.PixelData = change(item.dataset.PixelData)

    return edit


def lie_about_rows(scan: Scan) -> None:
    """Declare four rows more in one header than there are."""
    pick_odd(scan).dataset.Rows += 4


def later(change: Callable[[Path], None]) -> Edit:
    """Make an edit that changes the folder after the files were written."""

    def edit(scan: Scan) -> None:
        scan.late.append(change)

    return edit


def change_files(only: Iterable[int] | None, change: Callable[[bytes], bytes]) -> Edit:
    """Make an edit that changes the bytes of files after they were written.

    Args:
        only: numbers of the slices from 0; all slices for None.
        change: the content of a file to its new content.
    """

    def edit(scan: Scan) -> None:
        names = [item.name for item in pick(scan, only)]

        def late(folder: Path) -> None:
            for name in filter(lambda name: (folder / name).exists(), names):
                (folder / name).write_bytes(change((folder / name).read_bytes()))

        scan.late.append(late)

    return edit


def drop_preamble(content: bytes) -> bytes:
    """Leave out the 128 bytes and `DICM` that a file begins with."""
    return content[PREAMBLE:]


def nest(depth: int) -> Callable[[bytes], bytes]:
    """Make a change of bytes that nests sequences before the patient's name of an explicit VR little endian file.

    Args:
        depth: how many sequences, one within the other.
    """
    opened = struct.pack("<HH2sHI", 9, 0x1001, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)

    def change(content: bytes) -> bytes:
        at = content.find(b"\x10\x00\x10\x00PN")
        return content if at < 0 else content[:at] + opened * depth + closed * depth + content[at:]

    return change


def hide_name(scan: Scan) -> None:
    """Write the last file without preamble and ending, so that nothing but its content tells what it is."""
    change_files([len(scan.slices) - 1], drop_preamble)(scan)
    name = scan.slices[-1].name

    def late(folder: Path) -> None:
        if (folder / name).exists():
            (folder / name).rename(folder / "LAST")

    scan.late.append(late)


def write_text(name: str, text: str) -> Edit:
    """Make an edit that adds a text file to the folder."""

    def late(folder: Path) -> None:
        (folder / name).write_text(text)

    return later(late)


def write_broken_report(folder: Path) -> None:
    """Write a dose report of the same patient, in a series of its own, whose content breaks off within a sequence."""
    dataset, item = Dataset(), Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = XRayRadiationDoseSRStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = UID(make_uid("report"))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Modality, dataset.PatientID, dataset.SeriesInstanceUID = "SR", "PH-F", make_uid("reports")
    item.ValueType, item.TextValue = "TEXT", "much"
    dataset.preamble, dataset.ContentSequence = bytes(128), [item]
    path = folder / "report.dcm"
    write_dataset(dataset, path)
    content = path.read_bytes()
    at = content.index(b"CS\x04\x00TEXT") + 2
    path.write_bytes(content[:at] + b"\xff\x7f" + content[at + 2 :])


def write_directory(folder: Path) -> None:
    """Write a DICOMDIR beside the files of a folder."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(make_uid("directory"))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.preamble = bytes(128)
    dataset.FileSetID = "DISC"
    dataset.DirectoryRecordSequence = [Dataset()]
    write_dataset(dataset, folder / "DICOMDIR")


def pack_frames(
    order: Callable[[list[Slice]], list[Slice]] = list, *, own_orientation: bool = False, own_rescale: bool = False
) -> Edit:
    """Make an edit that packs one enhanced multi-frame CT of the single images (DICOM PS3.3 A.38).

    Args:
        order: slices to the order of their frames in the file.
        own_orientation: each frame says its orientation and spacing, which else are shared where they are equal.
        own_rescale: each frame has another slope and intercept, which else are shared.
    """

    def edit(scan: Scan) -> None:
        frames = order(scan.slices)
        whole, shared = frames[0].dataset, Dataset()
        items = [_describe_frame(frame, n) for n, frame in enumerate(frames)]
        for name, tags in _GROUPS.items():
            groups = [_take(frame.dataset, tags) for frame in frames]
            if own_orientation or any(group != groups[0] for group in groups):
                for item, group in zip(items, groups, strict=True):
                    setattr(item, name, [group])
            else:
                setattr(shared, name, [groups[0]])
        for n, (frame, item) in enumerate(zip(frames, items, strict=True)):
            slope, intercept = (1.0 + 0.5 * n, -1024.0 - n) if own_rescale else (1.0, -1024.0)
            frame.values = frame.stored().astype(np.float64) * slope + intercept
            (item if own_rescale else shared).PixelValueTransformationSequence = [_rescale(slope, intercept)]
        _become_enhanced(whole, shared, items, b"".join(frame.dataset.PixelData for frame in frames))
        for frame in frames[1:]:
            frame.dataset = None
        frames[0].name = "enhanced.dcm"

    return edit


_GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
}


def _take(dataset: Dataset, tags: tuple[str, ...]) -> Dataset:
    taken = Dataset()
    for name in tags:
        if name in dataset:
            taken[name] = dataset[name]
    return taken


def _rescale(slope: float, intercept: float) -> Dataset:
    item = Dataset()
    item.RescaleSlope, item.RescaleIntercept = write_numbers([slope, intercept])
    item.RescaleType = "HU"
    return item


def _describe_frame(frame: Slice, number: int) -> Dataset:
    item, content = Dataset(), Dataset()
    item.PlanePositionSequence = [_take(frame.dataset, ("ImagePositionPatient",))]
    phase = int(frame.dataset.get("TemporalPositionIdentifier") or 1)
    content.StackID, content.InStackPositionNumber, content.TemporalPositionIndex = "1", number + 1, phase
    content.DimensionIndexValues = [phase, number + 1]
    item.FrameContentSequence = [content]
    return item


def _become_enhanced(whole: Dataset, shared: Dataset, items: list[Dataset], pixels: bytes) -> None:
    moved = ("ImagePositionPatient", "RescaleSlope", "RescaleIntercept", "RescaleType")
    for name in (*moved, *(tag for tags in _GROUPS.values() for tag in tags)):
        if name in whole:
            delattr(whole, name)
    whole.NumberOfFrames, whole.PixelData = len(items), pixels
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], items
    organization, phase, place = Dataset(), Dataset(), Dataset()
    organization.DimensionOrganizationUID = make_uid("dimensions")
    whole.DimensionOrganizationSequence = [organization]
    for index, tag in ((phase, 0x00209128), (place, 0x00209057)):
        index.DimensionOrganizationUID = organization.DimensionOrganizationUID
        index.DimensionIndexPointer, index.FunctionalGroupPointer = tag, 0x00209111
    whole.DimensionIndexSequence = [phase, place]


def shuffle_frames(frames: list[Slice]) -> list[Slice]:
    """Put slices in another order, always the same, for `pack_frames`."""
    order: npt.NDArray[np.int64] = np.random.default_rng(5).permutation(len(frames))
    return [frames[k] for k in order]


def shift_bits(scan: Scan) -> None:
    """Store 12 bits in the upper part of 16, as HighBit says; the truth stays."""
    for item in scan.slices:
        item.store(item.stored() << 4, bits=12)
        item.dataset.HighBit = 15


def write_comma(content: bytes) -> bytes:
    """Write a decimal comma into the position, in the bytes of an explicit VR little endian file."""
    at = content.find(b"\x20\x00\x32\x00DS")
    return content if at < 0 else content[:at] + content[at : at + 60].replace(b".", b",", 1) + content[at + 60 :]
