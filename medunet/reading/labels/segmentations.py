"""DICOM SEG: bring each frame where it says that it lies, never where its number would have it."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRBigEndian

from medunet.errors import GeometryError, LabelError, refuse_damage
from medunet.findings import warn
from medunet.geometry import RESAMPLE, Grid, flip_lps_ras
from medunet.labels import LabelTable, Mask
from medunet.reading.dicom.frames import PER_FRAME, count_items, describe_frames
from medunet.reading.dicom.headers import Header, read_header
from medunet.reading.dicom.objects import ANYWHERE, SEG, Place, check_frame_of_reference, read_object
from medunet.reading.dicom.slices import read_planes
from medunet.reading.labels.painting import Painting
from medunet.reading.options import LabelOptions
from medunet.records import suggest

BITS = {"BINARY": (1,), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}
"""Bits of a pixel by SegmentationType (DICOM PS3.3 C.8.20.2)."""
FRACTIONS = "it holds fractions; voxels of at least one half belong to a segment"
_AGAIN = "export it again"
NOTHING_SAID = LabelOptions()


def read_segmentation(
    path: Path | str,
    grid: Grid,
    table: LabelTable,
    segments: Mapping[str, str] | None = None,
    place: Place = ANYWHERE,
    options: LabelOptions = NOTHING_SAID,
) -> Mask:
    """Read a segmentation on the grid of its image: BINARY, FRACTIONAL from one half on, or LABELMAP.

    Each frame is placed by its own position, orientation and spacing, so its planes may come in any order, be left
    out where they are empty, and be flipped or turned, as long as their pixels are voxels of the grid.

    Args:
        path: a DICOM Segmentation.
        grid: of the image.
        table: the labels that may occur.
        segments: SegmentLabel for each label; the label's own name where not given. Other segments are left out.
        place: of the image, in whose frame of reference it must lie, or whose slices it must name.
        options: which segment has voxels that several share.

    Raises:
        LabelError: it is no segmentation, lacks a segment, was made in another frame of reference, or two of its
            segments overlap and nothing says which has their voxels.
        GeometryError: its pixels are no voxels of the grid.
        SeriesError: a frame has no position, orientation or spacing, or can't be decoded.
    """
    with refuse_damage(path, LabelError):
        return place_segments(read_object(path, SEG), path, grid, table, segments, place, options)


def place_segments(
    dataset: Any,
    path: Path | str,
    grid: Grid,
    table: LabelTable,
    segments: Mapping[str, str] | None = None,
    place: Place = ANYWHERE,
    options: LabelOptions = NOTHING_SAID,
) -> Mask:
    """Bring the dataset of a segmentation on the grid of its image, as `read_segmentation` does."""
    _check_encoding(dataset, path)
    check_frame_of_reference(dataset, place, path)
    painting = Painting(grid.shape, table, options, str(path), "segments")
    _place_frames(dataset, grid, _match_segments(dataset, table, segments or {}, path), painting, str(path))
    notes = (FRACTIONS,) if dataset.SegmentationType == "FRACTIONAL" else ()
    return Mask("classes", painting.finish(), grid, table, notes)


def _place_frames(dataset: Any, grid: Grid, values: Mapping[int, int], painting: Painting, path: str) -> None:
    """Paint all frames; `values` are those of the labels by SegmentNumber."""
    farthest = 0.0
    for _, header, shown in _show_frames(dataset, path):
        start, steps, distance = _place(header, grid)
        farthest = max(farthest, distance)
        for segment, inside in shown:
            # Most frames of many segments are empty, and finding nothing in them takes longer than all else.
            if segment in values and inside.any():
                j, i = np.nonzero(inside)
                index = start + i[:, None] * steps[0] + j[:, None] * steps[1]
                _check_inside(index, grid, header.subject)
                painting.paint(tuple(index.T), values[segment])
    if farthest > grid.limits.accepted:
        warn("label-grid", path, f"its pixels lie up to {farthest:.3g} mm away from the voxels of its image")


def _show_frames(dataset: Any, path: str) -> Iterator[tuple[Any, Header, list[tuple[int, npt.NDArray[np.generic]]]]]:
    """Attributes and header of each frame, and the segments that it shows: SegmentNumber and pixels.

    Raises:
        LabelError: one of them isn't described.
    """
    numbers = set(_number_segments(dataset, path).values())
    planes = zip(describe_frames(dataset), _read_planes(dataset, path), strict=True)
    for number, (frame, plane) in enumerate(planes):
        header = read_header(frame, path, number)
        shown = list(_split(dataset, frame, plane, header.subject))
        unknown = next((segment for segment, _ in shown if segment not in numbers), None)
        if unknown is not None:
            found = f"it shows the segment {unknown}, which isn't described"
            raise LabelError(header.subject, found, _AGAIN, code="label-unknown")
        yield frame, header, shown


def measure_segments(path: Path | str) -> dict[str, float]:
    """The volume of each segment in mL, by its pixels and the distance of slices, without the image.

    Args:
        path: a DICOM Segmentation.

    Raises:
        LabelError: it is none, or can't be read.
        SeriesError: a frame has no position, orientation or spacing, or can't be decoded.
    """
    with refuse_damage(path, LabelError):
        dataset = read_object(path, SEG)
        _check_encoding(dataset, path)
        names = {number: name for name, number in _number_segments(dataset, path).items()}
        volumes = dict.fromkeys(names.values(), 0.0)
        for frame, header, shown in _show_frames(dataset, str(path)):
            step = float(frame.get("SpacingBetweenSlices") or frame.get("SliceThickness") or 0)
            for number, inside in shown:
                volumes[names[number]] += np.count_nonzero(inside) * float(np.prod(header.spacing)) * step / 1000
        return volumes


def _check_encoding(dataset: Any, path: Path | str) -> None:
    kind, bits = dataset.get("SegmentationType"), dataset.get("BitsAllocated")
    if bits not in BITS.get(kind, ()):
        found = f"it is a {kind} segmentation of {bits} bits"
        raise LabelError(path, found, "convert it to a BINARY one", code="encoding-unsupported")
    syntax = dataset.file_meta.TransferSyntaxUID
    if kind == "BINARY" and (syntax.is_compressed or syntax == ExplicitVRBigEndian):
        found = f"its encoding {syntax.name} is not read"
        raise LabelError(path, found, "convert it to Explicit VR Little Endian", code="encoding-unsupported")
    frames, declared = count_items(dataset, PER_FRAME), dataset.get("NumberOfFrames")
    wanted = -(-frames * int(dataset.Rows) * int(dataset.Columns) * bits // 8)
    held = dataset.get_item("PixelData", keep_deferred=True).length if "PixelData" in dataset else 0
    if frames == 0 or frames != declared or (held < wanted and not syntax.is_compressed):
        found = f"it declares {declared} frames, describes {frames} and holds {held} bytes"
        raise LabelError(path, found, _AGAIN, code="file-damaged")
    if kind == "FRACTIONAL":
        if not dataset.get("MaximumFractionalValue"):
            raise LabelError(path, "it says no Maximum Fractional Value", _AGAIN, code="encoding-unsupported")
        warn("label-fractions", path, FRACTIONS)


def _number_segments(dataset: Any, path: Path | str) -> dict[str, int]:
    """SegmentLabel to SegmentNumber, without the background that a label map may describe."""
    numbers: dict[str, int] = {}
    for item in dataset.get("SegmentSequence") or []:
        name, number = str(item.get("SegmentLabel", "")), int(item.get("SegmentNumber") or 0)
        if number == 0:
            continue
        if name in numbers:
            raise LabelError(path, f"two of its segments are called {name}", "rename one of them", code="label-twice")
        numbers[name] = number
    return numbers


def _match_segments(dataset: Any, table: LabelTable, segments: Mapping[str, str], path: Path | str) -> dict[int, int]:
    """SegmentNumber to the value of its label."""
    numbers, values = _number_segments(dataset, path), {}
    for label in table.labels:
        name = segments.get(label.name, label.name)
        if not name:
            continue
        if name not in numbers:
            raise LabelError(path, f"it has no segment '{name}'", suggest(name, sorted(numbers)), code="label-unknown")
        values[numbers[name]] = label.value
    return values


def _read_planes(dataset: Any, path: str) -> Iterator[npt.NDArray[np.generic]]:
    """Pixels (rows, columns) of all frames in the order of the file."""
    frames = range(int(dataset.NumberOfFrames))
    if dataset.SegmentationType != "BINARY":
        yield from read_planes(dataset, path, list(frames))
        return
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    held = dataset.get_item("PixelData", keep_deferred=True)
    # Where nobody has asked for them they are in the file alone, and may be more than the memory holds.
    with BytesIO(held.value) if held.value else open(path, "rb") as stream:
        begin = 0 if held.value else held.value_tell
        for frame in frames:
            start, end = frame * rows * columns, (frame + 1) * rows * columns
            stream.seek(begin + start // 8)
            yield _unpack(stream.read(-(-end // 8) - start // 8), start % 8, rows * columns).reshape(rows, columns)


def _split(
    dataset: Any, frame: Any, plane: npt.NDArray[np.generic], subject: str
) -> Iterator[tuple[int, npt.NDArray[np.generic]]]:
    """SegmentNumbers that a frame shows, and where: one of its own, or in a label map each of its values."""
    if dataset.SegmentationType == "LABELMAP":
        for number in np.unique(plane).tolist():
            if number:
                yield number, plane == number
        return
    if frame.get("ReferencedSegmentNumber") is None:
        raise LabelError(subject, "it names no segment", _AGAIN, code="label-unknown")
    fractional = dataset.SegmentationType == "FRACTIONAL"
    inside = plane >= dataset.MaximumFractionalValue / 2 if fractional else plane.astype(np.bool_)
    yield int(frame.ReferencedSegmentNumber), inside


def _place(header: Header, grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], float]:
    """Where a frame lies on the grid.

    Args:
        header: of the frame.
        grid: that it must lie on.

    Returns:
        (3,) index of its first pixel, (2, 3) steps of the index along a row and down a column, and how far in mm its
        pixels lie from the voxels that they are taken for.
    """
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = header.orientation * np.array(header.spacing[::-1])[:, None]
    affine[:3, 3] = header.position
    affine = flip_lps_ras(affine)
    corners = np.array([(i, j) for i in (0, header.shape[0] - 1) for j in (0, header.shape[1] - 1)], dtype=np.float64)
    world = corners @ affine[:3, :2].T + affine[:3, 3]
    steps = np.rint(np.linalg.solve(grid.affine[:3, :3], affine[:3, :2]).T).astype(np.int64)
    start = np.rint(grid.to_voxel(affine[None, :3, 3])[0]).astype(np.int64)
    distance = np.linalg.norm(grid.to_world(start + corners @ steps) - world, axis=1).max()
    if distance > grid.limits.recorded:
        sizes = " × ".join(f"{size:.4g}" for size in header.spacing[::-1])
        found = f"its pixels lie up to {distance:.3g} mm away from the voxels of its image, and measure {sizes} mm"
        raise GeometryError(header.subject, found, RESAMPLE, grid.describe(), code="label-grid")
    return start, steps, float(distance)


def _unpack(data: bytes, start: int, count: int) -> npt.NDArray[np.uint8]:
    """Bits `start` to `start + count` of packed pixels, lowest bit of a byte first (DICOM PS3.5 8.1.1).

    Frames follow each other without padding, so that one may begin within a byte.
    """
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[start:][:count]


def _check_inside(index: npt.NDArray[np.int64], grid: Grid, subject: str) -> None:
    """Refuse voxels, (N, 3) indices, that the grid hasn't got."""
    if ((index < 0) | (index >= grid.shape)).any():
        raise GeometryError(
            subject, "it marks voxels outside of the image", "give the image that it was made on", code="label-grid"
        )
