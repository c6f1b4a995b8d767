"""Write a volume as a CT series and a mask as an RTSTRUCT, with UIDs that follow from the patient's id."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from medunet.geometry import Grid, flip_lps_ras

DATE, TIME = "20200101", "120000"


@dataclass(frozen=True)
class WrittenSeries:
    """What contours must name of a series."""

    patient: tuple[str, str]
    """Name and id."""
    study_uid: str
    series_uid: str
    frame_uid: str
    slice_uids: tuple[str, ...]


def write_slices(
    voxels: npt.NDArray[np.int16], grid: Grid, name: str, patient_id: str, folder: Path
) -> WrittenSeries:
    """Write HU (I, J, K) as one CT file a slice.

    Args:
        voxels: HU from -1024 to 3071.
        grid: RAS.
        name: of the patient.
        patient_id: decides all UIDs.
        folder: that is made.
    """
    study, series, frame = (_make_uid(patient_id, part) for part in ("study", "series", "frame"))
    written = WrittenSeries(
        (name, patient_id), study, series, frame, tuple(_make_uid(patient_id, f"slice {k}") for k in range(grid.shape[2]))
    )
    folder.mkdir(parents=True)
    affine = flip_lps_ras(grid.affine)
    columns, rows, step = (affine[:3, axis] for axis in range(3))
    for k, uid in enumerate(written.slice_uids):
        dataset = _make_dataset(CTImageStorage, uid, written, "CT")
        dataset.SeriesInstanceUID = series
        dataset.FrameOfReferenceUID = frame
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient = [_text(v) for v in affine[:3, 3] + k * step]
        cosines = [*(columns / np.linalg.norm(columns)), *(rows / np.linalg.norm(rows))]
        dataset.ImageOrientationPatient = [_text(v, 10) for v in cosines]
        dataset.PixelSpacing = [_text(np.linalg.norm(rows)), _text(np.linalg.norm(columns))]
        dataset.SliceThickness = _text(np.linalg.norm(step))
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.Columns, dataset.Rows = voxels.shape[0], voxels.shape[1]
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "-1024", "1", "HU"
        dataset.KVP = "120"
        dataset.AcquisitionNumber = 1
        stored = (voxels[:, :, k].T.astype(np.int32) + 1024).astype("<u2")
        dataset.PixelData = np.ascontiguousarray(stored).tobytes()
        dataset.save_as(folder / f"{k + 1:04d}.dcm", enforce_file_format=True)
    return written


def write_contours(mask: npt.NDArray[np.uint8], grid: Grid, series: WrittenSeries, path: Path) -> None:
    """Write a mask (I, J, K) as the structure "lesion": filling its contours by even-odd gives it back exactly."""
    dataset = _make_dataset(RTStructureSetStorage, _make_uid(series.patient[1], "contours"), series, "RTSTRUCT")
    dataset.SeriesInstanceUID = _make_uid(series.patient[1], "contour series")
    dataset.StructureSetLabel = "PHANTOM"
    dataset.StructureSetDate, dataset.StructureSetTime = DATE, TIME
    dataset.InstanceNumber = 1
    dataset.FrameOfReferenceUID = series.frame_uid
    images = [_item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=uid) for uid in series.slice_uids]
    referenced = _item(SeriesInstanceUID=series.series_uid, ContourImageSequence=images)
    study = _item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=series.study_uid,
        RTReferencedSeriesSequence=[referenced],
    )
    dataset.ReferencedFrameOfReferenceSequence = [
        _item(FrameOfReferenceUID=series.frame_uid, RTReferencedStudySequence=[study])
    ]
    dataset.StructureSetROISequence = [
        _item(
            ROINumber=1,
            ReferencedFrameOfReferenceUID=series.frame_uid,
            ROIName="lesion",
            ROIGenerationAlgorithm="MANUAL",
        )
    ]
    dataset.RTROIObservationsSequence = [
        _item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="", ROIInterpreter="")
    ]
    contours = []
    for k, uid in enumerate(series.slice_uids):
        for loop in trace_outlines(mask[:, :, k] > 0):
            world = grid.to_world(np.column_stack([loop, np.full(len(loop), k)])) * (-1, -1, 1)
            image = _item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=uid)
            contours.append(
                _item(
                    ContourImageSequence=[image],
                    ContourGeometricType="CLOSED_PLANAR",
                    NumberOfContourPoints=len(loop),
                    ContourData=[_text(value) for value in world.ravel()],
                )
            )
    roi = _item(ReferencedROINumber=1, ROIDisplayColor=[220, 50, 47])
    if contours:
        roi.ContourSequence = contours
    dataset.ROIContourSequence = [roi]
    dataset.save_as(path, enforce_file_format=True)


def trace_outlines(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    """Closed outlines of a plane (I, J) along the edges of its pixels, at half-integer indices, holes too.

    Where pixels touch at a corner either way to go on is right: even-odd filling doesn't depend on it.
    """
    padded = np.pad(mask, 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for axis in (0, 1):
        change = np.diff(padded.astype(np.int8), axis=axis)
        for i, j in np.argwhere(change):
            # The edge lies between pixel (i, j) and the next one; its ends are lattice corners.
            start, end = ((i + 1, j), (i + 1, j + 1)) if axis == 0 else ((i, j + 1), (i + 1, j + 1))
            # Rising along I and falling along J turn the same way round, so that edges chain head to tail.
            if (change[i, j] > 0) == (axis == 0):
                start, end = end, start
            following.setdefault((int(start[0]), int(start[1])), []).append((int(end[0]), int(end[1])))
    loops = []
    while following:
        first = next(iter(following))
        loop, corner = [], first
        while True:
            loop.append(corner)
            ends = following[corner]
            step = ends.pop()
            if not ends:
                del following[corner]
            corner = step
            if corner == first:
                break
        loops.append(_drop_straight(np.array(loop, dtype=np.float64)) - 1.5)
    return loops


def _drop_straight(loop: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    before, after = loop - np.roll(loop, 1, axis=0), np.roll(loop, -1, axis=0) - loop
    kept: npt.NDArray[np.float64] = loop[np.any(before != after, axis=1)]
    return kept


def _make_dataset(sop_class: str, uid: str, series: WrittenSeries, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    dataset.PatientName, dataset.PatientID = series.patient
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.StudyInstanceUID, dataset.StudyID = series.study_uid, "1"
    dataset.StudyDate, dataset.StudyTime = DATE, TIME
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "", ""
    dataset.Modality, dataset.SeriesNumber = modality, 1 if modality == "CT" else 2
    dataset.SeriesDescription = "made-up abdomen" if modality == "CT" else "made-up contours"
    dataset.Manufacturer, dataset.ManufacturerModelName = "medunet", "phantom"
    dataset.PositionReferenceIndicator = ""
    dataset.PatientPosition = "HFS"
    return dataset


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def _make_uid(patient_id: str, part: str) -> str:
    return str(generate_uid(entropy_srcs=["medunet phantom", patient_id, part]))


def _text(value: float, digits: int = 5) -> str:
    """A decimal string of at most 16 characters (DICOM PS3.5 6.2, DS)."""
    return f"{float(value):.{digits}f}"[:16]
