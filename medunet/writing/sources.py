"""The series that a DICOM result refers to: its slices in order, and its texts in one encoding."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataset import FileDataset
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from medunet.errors import ResourceError, SeriesError
from medunet.labels import Mask
from medunet.reading import Header, Image, sort_series
from medunet.reading.dicom.characters import ESCAPE, decode_text

LOGGER = logging.getLogger(__name__)
LONG_STRING = 64
"""Characters of a DICOM LO."""
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
        return f"leave {self.format} out of --format"


def find_slices(origin: Image, kind: Kind) -> list[Header]:
    """Headers of the slices, in the order in which they are read into the mask's grid.

    Raises:
        SeriesError: the image is no series of single slices.
    """
    if origin.series is None or Path(origin.path).is_file():
        found = f"it is a file, and a {kind.name} refers to a DICOM series"
        remedy = f"give the folder of the series, or {kind.leave}"
        raise SeriesError(origin.path, found, remedy, code="format-unfit")
    headers, _, _ = sort_series(origin.series, origin.options.phase)
    if headers[0].frame is not None:
        found = f"it is a multi-frame image, and a {kind.name} is written for single slices only"
        raise SeriesError(headers[0].path, found, kind.leave, code="format-unfit")
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
