"""The series that a DICOM result refers to: its slices in order, and its texts in one encoding."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataset import FileDataset
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from medunet.algorithms import UNNAMED, Algorithm
from medunet.errors import ResourceError, SeriesError
from medunet.labels import Mask
from medunet.reading import Header, Image, sort_series
from medunet.reading.dicom.characters import ESCAPE, decode_text

LOGGER = logging.getLogger(__name__)
PROCESSING = Code("109102", "DCM", "Processing Equipment")
"""Purpose of equipment, DICOM PS3.16 CID 7005."""
LONG_STRING = 64
"""Characters of a DICOM LO."""
EMPTY_WHERE_UNKNOWN = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""Tags that DICOM demands but lets be empty, and that some series lack."""
LOSS = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
MULTIPLE = {"LO", "PN", "SH", "UC"}
"""Kinds of text that may hold several values."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of DICOM result.

    Attributes:
        name: in messages, like "DICOM SEG".
        format: of it on the command line.
    """

    name: str
    format: str

    @property
    def leave(self) -> str:
        """How a user goes on without it."""
        return f"choose another format than {self.format}"


def find_slices(origin: Image, kind: Kind) -> list[Header]:
    """Headers of the slices, in the order in which they are read into the mask's grid.

    Raises:
        SeriesError: the image is no series of single slices.
    """
    headers = _sort_headers(origin, kind)
    if headers[0].frame is not None:
        found = f"it is a multi-frame image, and a {kind.name} is written for single slices only"
        raise SeriesError(headers[0].path, found, kind.leave, code="format-unfit")
    return headers


def find_files(origin: Image, kind: Kind) -> tuple[list[Header], list[FileDataset]]:
    """Headers of the files of a series of single slices, or of one enhanced multi-frame image.

    Returns:
        What is known of each slice or frame, in the order in which they are read into the mask's grid; and the header
        of each file without pixels, one for each slice, or a single one of all frames.

    Raises:
        SeriesError: the image is neither, or not all frames of its file are part of it.
    """
    headers = _sort_headers(origin, kind)
    frames = [header.frame for header in headers if header.frame is not None]
    if not frames:
        return headers, [header.describe() for header in headers]
    dataset = headers[0].describe()
    whole = len(frames) == int(dataset.NumberOfFrames) == len(headers) and len({item.path for item in headers}) == 1
    if not whole or "PerFrameFunctionalGroupsSequence" not in dataset:
        found = f"a {kind.name} is written for single slices, or for all frames of one enhanced multi-frame image"
        raise SeriesError(headers[0].path, f"it is neither, and {found}", kind.leave, code="format-unfit")
    return headers, [dataset]


def order_frames(headers: Sequence[Header]) -> list[int] | None:
    """Which slice of the mask each frame of a multi-frame image is; None of slices."""
    frames = [header.frame for header in headers if header.frame is not None]
    return np.argsort(frames).tolist() or None


def _sort_headers(origin: Image, kind: Kind) -> list[Header]:
    if origin.series is None or Path(origin.path).is_file():
        found = f"it is a file, and a {kind.name} refers to a DICOM series"
        remedy = f"give the folder of the series, or {kind.leave}"
        raise SeriesError(origin.path, found, remedy, code="format-unfit")
    headers, _, _ = sort_series(origin.series, origin.options.phase)
    return headers


def share_frame(slices: Sequence[Any]) -> str:
    """Give headers, in memory, the frame of reference of the first, where each has its own; what is to be said of it.

    Reading took them for slices of one scan all the same.
    """
    frame = slices[0].get("FrameOfReferenceUID")
    if all(dataset.get("FrameOfReferenceUID") == frame for dataset in slices):
        return ""
    for dataset in slices:
        dataset.FrameOfReferenceUID = frame
    return "Each slice of the source has a FrameOfReferenceUID of its own; this is that of the first one."


def require_tags(dataset: FileDataset, names: Sequence[str], kind: Kind) -> None:
    """Check that a header has what a result refers to.

    Raises:
        SeriesError: it lacks a tag of these names.
    """
    for name in names:
        if not dataset.get(name):
            found, remedy = f"its header has no {name}", f"restore the header, or {kind.leave}"
            raise SeriesError(dataset.filename, f"{found}, which a {kind.name} refers to", remedy, code="format-unfit")


