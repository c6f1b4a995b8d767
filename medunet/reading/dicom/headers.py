"""Headers of DICOM images: what is needed of each file, and one affine fitted to all of them.

Axes: I counts columns (along the direction of a row), J rows, K slices along the normal, so that
`voxels[i, j, k] = pixel_array_of_slice_k[j, i]`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset

from medunet.errors import SeriesError
from medunet.geometry import ACCEPTED_MM, Grid, find_limits, flip_lps_ras
from medunet.reading.dicom.claims import Claims, read_claims
from medunet.reading.dicom.elements import read_dataset
from medunet.reading.dicom.file_headers import FileHeader, stamp_file
from medunet.reading.dicom.marks import read_marks

ORTHONORMAL = 1e-3
"""Largest deviation of direction cosines from unit length and right angle."""
MOST_PIXELS = 1 << 26
"""Pixels that a slice may have; a header that declares more is refused."""
LISTED = 5
"""Gaps that a message names."""
FEW = 0.1
"""Share of slices that may be too many; of more it can't be said which ones are."""
GAP = 0.01
"""A step within 1 % of a multiple of the usual one is a gap of missing slices."""


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What is needed of one slice.

    Attributes:
        path: its file.
        instance_uid: SOPInstanceUID.
        shape: (columns, rows).
        spacing: PixelSpacing as stored: between rows, between columns, in mm.
        orientation: (2, 3) direction cosines of a row and of a column, LPS.
        position: (3,) centre of the first pixel, LPS mm.
        frame: its number in a multi-frame file, from 0; None where the file is the slice.
        marks: what tells images of one place apart.
        claims: what its other tags say of its place.
        file: the header of the whole file; None where only the geometry is known.
    """

    path: str
    instance_uid: str
    shape: tuple[int, int]
    spacing: tuple[float, float]
    orientation: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    frame: int | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)
    file: FileHeader | None = None

    @property
    def subject(self) -> str:
        """The file, and the frame in it, for messages."""
        return self.path if self.frame is None else name_frame(self.path, self.frame)

    def open(self) -> FileDataset:
        """The header of the whole file, as of `FileHeader.open`."""
        return self.file.open() if self.file else read_dataset(self.path)

    def describe(self) -> FileDataset:
        """The header of the whole file without its pixels, which may be changed, as of `FileHeader.describe`."""
        return (self.file or FileHeader(self.path, stamp_file(self.path))).describe()


def name_frame(path: str, frame: int) -> str:
    """A frame, counted from 0, in the words of a message, which counts from 1."""
    return f"{path} frame {frame + 1}"


def read_header(dataset: Any, path: str, frame: int | None = None) -> Header:
    """Take and check the geometry of one image.

    Args:
        dataset: a pydicom Dataset of a single-frame image, or what describes one frame as if it were one.
        path: its file.
        frame: number of that frame, from 0.

    Raises:
        SeriesError: a tag is missing, or its value places no pixel.
    """
    subject = path if frame is None else name_frame(path, frame)
    if frame is None and read_count(dataset, "NumberOfFrames", path) > 1:
        found = "it is a multi-frame image that doesn't say where its frames lie"
        raise SeriesError(path, found, "convert it to single frames", code="place-missing")
    shape = read_shape(dataset, subject)
    spacing = read_numbers(dataset, "PixelSpacing", 2, subject)
    if min(spacing) <= 0:
        found = f"Pixel Spacing is {spacing[0]:g}, {spacing[1]:g} mm"
        raise SeriesError(subject, found, "restore it from the scanner", code="place-missing")
    orientation = read_numbers(dataset, "ImageOrientationPatient", 6, subject).reshape(2, 3)
    lengths = np.linalg.norm(orientation, axis=1)
    if np.abs(lengths - 1).max() > ORTHONORMAL or abs(float(orientation[0] @ orientation[1])) > ORTHONORMAL:
        found = "Image Orientation (Patient) holds no two perpendicular unit vectors"
        raise SeriesError(subject, found, "restore it", code="place-missing")
    return Header(
        path=path,
        instance_uid=str(dataset.get("SOPInstanceUID", "")),
        shape=shape,
        spacing=(float(spacing[0]), float(spacing[1])),
        orientation=orientation,
        position=read_numbers(dataset, "ImagePositionPatient", 3, subject),
        frame=frame,
        marks=read_marks(dataset),
        claims=read_claims(dataset),
    )


def read_shape(dataset: Any, subject: str) -> tuple[int, int]:
    """Columns and rows; a SeriesError where they make no slice."""
    shape = read_count(dataset, "Columns", subject), read_count(dataset, "Rows", subject)
    if min(shape) < 1 or shape[0] * shape[1] > MOST_PIXELS:
        found = f"it has {shape[0]} Columns and {shape[1]} Rows"
        raise SeriesError(subject, found, "restore the header", f"1 to {MOST_PIXELS} pixels", code="place-missing")
    return shape


def read_count(dataset: Any, name: str, subject: str) -> int:
    """A whole number of the header, 0 where it is absent (for frames that means 1)."""
    try:
        return int(dataset.get(name) or 0)
    except (TypeError, ValueError):
        raise SeriesError(subject, f"{name} is no number", "restore the header", code="header-wrong") from None


def read_numbers(dataset: Any, name: str, length: int, path: str) -> npt.NDArray[np.float64]:
    """Take finite numbers out of a dataset; a SeriesError where they are missing or something else."""
    try:
        # pydicom turns text into numbers only now, and raises here.
        value = dataset.get(name)
        if value is None or value == "":
            found = f"{name} is missing"
            raise SeriesError(path, found, "restore the header; medunet never guesses geometry", code="place-missing")
        numbers = np.array([float(item) for item in value], dtype=np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, SeriesError):
            raise
        raise SeriesError(path, f"{name} is no list of numbers", "restore the header", code="place-missing") from None
    if len(numbers) != length or not np.isfinite(numbers).all():
        found = f"{name} is {value!r}"
        raise SeriesError(path, found, "restore the header", expected=f"{length} finite numbers", code="place-missing")
    return numbers


def order_headers(headers: Sequence[Header]) -> list[Header]:
    """Order slices along their common normal.

    Raises:
        SeriesError: slices differ in size, spacing or orientation.
    """
    first = headers[0]
    limit = find_limits(*first.spacing).recorded
    for header in headers[1:]:
        if header.shape != first.shape:
            found = f"its size {header.shape} is not {first.shape}, as in {first.subject}"
            raise SeriesError(header.subject, found, _SPLIT, code="slices-irregular")
        extent = max(first.shape)
        if np.abs(np.subtract(header.spacing, first.spacing)).max() * extent > limit:
            found = f"its Pixel Spacing {header.spacing} is not {first.spacing}"
            raise SeriesError(header.subject, found, _SPLIT, code="slices-irregular")
        turned = np.linalg.norm(header.orientation - first.orientation, axis=1).max() * extent * max(first.spacing)
        if turned > limit:
            found = "its orientation differs from that of the other slices"
            raise SeriesError(header.subject, found, _SPLIT, code="slices-irregular")
    return sort_headers(headers)


def sort_headers(headers: Sequence[Header]) -> list[Header]:
    """Sort slices along the normal of the first."""
    return [headers[n] for n in np.argsort(measure_heights(headers), kind="stable")]


def measure_heights(headers: Sequence[Header]) -> npt.NDArray[np.float64]:
    """Place of each slice along the normal of the first, in mm."""
    heights: npt.NDArray[np.float64] = np.array([header.position for header in headers]) @ np.cross(
        *headers[0].orientation
    )
    return heights


_SPLIT = "take the file out of the series"


def fit_grid(headers: Sequence[Header]) -> tuple[Grid, float]:
    """Fit one affine to ordered slices: columns from the orientation, the step by least squares over positions.

    The largest distance between where the affine puts a slice's corner and where its own header does decides
    (architecture, decision 5).

    Returns:
        The grid, RAS, and that distance in mm.

    Raises:
        SeriesError: fewer than two slices, two at one place, slices missing, or uneven steps.
    """
    if len(headers) < 2:
        found = "it is a single slice, which makes no volume"
        raise SeriesError(headers[0].subject, found, "give the whole series", code="single-slice")
    positions = np.array([header.position for header in headers])
    _check_steps(headers)
    index = np.arange(len(headers)) - (len(headers) - 1) / 2
    step = (index[:, None] * (positions - positions.mean(axis=0))).sum(axis=0) / (index**2).sum()
    row, column = _straighten(headers[0].orientation)
    affine = np.eye(4)
    affine[:3, 0] = row * headers[0].spacing[1]
    affine[:3, 1] = column * headers[0].spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = positions.mean(axis=0) + index[0] * step
    grid = Grid((*headers[0].shape, len(headers)), flip_lps_ras(affine))
    distance = max(_measure_slice(header, k, affine) for k, header in enumerate(headers))
    if distance > grid.limits.recorded:
        steps = np.diff(positions @ np.cross(row, column))
        largest = headers[int(np.argmax(steps))].subject
        uneven = f"steps from {steps.min():.3f} to {steps.max():.3f} mm, the largest after {largest}"
        found = f"its slices lie up to {distance:.2f} mm away from any regular grid ({uneven})"
        remedy = "check positions, spacing and orientation; medunet doesn't guess"
        raise SeriesError(
            headers[0].subject, found, remedy, f"at most {grid.limits.recorded:g} mm", code="slices-irregular"
        )
    return grid, distance


def _straighten(orientation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The pair of perpendicular unit vectors (2, 3) nearest to rounded direction cosines.

    What this moves shows in the distance to each slice's own header, as all else does. Source: the polar factor is
    the nearest orthonormal matrix (Higham, Computing the polar decomposition, SIAM J. Sci. Stat. Comput. 7, 1986).
    """
    left, _, right = np.linalg.svd(orientation, full_matrices=False)
    straight: npt.NDArray[np.float64] = left @ right
    return straight


