"""Describe files that hold labels of a DICOM image: RTSTRUCT and DICOM SEG."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.errors import InvalidDicomError

from medunet.errors import LabelError, refuse_damage
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


def check_frame_of_reference(dataset: Any, frame_of_reference_uid: str, path: Path | str) -> None:
    """Check that labels lie in the frame of reference of their image, as far as both are known.

    Args:
        dataset: of an RTSTRUCT or a DICOM SEG. Each structure of an RTSTRUCT names a frame too, but real files exist
            in which that one is foreign while the contours lie right.
        frame_of_reference_uid: of the image.
        path: the file.

    Raises:
        LabelError: none of the frames that it references is that of the image.
    """
    frames = [item.get("FrameOfReferenceUID") for item in dataset.get("ReferencedFrameOfReferenceSequence") or []]
    known = {str(uid) for uid in (*frames, dataset.get("FrameOfReferenceUID")) if uid}
    if known and frame_of_reference_uid and frame_of_reference_uid not in known:
        raise LabelError(
            path, "its frame of reference is not that of its image", "give the image it was made on", code="label-grid"
        )


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
    series = [
        str(item.get("SeriesInstanceUID", ""))
        for frame in frames
        for study in frame.get("RTReferencedStudySequence") or []
        for item in study.get("RTReferencedSeriesSequence") or []
    ]
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
