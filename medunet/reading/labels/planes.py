"""The grid that the frames of a DICOM SEG span, for who has its image no more."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from medunet.errors import LabelError, refuse_damage
from medunet.geometry import Grid, find_limits, flip_lps_ras
from medunet.reading.dicom.frames import describe_frames
from medunet.reading.dicom.headers import Header, read_header
from medunet.reading.dicom.objects import SEG, read_object

REMEDY = "name its image with --source"
MOST_PLANES = 1 << 13
"""A file that spans more is damaged."""


def find_frames_grid(path: Path) -> Grid:
    """The grid that the frames of a segmentation span: their planes, and those that were left out between them.

    Its image may have more planes at both ends, of which the file doesn't tell.

    Args:
        path: a DICOM Segmentation.

    Returns:
        I and J along rows and columns of the frames, K along their normal.

    Raises:
        LabelError: it is no segmentation, its frames are no parallel planes at multiples of the distance that they
            name, or they don't name it.
        SeriesError: a frame has no position, orientation or spacing.
    """
    with refuse_damage(path, LabelError):
        dataset = read_object(path, SEG)
        headers, step = [], 0.0
        for number, frame in enumerate(describe_frames(dataset)):
            headers.append(read_header(frame, str(path), number))
            step = step if number else _find_step(frame)
        if not headers:
            raise LabelError(path, "it describes no frames", "export it again", code="file-damaged")
        return _stack(headers, step, path)


def _find_step(frame: Any) -> float:
    """Distance of neighbouring planes as a frame names it, 0 where it doesn't."""
    return float(frame.get("SpacingBetweenSlices") or frame.get("SliceThickness") or 0)


def _stack(headers: list[Header], step: float, path: Path) -> Grid:
    if not step > 0:
        raise LabelError(path, "it doesn't say how far apart its planes lie", REMEDY, code="label-grid")
    first = headers[0]
    normal = np.cross(*first.orientation)
    along = np.array([header.position for header in headers]) @ normal
    count = round(float(np.ptp(along)) / step)
    # Positions are told more precisely than the distance, which is rounded at will.
    between = float(np.ptp(along)) / count if count else step
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = first.orientation * np.array(first.spacing[::-1])[:, None]
    affine[:3, 2] = normal * between
    affine[:3, 3] = headers[int(along.argmin())].position
    grid = Grid((*first.shape, count + 1), flip_lps_ras(affine))
    limit = find_limits(*grid.spacing).recorded
    for header, k in zip(headers, np.rint((along - along.min()) / between), strict=True):
        own = header.orientation * np.array(header.spacing[::-1])[:, None]
        for corner in product(*((0, size - 1) for size in first.shape)):
            away = np.linalg.norm(corner @ own + header.position - affine[:3] @ (*corner, k, 1))
            if header.shape != first.shape or away > limit or count >= MOST_PLANES:
                found = f"its frames are no parallel planes at multiples of {step:g} mm"
                raise LabelError(path, found, REMEDY, code="label-grid")
    return grid