def name_instance(source: FileDataset, frame: int | None = None) -> Dataset:
    """How a result names an image, or one of its frames, counted from 0."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame + 1
    return item


def copy_loss(slices: Sequence[FileDataset], written: Dataset) -> None:
    """Say of a result what any of its slices says of loss by compression (PS3.3 C.7.6.1.1.5)."""
    for dataset in slices:
        if dataset.get("LossyImageCompression") == "01":
            for name in LOSS:
                if name in dataset:
                    written[name] = dataset[name]
            return


def fill_unknown(dataset: FileDataset) -> None:
    """Give a header, in memory, the tags that highdicom takes for granted, empty where it lacks them."""
    for name in EMPTY_WHERE_UNKNOWN:
        if name not in dataset:
            setattr(dataset, name, "")


def name_equipment(algorithm: Algorithm, highdicom: ModuleType) -> Any:
    """The Contributing Equipment Sequence (PS3.3 C.12.1.1.5), which says what bundle made a result; None of others.

    Args:
        algorithm: that made it.
        highdicom: the package.
    """
    if not algorithm.device_uid:
        return None
    item = highdicom.ContributingEquipment(
        "medunet",
        PROCESSING,
        manufacturer_model_name=algorithm.name[:LONG_STRING],
        software_versions=[algorithm.version[:LONG_STRING], "medunet " + metadata.version("medunet")],
        device_serial_number=algorithm.weights_sha256[:LONG_STRING],
        contribution_description=f"{algorithm.name} {algorithm.version}",
    )
    item.DeviceUID = algorithm.device_uid
    return [item]


def identify_object(algorithm: Algorithm, highdicom: ModuleType) -> dict[str, Any]:
    """What every object of highdicom's is told of itself: new UIDs, its encoding of texts, and what made it.

    Args:
        algorithm: that made the result.
        highdicom: the package.
    """
    return {
        "series_instance_uid": generate_uid(prefix=None),
        "sop_instance_uid": generate_uid(prefix=None),
        "instance_number": 1,
        "manufacturer": "medunet",
        "manufacturer_model_name": "medunet",
        "software_versions": metadata.version("medunet"),
        "device_serial_number": algorithm.weights_sha256[:LONG_STRING] or UNNAMED,
        "specific_character_set": "ISO_IR 192",
        "contributing_equipment": name_equipment(algorithm, highdicom),
    }


def warn_of_texts(first: FileDataset, kind: Kind) -> None:
    """Decode the texts of a header, in memory, and warn of those that can't be; errors as `decode_texts`."""
    if lost := decode_texts(first, kind):
        named = _name_set(first.get("SpecificCharacterSet"))
        instead = "; it calls the patient by the PatientID" if "PatientName" in lost else ""
        short = kind.name.removeprefix("DICOM ")
        words = f"{', '.join(lost)} can't be decoded as {named}, so the {short} has none{instead}"
        LOGGER.warning("%s: %s", first.filename, words)


def decode_texts(dataset: FileDataset, kind: Kind) -> list[str]:
    """Decode the texts of a header, in memory, strictly, since a result is written in another encoding.

    What can't be decoded is left out, and the patient is called by the PatientID.

    Returns:
        Names of what can't be decoded.

    Raises:
        SeriesError: the PatientID itself can't be.
    """
    named = dataset.get("SpecificCharacterSet")
    lost = []
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        if not isinstance(raw.value, bytes) or (raw.value.isascii() and ESCAPE not in raw.value):
            continue
        found = raw.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "")
        if found in CUSTOMIZABLE_CHARSET_VR:
            text = decode_text(raw.value, named, is_name=found == "PN")
            dataset.add_new(tag, found, (text or "").split("\\") if found in MULTIPLE else text or "")
            lost += [keyword_for_tag(tag) or str(tag)] if text is None else []
    if "PatientID" in lost:
        said = f"its PatientID can't be decoded as {_name_set(named)}"
        remedy = f"correct its SpecificCharacterSet, or {kind.leave}"
        raise SeriesError(dataset.filename, said, remedy, code="format-unfit")
    if "PatientName" in lost:
        dataset.PatientName = dataset.get("PatientID", "")
    return sorted(lost)


def _name_set(named: Any) -> str:
    return "\\".join([named] if isinstance(named, str) else named or ()) or "ASCII, since it names no character set"


def check_same(again: Mask, mask: Mask, path: Path) -> None:
    """Compare what was read back with what was written.

    Raises:
        ResourceError: it differs.
    """
    if not np.array_equal(again.voxels, mask.voxels):
        found = "what was read back differs from what was written"
        raise ResourceError(path, found, "check the disk", code="output-differs")
