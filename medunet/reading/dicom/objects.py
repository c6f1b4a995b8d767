"""Describe files that hold labels of a DICOM image: RTSTRUCT and DICOM SEG."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.errors import InvalidDicomError

from medunet.errors import LabelError, refuse_damage
from medunet.findings import remark
from medunet.reading.dicom.elements import read_dataset

RTSTRUCT, SEG = "RTSTRUCT", "SEG"


@dataclass(frozen=True, slots=True)
class LabelFile:
    """What an RTSTRUCT or a DICOM SEG says of itself.

    Attributes:
        path: of the file.
        modality: RTSTRUCT or SEG.
        patient_id: PatientID.
        study_uid: StudyInstanceUID.
        frame_of_reference_uid: of the referenced images.
        series_uids: SeriesInstanceUIDs that it references.
        names: of its structures or segments, in order.
    """

    path: str
    modality: str
    patient_id: str
    study_uid: str
    frame_of_reference_uid: str
    series_uids: tuple[str, ...]
    names: tuple[str, ...]


def find_modality(path: Path | str) -> str:
    """Modality of a DICOM file, "" where it is none or can't be read."""
    try:
        return str(read_dataset(path).get("Modality") or "")
    # pydicom raises whatever it likes for a damaged file; whoever reads it whole is told.
    except Exception:
        return ""


def read_object(path: Path | str, *modalities: str) -> Any:
    """Read a DICOM file that holds labels.

    Args:
        path: the file.
        modalities: that are wanted: RTSTRUCT, SEG or both.

    Raises:
        LabelError: it is none, or can't be read.
    """
    wanted = " or ".join(modalities)
    try:
        dataset = read_dataset(path)
    except InvalidDicomError as error:
        raise LabelError(
            path, f"it is no readable DICOM file ({error})", f"give a DICOM {wanted}", code="file-damaged"
        ) from None
    if dataset.get("Modality") not in modalities:
        found = dataset.get("Modality", "no modality")
        raise LabelError(path, f"it is {found}, not {wanted}", f"give a DICOM {wanted}", code="label-not-dicom")
    return dataset


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """What labels may name their image by.

    Attributes:
        frame_of_reference_uid: FrameOfReferenceUID, "" where it isn't known.
        study_uid: StudyInstanceUID.
        series_uid: SeriesInstanceUID.
        slices: position of the first pixel of each slice, LPS mm, by its SOPInstanceUID.
    """

    frame_of_reference_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    slices: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)


ANYWHERE = Place()
"""Of an image of which nothing is known."""


def check_frame_of_reference(dataset: Any, place: Place, path: Path | str) -> bool:
    """Check that labels lie in the frame of reference of their image, as far as both are known.

    Some programs give labels, or each slice of an image, a frame of its own when they take names away. Labels that
    name study, series and slices of the image belong to it nevertheless; where they lie is to be compared then.

    Args:
        dataset: of an RTSTRUCT or a DICOM SEG. Each structure of an RTSTRUCT names a frame too, but real files exist
            in which that one is foreign while the contours lie right.
        place: of the image.
        path: the file.

    Returns:
        Whether it lies in that frame, as far as that is known; else it names the slices of the image.

    Raises:
        LabelError: neither.
    """
    frames = [item.get("FrameOfReferenceUID") for item in dataset.get("ReferencedFrameOfReferenceSequence") or []]
    known = {str(uid) for uid in (*frames, dataset.get("FrameOfReferenceUID")) if uid}
    if not known or not place.frame_of_reference_uid or place.frame_of_reference_uid in known:
        return True
    if _names_slices(dataset, place):
        remark("label-grid", path, "its frame of reference is not that of its image, whose slices it names")
        return False
    raise LabelError(
        path, "its frame of reference is not that of its image", "give the image it was made on", code="label-grid"
    )


def _names_slices(dataset: Any, place: Place) -> bool:
    """Whether study, series and slices that it names are all those of an image."""
    if not place.study_uid or str(dataset.get("StudyInstanceUID", "")) != place.study_uid:
        return False
    series = [*_list_series(dataset), *(dataset.get("ReferencedSeriesSequence") or [])]
    own = [item for item in series if str(item.get("SeriesInstanceUID", "")) == place.series_uid]
    named = {
        *(uid for item in own for name in _INSTANCES for uid in _list_instances(item, name)),
        *(uid for contour in list_contours(dataset) for uid in name_slices(contour)),
    }
    return bool(own) and bool(named) and named <= set(place.slices)


_INSTANCES = ("ContourImageSequence", "ReferencedInstanceSequence")


def _list_instances(item: Any, name: str) -> list[str]:
    return [str(image.get("ReferencedSOPInstanceUID", "")) for image in item.get(name) or []]


def _list_series(dataset: Any) -> Iterator[Any]:
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            yield from study.get("RTReferencedSeriesSequence") or []


def list_contours(dataset: Any) -> Iterator[Any]:
    """All contours of the dataset of an RTSTRUCT."""
    for roi in dataset.get("ROIContourSequence") or []:
        yield from roi.get("ContourSequence") or []


def name_slices(contour: Any) -> list[str]:
    """SOPInstanceUIDs of the slices that a contour names."""
    return _list_instances(contour, "ContourImageSequence")


def read_label_file(path: Path | str) -> LabelFile:
    """Describe an RTSTRUCT or a DICOM SEG.

    Raises:
        LabelError: it is neither.
    """
    with refuse_damage(path, LabelError):
        return describe_labels(read_object(path, RTSTRUCT, SEG), str(path))


def describe_labels(dataset: Any, path: str) -> LabelFile:
    """Describe the dataset of an RTSTRUCT or a DICOM SEG, with or without its pixels."""
    modality = str(dataset.get("Modality"))
    frame, series, names = (_describe_contours if modality == RTSTRUCT else _describe_segments)(dataset)
    return LabelFile(
        path=path,
        modality=modality,
        patient_id=str(dataset.get("PatientID", "")),
        study_uid=str(dataset.get("StudyInstanceUID", "")),
        frame_of_reference_uid=frame,
        series_uids=tuple(series),
        names=tuple(names),
    )


def _describe_contours(dataset: Any) -> tuple[str, list[str], list[str]]:
    frames = dataset.get("ReferencedFrameOfReferenceSequence") or []
    series = [str(item.get("SeriesInstanceUID", "")) for item in _list_series(dataset)]
    names = [str(roi.get("ROIName", "")) for roi in dataset.get("StructureSetROISequence") or []]
    return (str(frames[0].get("FrameOfReferenceUID", "")) if frames else ""), series, names


def _describe_segments(dataset: Any) -> tuple[str, list[str], list[str]]:
    series = [str(item.get("SeriesInstanceUID", "")) for item in dataset.get("ReferencedSeriesSequence") or []]
    # A label map may declare its background, 0, as a segment.
    names = [
        str(item.get("SegmentLabel", ""))
        for item in dataset.get("SegmentSequence") or []
        if item.get("SegmentNumber") != 0
    ]
    return str(dataset.get("FrameOfReferenceUID", "")), series, names
