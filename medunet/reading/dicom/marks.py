"""What tells the images of one series apart beside their places: echo, b-value, time point, stack, reconstruction.

A *mark* is the value of such a tag, spelt as text; an image has those marks that its header names.
"""

import struct
from typing import Any

from pydicom.tag import Tag

SAME = (
    "StackID",
    "EchoTime",
    "EffectiveEchoTime",
    "DiffusionBValue",
    "InversionTime",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TemporalPositionTimeOffset",
)
"""One image has one value of each of these, however regular its slices lie."""
DIFFERING = (
    *SAME,
    "EchoNumbers",
    "DiffusionGradientOrientation",
    "ASLContext",
    "FlipAngle",
    "ImageType",
    "FrameType",
    "ConvolutionKernel",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "AcquisitionTime",
)
"""Images of one place may differ in these; the first that makes each of them one volume names them."""
COUNTED = (
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "FrameReferenceDateTime",
    "AcquisitionTime",
    "ContentTime",
)
"""Tags that count up from slice to slice too: at each place the images are numbered in their order."""
_DATES = {"AcquisitionTime": "AcquisitionDate", "ContentTime": "ContentDate"}
_TAGS = {Tag(name): name for name in dict.fromkeys((*DIFFERING, *COUNTED))}
_PRIVATE = (
    ("DiffusionBValue", 0x0019, "SIEMENS MR HEADER", (0x0C,)),
    ("DiffusionBValue", 0x2001, "Philips Imaging DD 001", (0x03,)),
    ("DiffusionBValue", 0x0065, "Image Private Header", (0x09,)),
    ("BValue", 0x0043, "GEMS_PARM_01", (0x39,)),
    ("DiffusionGradientOrientation", 0x0019, "SIEMENS MR HEADER", (0x0E,)),
    ("DiffusionGradientOrientation", 0x0019, "GEMS_ACQU_01", (0xBB, 0xBC, 0xBD)),
    ("DiffusionGradientOrientation", 0x2005, "Philips MR Imaging DD 001", (0xB0, 0xB1, 0xB2)),
    ("DiffusionGradientOrientation", 0x0065, "Image Private Header", (0x37,)),
    ("ASLContext", 0x2005, "Philips MR Imaging DD 005", (0x29,)),
    ("PhaseNumber", 0x2001, "Philips Imaging DD 001", (0x08,)),
)
"""What vendors keep to themselves: mark, group, private creator, elements.

GE writes the element of its b-value into images that aren't diffusion-weighted, too, so that it is a mark of its own,
in which slices of one image may differ."""
_GE_OFFSET = 100_000
"""GE adds a multiple of this to a b-value."""


def read_marks(dataset: Any) -> dict[str, str]:
    """Marks of one image; a time is put after its date, so that midnight doesn't matter."""
    there = _TAGS.keys() & dataset.keys()  # asking a dataset for what it lacks costs most of the reading of a header
    marks = {name: text for tag, name in _TAGS.items() if tag in there and (text := _spell(_take(dataset, name)))}
    for time, date in _DATES.items():
        if time in marks:
            marks[time] = _spell(_take(dataset, date)) + marks[time]
    return {**_read_private(dataset), **marks}


def _read_private(dataset: Any) -> dict[str, str]:
    groups = {tag >> 16 for tag in dataset.keys()}  # noqa: SIM118 - a dataset itself yields elements, not tags
    marks = {}
    for name, group, creator, elements in _PRIVATE:
        if group in groups and name not in marks:
            values = [_decode(find_private(dataset, group, creator, element)) for element in elements]
            if all(values):
                marks[name] = "/".join(values)
    if "BValue" in marks:
        # Its other numbers have nothing to do with it.
        value = sort_key(marks["BValue"].split("/")[0])[0]
        marks["BValue"] = f"{value % _GE_OFFSET:.10g}" if value < float("inf") else ""
    return {name: text for name, text in marks.items() if text}


def _decode(value: Any) -> str:
    """A private value as text; one whose type nobody names is text or one binary number."""
    if isinstance(value, bytes):
        text = value.rstrip(b"\0 ").decode("ascii", "replace")
        if text and text.isascii() and text.isprintable():
            return _spell([_to_number(part) for part in text.split("\\")])
        kind = {4: "<f", 8: "<d"}.get(len(value))
        return _spell(struct.unpack(kind, value)[0]) if kind else ""
    if isinstance(value, str):
        return _spell(_to_number(value))
    return _spell(value)


def _to_number(text: str) -> float | str:
    number, _ = sort_key(text)
    return text.strip() if number == float("inf") else number


def _take(dataset: Any, name: str) -> Any:
    """A value, or None where it is absent or is text that should be a number (pydicom raises only now)."""
    try:
        return dataset.get(name)
    except (TypeError, ValueError):
        return None


def _spell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return (value or "").strip()
    if isinstance(value, float | int):
        return f"{float(value):.10g}"
    return "/".join(_spell(item) for item in value)


def find_private(dataset: Any, group: int, creator: str, element: int) -> Any:
    """The value of a private element, None where there is no such block or element, or it can't be read."""
    first = group << 16 | 0x0010
    if not any(tag in dataset for tag in range(first, first + 8)):
        return None
    try:
        return dataset.private_block(group, creator)[element].value
    # pydicom makes values only now, and raises what it likes.
    except Exception:
        return None


def sort_key(text: str) -> tuple[float, str]:
    """Order of marks: numbers by size, then words."""
    try:
        return float(text), ""
    except ValueError:
        return float("inf"), text
