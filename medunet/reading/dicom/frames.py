"""Enhanced multi-frame images: describe each frame as if it were a file of its own.

Where a frame lies and what its values mean stand in functional groups, in those of the frame or in the shared ones
(DICOM PS3.3 C.7.6.16). Frames count by their positions alone; dimensions only tell apart what lies at one place
(C.7.6.17).
"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_sequence_item

from medunet.errors import SeriesError
from medunet.reading.dicom.headers import Header, read_count, read_header

PER_FRAME, SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
"""A file with the first keeps its geometry in functional groups, however many frames it has."""
GROUPS = (
    # Legacy Converted images keep what has no place elsewhere in the first two.
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "FrameContentSequence",
    "SegmentIdentificationSequence",
    "TemporalPositionSequence",
    "CTImageFrameTypeSequence",
    "CTReconstructionSequence",
    "MRImageFrameTypeSequence",
    "MREchoSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRDiffusionSequence",
    "DiffusionGradientDirectionSequence",
    "CardiacSynchronizationSequence",
    "PETFrameTypeSequence",
    "FrameVOILUTSequence",
)
"""Functional groups whose attributes a single-frame image has at its top; the ones after it may lie within one."""
TOP = (
    "SOPInstanceUID",
    "Modality",
    "Rows",
    "Columns",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "AcquisitionNumber",
    "ContentDate",
    "ContentTime",
)
"""Attributes of the whole file that describe a frame too."""
PLACE = ("StackID", "InStackPositionNumber", "ImagePositionPatient", "SliceLocation")
"""Dimensions that only count places, or that are marks in any case."""


def read_frames(dataset: Any, path: str) -> tuple[Header, ...]:
    """Headers of all frames of a multi-frame image, in the order of the file.

    Raises:
        SeriesError: the header doesn't describe as many frames as there are, or one of them has no place.
    """
    declared = read_count(dataset, "NumberOfFrames", path)
    described = len(dataset.get(PER_FRAME) or [])
    if declared != described or not described:
        raise SeriesError(
            path, f"it has {declared} frames, but describes {described}", "restore the file", code="file-damaged"
        )
    pointers = [item.get("DimensionIndexPointer") for item in dataset.get("DimensionIndexSequence") or []]
    names = [keyword_for_tag(pointer) if pointer else "" for pointer in pointers]
    headers = []
    for number, frame in enumerate(describe_frames(dataset)):
        header = read_header(frame, path, number)
        headers.append(replace(header, marks={**header.marks, **_read_dimensions(frame, names, header)}))
    return tuple(headers)


def describe_frames(dataset: Any) -> Iterator[Dataset]:
    """The attributes of each frame, flat as in a single-frame image; its own groups go before the shared ones."""
    whole = Dataset()
    for name in TOP:
        if name in dataset:
            whole[name] = dataset[name]
    for item in (dataset.get(SHARED) or [])[:1]:
        _add_groups(whole, item)
    for item in list_items(dataset, PER_FRAME):
        frame = Dataset()
        frame.update(whole)
        _add_groups(frame, item)
        yield frame


def list_items(dataset: Any, name: str) -> Iterator[Dataset]:
    """Items of a sequence, one at a time where nobody has asked for all: of thousands each takes 20 KB in memory."""
    raw = dataset.get_item(name) if name in dataset else None
    if not isinstance(raw, RawDataElement) or raw.VR not in ("SQ", None) or not raw.value:
        yield from dataset.get(name) or []
        return
    stream, encoding = BytesIO(raw.value), dataset.original_character_set
    while stream.tell() < len(raw.value):
        item = read_sequence_item(stream, raw.is_implicit_VR, raw.is_little_endian, encoding)
        if item is None:
            return
        yield item


def count_items(dataset: Any, name: str) -> int:
    """How many items a sequence has."""
    return sum(1 for _ in list_items(dataset, name))


def _add_groups(flat: Dataset, groups: Any) -> None:
    for name in GROUPS:
        # A group that lies within another one has been added with it.
        found = groups.get(name) or flat.get(name)
        if found:
            flat.update(found[0])


def _read_dimensions(frame: Dataset, names: list[str], header: Header) -> dict[str, str]:
    """Indices of the dimensions that are neither places nor marks already."""
    values = frame.get("DimensionIndexValues")
    indices = [values] if isinstance(values, int) else list(values or [])
    return {
        f"Dimension{name}": str(index)
        for name, index in zip(names, indices, strict=False)
        if name and name not in PLACE and name not in header.marks
    }
