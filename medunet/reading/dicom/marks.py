"""What tells the images of one series apart beside their places: echo, b-value, time point, stack, reconstruction.

A *mark* is the value of such a tag, spelt as text; an image has those marks that its header names.
"""

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
# Before DiffusionBValue became common vendors kept it to themselves: element by group and private creator.
_PRIVATE_B = ((0x0019, "SIEMENS MR HEADER", 0x0C), (0x2001, "Philips Imaging DD 001", 0x03))


def read_marks(dataset: Any) -> dict[str, str]:
    """Marks of one image; a time is put after its date, so that midnight doesn't matter."""
    there = _TAGS.keys() & dataset.keys()  # asking a dataset for what it lacks costs most of the reading of a header
    marks = {name: text for tag, name in _TAGS.items() if tag in there and (text := _spell(_take(dataset, name)))}
    for time, date in _DATES.items():
        if time in marks:
            marks[time] = _spell(_take(dataset, date)) + marks[time]
    if "DiffusionBValue" not in marks and (value := _find_private_b(dataset)):
        marks["DiffusionBValue"] = value
    return marks


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


def _find_private_b(dataset: Any) -> str:
    groups = {tag >> 16 for tag in dataset.keys()}  # noqa: SIM118 - a dataset itself yields elements, not tags
    for group, creator, element in _PRIVATE_B:
        if group not in groups:
            continue
        try:
            return f"{float(dataset.private_block(group, creator)[element].value):.10g}"
        # No such block, or no number: then nothing is known, as with any absent tag.
        except (KeyError, TypeError, ValueError):
            continue
    return ""


def sort_key(text: str) -> tuple[float, str]:
    """Order of marks: numbers by size, then words."""
    try:
        return float(text), ""
    except ValueError:
        return float("inf"), text
