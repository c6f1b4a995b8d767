"""RTSTRUCT: find its contours, and fill them on a grid by pixel centres and even-odd."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom

from medunet.errors import LabelError
from medunet.geometry import Grid, Points

LOGGER = logging.getLogger(__name__)
RTSTRUCT = "RTSTRUCT"
CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
HALF_SLICE = 0.5


@dataclass(frozen=True, slots=True)
class ContourFile:
    """What an RTSTRUCT says of itself.

    Attributes:
        path: of the file.
        patient_id: PatientID.
        study_uid: StudyInstanceUID.
        frame_of_reference_uid: of the referenced images.
        series_uids: SeriesInstanceUIDs that it references.
        roi_names: names of its structures, in order.
    """

    path: str
    patient_id: str
    study_uid: str
    frame_of_reference_uid: str
    series_uids: tuple[str, ...]
    roi_names: tuple[str, ...]


def read_contour_file(path: Path | str) -> ContourFile:
    """Describe an RTSTRUCT.

    Raises:
        LabelError: it is none.
    """
    return describe_contours(read_object(path, RTSTRUCT), str(path))


def read_object(path: Path | str, modality: str) -> Any:
    """Read a DICOM file that holds labels: RTSTRUCT or SEG.

    Raises:
        LabelError: it is none, or can't be read.
    """
    try:
        dataset = pydicom.dcmread(path)
    except (OSError, EOFError, ValueError, AttributeError, RecursionError, pydicom.errors.InvalidDicomError) as error:
        raise LabelError(path, f"it is no readable DICOM file ({error})", f"give a DICOM {modality}") from None
    if dataset.get("Modality") != modality:
        found = dataset.get("Modality", "no modality")
        raise LabelError(path, f"it is {found}, not {modality}", f"give a DICOM {modality}")
    return dataset


def describe_contours(dataset: Any, path: str) -> ContourFile:
    """Describe the dataset of an RTSTRUCT."""
    series, frames = [], []
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        frames.append(str(frame.get("FrameOfReferenceUID", "")))
        for study in frame.get("RTReferencedStudySequence") or []:
            for item in study.get("RTReferencedSeriesSequence") or []:
                series.append(str(item.get("SeriesInstanceUID", "")))
    return ContourFile(
        path=path,
        patient_id=str(dataset.get("PatientID", "")),
        study_uid=str(dataset.get("StudyInstanceUID", "")),
        frame_of_reference_uid=(frames or [""])[0],
        series_uids=tuple(series),
        roi_names=tuple(str(roi.ROIName) for roi in dataset.get("StructureSetROISequence") or []),
    )


def read_contours(path: Path | str) -> dict[str, list[Points]]:
    """Closed contours of every structure; a structure that is declared but not drawn has none.

    Returns:
        ROI name to a list of (N, 3) points, RAS mm.

    Raises:
        LabelError: it is no RTSTRUCT, two structures have one name, or points are no triples.
    """
    dataset = read_object(path, RTSTRUCT)
    names: dict[int, str] = {}
    for roi in dataset.get("StructureSetROISequence") or []:
        if str(roi.ROIName) in names.values():
            raise LabelError(path, f"two structures are called {roi.ROIName}", "rename one of them")
        names[int(roi.ROINumber)] = str(roi.ROIName)
    contours: dict[str, list[Points]] = {name: [] for name in names.values()}
    for item in dataset.get("ROIContourSequence") or []:
        name = names.get(int(item.ReferencedROINumber))
        if name is None:
            raise LabelError(path, f"contours name the unknown structure {item.ReferencedROINumber}", "export it again")
        for contour in item.get("ContourSequence") or []:
            if contour.get("ContourGeometricType") not in CLOSED:
                LOGGER.warning("%s: a %s of %s is left out", path, contour.get("ContourGeometricType"), name)
                continue
            contours[name].append(_points(contour, path))
    return contours


def _points(contour: Any, path: Path | str) -> Points:
    values = np.array([float(value) for value in contour.get("ContourData") or []], dtype=np.float64)
    if len(values) == 0 or len(values) % 3 or not np.isfinite(values).all():
        raise LabelError(path, f"a contour holds {len(values)} numbers, no triples", "export it again")
    points = values.reshape(-1, 3)
    points[:, :2] *= -1  # LPS to RAS, as flip_lps_ras does for affines
    return points


def rasterize(contours: Sequence[Points], grid: Grid, subject: str) -> npt.NDArray[np.bool_]:
    """Fill contours: a voxel is inside when its centre is, by even-odd; several of a slice combine by XOR.

    Points count exactly as given; each contour lies on the slice nearest to it. A centre on an edge is inside on
    the left and lower side only (half-open edges), so that neighbouring structures never share a voxel.

    Args:
        contours: (N, 3) points each, RAS mm, parallel to the slices of the grid.
        grid: where the mask lies.
        subject: the file and structure, for messages.

    Returns:
        (I, J, K) bool.

    Raises:
        LabelError: a contour isn't parallel to the slices, or all lie outside of the grid.
    """
    mask = np.zeros(grid.shape, dtype=np.bool_)
    outside = 0
    for points in contours:
        index = grid.to_voxel(points)
        if np.ptp(index[:, 2]) > 2 * HALF_SLICE:
            raise LabelError(subject, "a contour is not parallel to the image's slices", "draw it on this image")
        k = int(np.rint(index[:, 2].mean()))
        if not 0 <= k < grid.shape[2]:
            outside += 1
            continue
        mask[:, :, k] ^= fill_polygon(index[:, :2], grid.shape[:2])
    if outside == len(contours) and contours:
        raise LabelError(subject, "all of its contours lie outside of the image", "give the image it was drawn on")
    if outside:
        LOGGER.warning("%s: %d of %d contours lie outside of the image", subject, outside, len(contours))
    return mask


def fill_polygon(points: npt.NDArray[np.float64], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Fill one polygon on a plane: even-odd crossings to the right of each centre.

    Args:
        points: (N, 2) voxel indices (i, j), closed from the last to the first.
        shape: (I, J).
    """
    filled = np.zeros(shape, dtype=np.bool_)
    following = np.roll(points, -1, axis=0)
    low = max(0, int(np.floor(points[:, 1].min())))
    high = min(shape[1] - 1, int(np.ceil(points[:, 1].max())))
    columns = np.arange(shape[0])
    for j in range(low, high + 1):
        crosses = (points[:, 1] <= j) != (following[:, 1] <= j)
        start, end = points[crosses], following[crosses]
        at = start[:, 0] + (j - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
        right = len(at) - np.searchsorted(np.sort(at), columns, side="right")
        filled[:, j] = right % 2 == 1
    return filled
