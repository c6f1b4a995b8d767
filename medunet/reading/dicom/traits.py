"""What the headers of a series say of how it was made: what a rule may ask for."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from pydicom.errors import InvalidDicomError

from medunet.errors import MedunetError
from medunet.reading.dicom.claims import THICKNESS
from medunet.reading.dicom.elements import read_dataset
from medunet.reading.dicom.headers import Header
from medunet.reading.dicom.series import Series

PLANES = ("sagittal", "coronal", "axial")
"""By the axis of the patient that the normal of the slices is nearest to: x, y, z."""
UPRIGHT = np.cos(np.radians(30))
"""A plane whose normal is farther than 30 degrees from all axes is oblique; a gantry leans by up to 30."""
SHARED, FRAMES = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
NO_AGENT = ("none", "no", "no contrast", "without")
"""What stands for an agent where there was none."""
PARALLEL = np.cos(np.radians(1))
SAME_MM = 1e-3
"""Slices nearer than this are at one place."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a series is like; None or () where its headers don't say.

    Attributes:
        modality: CT, PT, MR, ….
        description: SeriesDescription.
        plane: axial, sagittal, coronal or oblique, by the orientation of its slices; None where they differ in it.
        thickness: largest SliceThickness, mm.
        spacing: median distance between neighbouring slices by their positions, mm; None where they aren't parallel.
        pixel: the larger edge of a pixel, mm.
        slices: how many.
        kernel: ConvolutionKernel.
        contrast: "yes" where the headers name an agent that was given, else "no".
        image_type: values of ImageType.
        number: SeriesNumber.
    """

    modality: str
    description: str | None
    plane: str | None
    thickness: float | None
    spacing: float | None
    pixel: float | None
    slices: int
    kernel: str | None
    contrast: str
    image_type: tuple[str, ...]
    number: int | None


def find_traits(series: Series) -> Traits:
    """Read what a series is like; the same in whatever order its files were found.

    Args:
        series: as found; a header that wasn't kept whole is parsed again.
    """
    headers = series.headers
    # Of one slice, since slices may differ: which one must not depend on names of files.
    first = min(headers, key=lambda header: header.instance_uid) if headers else None
    dataset = _open(first.open) if first else _open_placeless(series)
    thick = [header.claims[THICKNESS] for header in headers if THICKNESS in header.claims]
    with suppress(TypeError, ValueError):
        thick = thick or [float(_find(dataset, THICKNESS))]
    number = None
    with suppress(ValueError):
        number = int(series.number)
    return Traits(
        modality=series.modality,
        description=str(_find(dataset, "SeriesDescription") or series.description) or None,
        plane=_name_plane(headers),
        thickness=max(thick) if thick else None,
        spacing=_measure_spacing(headers, first) if first else None,
        pixel=float(max(first.spacing)) if first else _find_pixel(dataset),
        slices=len(headers) or len(series.files),
        kernel="\\".join(_list_texts(_find(dataset, "ConvolutionKernel"))) or None,
        contrast="yes" if _has_contrast(dataset) else "no",
        image_type=tuple(_list_texts(_find(dataset, "ImageType"))),
        number=number,
    )


def _open(read: Callable[[], Any]) -> Any:
    """The whole header; a file that can't be read again is refused later, with its own sentence."""
    try:
        return read()
    except (MedunetError, OSError, ValueError, InvalidDicomError):
        return {}


def _open_placeless(series: Series) -> Any:
    """The header of a file of a series of which none has a place, such as a mosaic: that of the first UID."""
    datasets = [_open(partial(read_dataset, path)) for path in series.files]
    return min(datasets, key=lambda dataset: str(dataset.get("SOPInstanceUID", "")), default={})


def _find_pixel(dataset: Any) -> float | None:
    try:
        return float(max(map(float, dataset.get("PixelSpacing") or ()), default=0)) or None
    except (TypeError, ValueError):
        return None


def _find(dataset: Any, name: str) -> Any:
    """A value of a header, or of what all frames of a multi-frame file share."""
    if (value := dataset.get(name)) not in (None, ""):
        return value
    return next((value for group in _list_groups(dataset) if (value := group.get(name)) not in (None, "")), None)


def _list_groups(dataset: Any) -> Iterator[Any]:
    """The groups of all frames, then those of the first one."""
    for name in (SHARED, FRAMES):
        for item in list(dataset.get(name) or ())[:1]:
            for element in item:
                if element.VR == "SQ":
                    yield from element.value


def _has_contrast(dataset: Any) -> bool:
    """Whether an agent was given, by single slices (PS3.3 C.7.6.4) or frames (C.7.6.4b, C.7.6.16.2.12).

    Frames say of each agent whether it was administered before them; where they are silent, each that is listed was.
    """
    named = _list_texts(dataset.get("ContrastBolusAgent"))
    if named:
        return any(text.casefold() not in NO_AGENT for text in named)
    groups = (item for name in (SHARED, FRAMES) for item in dataset.get(name) or ())
    usage = [use for group in groups for use in group.get("ContrastBolusUsageSequence") or ()]
    if usage:
        return any(str(use.get("ContrastBolusAgentAdministered", "YES")).strip() != "NO" for use in usage)
    return bool(dataset.get("ContrastBolusAgentSequence"))


def _list_texts(value: Any) -> list[str]:
    if value is None:
        return []
    values = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
    return [text for item in values if (text := str(item).strip())]


def _find_normal(header: Header) -> Any:
    return np.cross(header.orientation[0], header.orientation[1])


def _name_plane(headers: tuple[Header, ...]) -> str | None:
    """The plane of slices, by their normals; LPS and RAS differ in signs alone."""
    along = np.abs([_find_normal(header) for header in headers])
    nearest = [int(np.argmax(row)) for row in along]
    names = {PLANES[axis] if row[axis] >= UPRIGHT else "oblique" for axis, row in zip(nearest, along, strict=True)}
    return names.pop() if len(names) == 1 else None


def _measure_spacing(headers: tuple[Header, ...], first: Header) -> float | None:
    normal = _find_normal(first)
    if any(abs(normal @ _find_normal(header)) < PARALLEL for header in headers):
        return None
    steps = np.diff(np.sort([float(normal @ header.position) for header in headers]))
    steps = steps[steps > SAME_MM]
    return float(np.median(steps)) if len(steps) else None