def _check_steps(headers: Sequence[Header]) -> None:
    heights = measure_heights(headers)
    steps = np.diff(heights)
    # The second bound lets slices of a microscope or micro-CT lie nearer to each other than the first.
    if steps.min() <= min(ACCEPTED_MM, 0.1 * steps.max()):
        k = int(np.argmin(steps))
        found = f"it lies where {headers[k + 1].subject} lies, but they are different images"
        raise SeriesError(headers[k].subject, found, _SPLIT, code="slices-mixed")
    if extra := _find_extra(heights):
        raise _name_extra(headers, heights, extra)
    base = np.median(steps[steps < 1.5 * steps.min()])
    multiples = np.rint(steps / base)
    gaps = np.flatnonzero(multiples > 1)
    if len(gaps) and (np.abs(steps / base - multiples) <= GAP * multiples).all():
        places = ", ".join(
            f"{int(multiples[k]) - 1} between {heights[k]:.2f} and {heights[k + 1]:.2f} mm" for k in gaps[:LISTED]
        )
        more = f" and {len(gaps) - LISTED} more gaps" if len(gaps) > LISTED else ""
        found = f"after it slices are missing, along the normal of the slices: {places}{more}"
        raise SeriesError(headers[int(gaps[0])].subject, found, "restore the missing files", code="slices-missing")


