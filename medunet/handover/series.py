"""A made-up volume as a DICOM series, for programs that take nothing else."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)
from pydicom.valuerep import DSfloat

from medunet.geometry import flip_lps_ras
from medunet.reading import Volume

CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}
"""Kinds of images that are written, by modality."""
MOST = np.iinfo(np.int16).max
NAME = "SELFTEST"
"""Of the patient, whom there isn't."""


def write_series(folder: Path, volume: Volume, modality: str, units: str = "") -> str:
    """Write a volume of one component as a series of single slices.

    Whole numbers stay what they are; others get the nearest of 65,535 steps.

    Args:
        folder: where the files go, made if it isn't there.
        volume: with axes at right angles, the third one along the cross product of the others in LPS+.
        modality: CT, MR or PT.
        units: of its values; those of a PET are SUV by body weight where nothing is said.

    Returns:
        Its SeriesInstanceUID.
    """
    voxels, slope = _find_steps(volume.voxels[0])
    uid = generate_uid(entropy_srcs=[NAME, folder.name, voxels.tobytes().hex()])
    general = _describe(volume, modality, units)
    general.SeriesInstanceUID, general.RescaleSlope, general.RescaleIntercept = uid, DSfloat(slope, auto_format=True), 0
    affine = flip_lps_ras(volume.grid.affine)
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(volume.grid.shape[2]):
        dataset = _start(CLASSES[modality], generate_uid(entropy_srcs=[uid, str(k)]))
        dataset.update(general)
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient = [DSfloat(value, auto_format=True) for value in affine[:3] @ (0, 0, k, 1)]
        dataset.PixelData = np.ascontiguousarray(voxels[:, :, k].T, "<i2").tobytes()
        dataset.save_as(folder / f"{k + 1:04d}.dcm", enforce_file_format=True)
    return str(uid)


def _find_steps(voxels: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.int16], float]:
    """Values as whole numbers of 16 bits, and the size of a step."""
    values = voxels.astype(np.float64)
    largest = float(np.abs(values).max())
    slope = 1.0 if largest <= MOST and (values == np.rint(values)).all() else largest / MOST
    return np.rint(values / slope).astype(np.int16), slope


def _start(kind: UID, uid: UID) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, uid
    return dataset


def _describe(volume: Volume, modality: str, units: str) -> Dataset:
    """What all slices share."""
    spacing, affine = volume.grid.spacing, flip_lps_ras(volume.grid.affine)
    steps = affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)
    shared = Dataset()
    shared.Modality, shared.Manufacturer, shared.SeriesDescription = modality, "medunet", "made up"
    shared.PatientID, shared.PatientName, shared.PatientBirthDate, shared.PatientSex = NAME, NAME, "", ""
    shared.StudyInstanceUID, shared.FrameOfReferenceUID = (generate_uid(entropy_srcs=[NAME, part]) for part in "ab")
    shared.StudyDate = shared.StudyTime = shared.AccessionNumber = shared.StudyID = shared.ReferringPhysicianName = ""
    shared.SeriesNumber, shared.ImageType, shared.PositionReferenceIndicator = 1, ["DERIVED", "PRIMARY"], ""
    shared.ImageOrientationPatient = [DSfloat(value, auto_format=True) for value in steps.T.ravel()]
    shared.PixelSpacing = [DSfloat(spacing[axis], auto_format=True) for axis in (1, 0)]
    shared.SliceThickness = DSfloat(spacing[2], auto_format=True)
    shared.Columns, shared.Rows = volume.grid.shape[:2]
    shared.SamplesPerPixel, shared.PhotometricInterpretation = 1, "MONOCHROME2"
    shared.BitsAllocated = shared.BitsStored = 16
    shared.HighBit, shared.PixelRepresentation = 15, 1
    if modality == "CT":
        shared.RescaleType = "HU"
    if modality == "PT":
        shared.Units = "GML" if units in ("", "SUVbw") else units.split(maxsplit=1)[0]
        if shared.Units == "GML":
            shared.SUVType = "BW"
    return shared
