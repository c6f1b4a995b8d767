"""DICOM SEG: bring each frame where it says that it lies, never where its number would have it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRBigEndian

from medunet.errors import GeometryError, LabelError, refuse_damage
from medunet.geometry import RECORDED_MM, Grid, flip_lps_ras
from medunet.labels import LabelTable, Mask
from medunet.reading.contours import read_object
from medunet.reading.headers import read_numbers
from medunet.records import suggest

SEG = "SEG"
_AGAIN = "export it again"


def read_segmentation(
    path: Path | str, grid: Grid, table: LabelTable, segments: Mapping[str, str] | None = None
) -> Mask:
    """Read a BINARY segmentation on the grid of its image.

    Each frame is placed by its own position, orientation and spacing, so its planes may come in any order, be left
    out where they are empty, and be flipped or turned, as long as their pixels are voxels of the grid.

    Args:
        path: a DICOM Segmentation.
        grid: of the image.
        table: the labels that may occur.
        segments: SegmentLabel for each label; the label's own name where not given. Other segments are left out.

    Raises:
        LabelError: it is no BINARY segmentation, lacks a segment, or two of its segments overlap.
        GeometryError: its pixels are no voxels of the grid.
        SeriesError: a frame has no position, orientation or spacing.
    """
    with refuse_damage(path, LabelError):
        return _place_frames(read_object(path, SEG), path, grid, table, segments or {})


def _place_frames(dataset: Any, path: Path | str, grid: Grid, table: LabelTable, segments: Mapping[str, str]) -> Mask:
    _check_encoding(dataset, path)
    values = _match_segments(dataset, table, segments, path)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [{}])[0]
    labels = np.zeros(grid.shape, dtype=np.uint16)
    for n, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups = _Groups(frame, shared, f"{path} frame {n + 1}")
        value = values.get(int(groups.find("SegmentIdentificationSequence").ReferencedSegmentNumber))
        if value is None:
            continue
        start, steps = _place(groups, (columns, rows), grid)
        j, i = np.nonzero(_unpack(dataset.PixelData, n * rows * columns, rows * columns).reshape(rows, columns))
        index = start + i[:, None] * steps[0] + j[:, None] * steps[1]
        _mark(labels, index, value, table, groups.subject)
    return Mask("classes", labels, grid, table)


class _Groups:
    """Functional groups of one frame: its own, or else the shared ones (DICOM PS3.3 C.7.6.16)."""

    def __init__(self, frame: Any, shared: Any, subject: str) -> None:
        self._both = (frame, shared)
        self.subject = subject

    def find(self, name: str) -> Any:
        for group in self._both:
            if group.get(name):
                return group.get(name)[0]
        raise LabelError(self.subject, f"it has no {name}", _AGAIN)


def _check_encoding(dataset: Any, path: Path | str) -> None:
    kind = dataset.get("SegmentationType")
    if kind != "BINARY" or dataset.get("BitsAllocated") != 1:
        raise LabelError(path, f"it is a {kind} segmentation", "convert it to a BINARY one")
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed or syntax == ExplicitVRBigEndian:
        raise LabelError(path, f"its encoding {syntax.name} is not read", "convert it to Explicit VR Little Endian")
    frames = len(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    wanted = -(-frames * int(dataset.Rows) * int(dataset.Columns) // 8)
    found = len(dataset.get("PixelData") or b"")
    if frames == 0 or frames != dataset.get("NumberOfFrames") or found < wanted:
        declared = dataset.get("NumberOfFrames")
        raise LabelError(path, f"it declares {declared} frames, describes {frames} and holds {found} bytes", _AGAIN)


def _match_segments(dataset: Any, table: LabelTable, segments: Mapping[str, str], path: Path | str) -> dict[int, int]:
    """SegmentNumber to the value of its label."""
    numbers: dict[str, int] = {}
    for item in dataset.get("SegmentSequence") or []:
        name = str(item.SegmentLabel)
        if name in numbers:
            raise LabelError(path, f"two of its segments are called {name}", "rename one of them")
        numbers[name] = int(item.SegmentNumber)
    values = {}
    for label in table.labels:
        name = segments.get(label.name, label.name)
        if name not in numbers:
            raise LabelError(path, f"it has no segment '{name}'", suggest(name, sorted(numbers)))
        values[numbers[name]] = label.value
    return values


def _place(groups: _Groups, shape: tuple[int, int], grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where a frame lies on the grid.

    Args:
        groups: of the frame.
        shape: (columns, rows).
        grid: that it must lie on.

    Returns:
        (3,) index of its first pixel, and (2, 3) steps of the index along a row and down a column.
    """
    spacing = read_numbers(groups.find("PixelMeasuresSequence"), "PixelSpacing", 2, groups.subject)
    cosines = read_numbers(groups.find("PlaneOrientationSequence"), "ImageOrientationPatient", 6, groups.subject)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = cosines[:3] * spacing[1], cosines[3:] * spacing[0]
    affine[:3, 3] = read_numbers(groups.find("PlanePositionSequence"), "ImagePositionPatient", 3, groups.subject)
    affine = flip_lps_ras(affine)
    corners = np.array([(i, j) for i in (0, shape[0] - 1) for j in (0, shape[1] - 1)], dtype=np.float64)
    world = corners @ affine[:3, :2].T + affine[:3, 3]
    steps = np.rint(np.linalg.solve(grid.affine[:3, :3], affine[:3, :2]).T).astype(np.int64)
    start = np.rint(grid.to_voxel(affine[None, :3, 3])[0]).astype(np.int64)
    distance = np.linalg.norm(grid.to_world(start + corners @ steps) - world, axis=1).max()
    if distance > RECORDED_MM:
        raise GeometryError(
            groups.subject,
            f"its pixels lie up to {distance:.3g} mm away from the voxels of its image",
            "resample it to that image, or name the image that it was made on",
        )
    return start, steps


def _unpack(data: bytes, start: int, count: int) -> npt.NDArray[np.uint8]:
    """Bits `start` to `start + count` of packed pixels, lowest bit of a byte first (DICOM PS3.5 8.1.1).

    Frames follow each other without padding, so that one may begin within a byte.
    """
    first, last = start // 8, -(-(start + count) // 8)
    bits = np.unpackbits(np.frombuffer(data, np.uint8, last - first, first), bitorder="little")
    return bits[start - 8 * first :][:count]


def _mark(
    labels: npt.NDArray[np.uint16], index: npt.NDArray[np.int64], value: int, table: LabelTable, subject: str
) -> None:
    """Give voxels, (N, 3) indices, the value of a label."""
    if ((index < 0) | (index >= labels.shape)).any():
        raise LabelError(subject, "it marks voxels outside of the image", "give the image that it was made on")
    at = tuple(index.T)
    others = set(np.unique(labels[at]).tolist()) - {0, value}
    if others:
        pair = f"{table.names[value - 1]} and {table.names[min(others) - 1]}"
        raise LabelError(subject, f"the segments {pair} overlap", "keep one of them")
    labels[at] = value