def _find_extra(heights: npt.NDArray[np.float64]) -> list[int]:
    """Slices without which all others lie at the usual step; none where there are none such, or more than a few."""
    usual = float(np.median(np.diff(heights)))
    left, extra = list(range(len(heights))), list[int]()
    while (off := _leave_regular(heights[left], usual)) > GAP * usual:
        if len(extra) == max(1, int(FEW * len(heights))):
            return []
        k = int(np.argmin(np.diff(heights[left])))
        odd = min((k, k + 1), key=lambda n: _leave_regular(heights[left[:n] + left[n + 1 :]], usual))
        if _leave_regular(heights[left[:odd] + left[odd + 1 :]], usual) > off:
            return []
        extra.append(left.pop(odd))
    return sorted(extra)


def _leave_regular(heights: npt.NDArray[np.float64], usual: float) -> float:
    """How far the step that is farthest from the usual one is from it, in mm."""
    return float(np.abs(np.diff(heights) - usual).max()) if len(heights) > 2 else float("inf")


def _name_extra(headers: Sequence[Header], heights: npt.NDArray[np.float64], extra: list[int]) -> SeriesError:
    usual = float(np.median(np.diff(heights)))
    parts = []
    for k in extra:
        below = f"{heights[k] - heights[k - 1]:.2f} mm from the one below" if k else ""
        above = f"{heights[k + 1] - heights[k]:.2f} mm from the one above" if k + 1 < len(heights) else ""
        at = f"at {heights[k]:.2f} mm along the normal, {' and '.join(filter(None, (below, above)))}"
        parts.append(at if k == extra[0] else f"{headers[k].subject} {at}")
    few = "it is one slice" if len(extra) == 1 else f"{len(extra)} slices are"
    found = f"{few} too many among steps of {usual:.2f} mm: it lies {', '.join(parts)}"
    return SeriesError(headers[extra[0]].subject, found, _SPLIT, code="slices-irregular")


def _measure_slice(header: Header, k: int, affine: npt.NDArray[np.float64]) -> float:
    columns, rows = header.shape
    corners = np.array([(i, j) for i in (0, columns - 1) for j in (0, rows - 1)], dtype=float)
    own = (
        header.position
        + corners[:, :1] * header.orientation[0] * header.spacing[1]
        + corners[:, 1:] * header.orientation[1] * header.spacing[0]
    )
    fitted = corners @ affine[:3, :2].T + k * affine[:3, 2] + affine[:3, 3]
    return float(np.linalg.norm(own - fitted, axis=1).max())
