"""Writes a made-up patient as DICOM: a CT series and an RT structure set whose contours give back the mask.

Stored slices are (rows, columns) = (J, I); positions and directions are LPS+ and come from the grid through
`flip_lps_ras`. Nothing depends on the clock or on chance: equal input gives equal bytes.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from medunet.geometry import Affine, Grid, flip_lps_ras

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
DATE, TIME = "20240102", "101500"
INTERCEPT = -1024
HIGHEST_HU = 4095 + INTERCEPT
"""The brightest voxel that 12 bits hold."""
ROI_COLOUR = (220, 50, 47)

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Directions in which the boundary of a pixel is walked: each follows the one before it round the pixel."""
_Edge = tuple[int, int, int]
"""Corner (i, j), an index + 0.5, where an edge starts, and its direction."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is shown, and the UIDs that image and contours share.

    Attributes:
        name: patient's name in DICOM form, `FAMILY^Given`.
        patient_id: the patient's id.
        sex: "M", "F" or "O".
        study_uid: StudyInstanceUID.
        series_uid: SeriesInstanceUID of the CT.
        frame_uid: FrameOfReferenceUID.
    """

    name: str
    patient_id: str
    sex: str
    study_uid: str
    series_uid: str
    frame_uid: str

    @classmethod
    def from_content(
        cls, name: str, patient_id: str, sex: str, voxels: npt.NDArray[np.int16], grid: Grid
    ) -> "Identity":
        """Derive the UIDs from patient and image: equal content has equal UIDs, different content other ones.

        Args:
            name: patient's name in DICOM form, `FAMILY^Given`.
            patient_id: the patient's id.
            sex: "M", "F" or "O".
            voxels: (I, J, K) int16 of the CT.
            grid: where they lie, RAS+.
        """
        digest = hashlib.sha256(np.ascontiguousarray(voxels).tobytes() + grid.affine.tobytes()).hexdigest()
        study, series, frame = (make_uid(part, patient_id, digest) for part in ("study", "series", "frame"))
        return cls(name, patient_id, sex, study, series, frame)

    def make_instance_uid(self, k: int) -> str:
        """SOPInstanceUID of the slice k, counted from 0 along K."""
        return make_uid("slice", self.series_uid, str(k))


def make_uid(*entropy: str) -> str:
    """Make a DICOM UID that depends on the given words alone, of up to 64 characters."""
    return str(generate_uid(entropy_srcs=list(entropy)))


def write_ct(
    folder: Path,
    voxels: npt.NDArray[np.int16],
    grid: Grid,
    identity: Identity,
    shown: tuple[str, str] = ("ABDOMEN", "Portal venous phase"),
) -> None:
    """Write one CT file a slice (12 of 16 bits, unsigned, Explicit VR Little Endian).

    Args:
        folder: where 0001.dcm, 0002.dcm, … go, made if it isn't there; ordered along K.
        voxels: (I, J, K) int16 Hounsfield units; clipped to -1024…3071. I runs along the rows, J down the columns.
        grid: where the voxels lie, RAS+; its axes must be at right angles, with K along the cross product of I and J
            in LPS+.
        identity: patient and UIDs.
        shown: BodyPartExamined and SeriesDescription.

    Source: DICOM PS3.3 A.3 (CT Image IOD) and C.7.6.2 (Image Plane).
    """
    folder.mkdir(parents=True, exist_ok=True)
    affine_lps = flip_lps_ras(grid.affine)
    for k in range(grid.shape[2]):
        ct = _start_dataset(CT_IMAGE, identity.make_instance_uid(k), identity, explicit=True)
        _add_ct_series(ct, identity, shown)
        _add_plane(ct, affine_lps, grid.spacing, k)
        stored = np.clip(voxels[:, :, k].T, INTERCEPT, HIGHEST_HU) - np.int16(INTERCEPT)
        _add_pixels(ct, np.ascontiguousarray(stored, dtype="<u2"))
        ct.save_as(folder / f"{k + 1:04d}.dcm", enforce_file_format=True)


def write_contours(
    path: Path, mask: npt.NDArray[np.uint8], grid: Grid, identity: Identity, roi: str = "lesion"
) -> None:
    """Write a mask as an RT structure set with one ROI (Implicit VR Little Endian, as long contours need).

    Each slice's boundary is traced along the edges of its voxels, so that even-odd filling (XOR of all
    CLOSED_PLANAR contours of a slice) at voxel centres gives back the mask exactly. An empty mask gives a ROI
    that is declared and has no ContourSequence (type 3, so the file stays valid).

    Args:
        path: the file.
        mask: (I, J, K), nonzero inside.
        grid: the grid of the CT, RAS+.
        identity: patient and UIDs of the CT.
        roi: name of the ROI.

    Source: DICOM PS3.3 A.19, C.8.8.5, C.8.8.6 and C.8.8.8.
    """
    digest = hashlib.sha256(np.ascontiguousarray(mask != 0).tobytes()).hexdigest()
    uid = make_uid("contours", identity.series_uid, roi, digest)
    rt = _start_dataset(RT_STRUCTURE_SET, uid, identity, explicit=False)
    rt.Modality = "RTSTRUCT"
    rt.SeriesInstanceUID = make_uid("series of contours", uid)
    rt.SeriesNumber, rt.OperatorsName = 2, ""
    rt.StructureSetLabel, rt.StructureSetDate, rt.StructureSetTime = "PHANTOM", DATE, TIME
    rt.ReferencedFrameOfReferenceSequence = Sequence([_refer_to_ct(identity, grid.shape[2])])
    structure = Dataset()
    structure.ROINumber, structure.ROIName, structure.ROIGenerationAlgorithm = 1, roi, "AUTOMATIC"
    structure.ReferencedFrameOfReferenceUID = identity.frame_uid
    rt.StructureSetROISequence = Sequence([structure])
    drawn = Dataset()
    drawn.ReferencedROINumber, drawn.ROIDisplayColor = 1, list(ROI_COLOUR)
    contours = _make_contours(mask, grid, identity)
    if contours:
        drawn.ContourSequence = Sequence(contours)
    rt.ROIContourSequence = Sequence([drawn])
    observation = Dataset()
    observation.ObservationNumber, observation.ReferencedROINumber = 1, 1
    observation.RTROIInterpretedType, observation.ROIInterpreter = "GTV", ""
    rt.RTROIObservationsSequence = Sequence([observation])
    rt.save_as(path, enforce_file_format=True)


def trace_loops(plane: npt.NDArray[np.generic]) -> list[npt.NDArray[np.float64]]:
    """Trace the boundary of a plane's nonzero pixels along pixel edges.

    Pixels that touch only at a corner get loops of their own, which share that corner; a hole is a loop too.
    Even-odd filling of all loops together at pixel centres is the plane itself.

    Args:
        plane: (I, J), nonzero inside.

    Returns:
        Loops, each (N, 2) of indices that end in .5, N ≥ 4, turning points only, the first not repeated.
    """
    edges = _find_edges(plane)
    loops = []
    while edges:
        start = next(iter(edges))
        edge, loop = start, []
        while edge in edges:
            del edges[edge]
            i, j, direction = edge
            i, j = i + _STEPS[direction][0], j + _STEPS[direction][1]
            # Turning round the same pixel first keeps pixels that touch at a corner apart.
            leaving = [(i, j, (direction + turn) % 4) for turn in (1, 0, 3)]
            edge = next(candidate for candidate in leaving if candidate in edges or candidate == start)
            if edge[2] != direction:
                loop.append((i - 0.5, j - 0.5))
        loops.append(np.array(loop))
    return loops


def _find_edges(plane: npt.NDArray[np.generic]) -> dict[_Edge, None]:
    """Edges between pixels inside and outside, in a fixed order."""
    inside = np.pad(plane != 0, 1)
    edges: dict[_Edge, None] = {}
    for (corner_i, corner_j), direction in zip(((0, 0), (1, 0), (1, 1), (0, 1)), range(4), strict=True):
        # Walking round a pixel by _STEPS, the side that is met first faces -J, then +I, +J, -I.
        across_i, across_j = _STEPS[direction - 1]
        across = np.roll(inside, (-across_i, -across_j), (0, 1))
        for i, j in np.argwhere(inside & ~across).tolist():
            edges[i - 1 + corner_i, j - 1 + corner_j, direction] = None
    return edges


def _make_contours(mask: npt.NDArray[np.uint8], grid: Grid, identity: Identity) -> list[Dataset]:
    affine_lps = flip_lps_ras(grid.affine)
    contours: list[Dataset] = []
    for k in np.flatnonzero(mask.any(axis=(0, 1))).tolist():
        for loop in trace_loops(mask[:, :, k]):
            indices = np.column_stack([loop, np.full(len(loop), k)])
            points = indices @ affine_lps[:3, :3].T + affine_lps[:3, 3]
            contour = Dataset()
            contour.ContourNumber = len(contours) + 1
            contour.ContourImageSequence = Sequence([_refer_to_slice(identity, k)])
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            # A nanometre is far below half a voxel, and 6 decimals keep within the 16 characters of a DS.
            contour.ContourData = [f"{value:.6f}" for value in points.ravel()]
            contours.append(contour)
    return contours


def _refer_to_slice(identity: Identity, k: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CT_IMAGE
    item.ReferencedSOPInstanceUID = identity.make_instance_uid(k)
    return item


def _refer_to_ct(identity: Identity, slices: int) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = identity.series_uid
    series.ContourImageSequence = Sequence([_refer_to_slice(identity, k) for k in range(slices)])
    study = Dataset()
    study.ReferencedSOPClassUID = DETACHED_STUDY
    study.ReferencedSOPInstanceUID = identity.study_uid
    study.RTReferencedSeriesSequence = Sequence([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = identity.frame_uid
    frame.RTReferencedStudySequence = Sequence([study])
    return frame


def _start_dataset(sop_class: str, uid: str, identity: Identity, *, explicit: bool) -> Dataset:
    """File meta, SOP common, patient, study, frame of reference and equipment."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = DATE, TIME
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(sop_class), UID(uid)
    dataset.PatientName, dataset.PatientID = identity.name, identity.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = "", identity.sex
    dataset.StudyInstanceUID = identity.study_uid
    dataset.StudyDate, dataset.StudyTime = DATE, TIME
    dataset.ReferringPhysicianName, dataset.AccessionNumber = "", ""
    dataset.StudyID, dataset.StudyDescription = "1", "Made-up abdomen"
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = identity.frame_uid, ""
    dataset.Manufacturer, dataset.ManufacturerModelName = "medunet", "phantom"
    return dataset


def _add_ct_series(ct: Dataset, identity: Identity, shown: tuple[str, str]) -> None:
    ct.Modality = "CT"
    ct.SeriesInstanceUID = identity.series_uid
    ct.SeriesNumber, ct.SeriesDescription = 1, shown[1]
    ct.SeriesDate, ct.SeriesTime = DATE, TIME
    ct.AcquisitionDate, ct.AcquisitionTime = DATE, TIME
    ct.ContentDate, ct.ContentTime = DATE, TIME
    ct.BodyPartExamined, ct.PatientPosition = shown[0], "HFS"
    ct.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ct.AcquisitionNumber, ct.KVP = 1, "120"
    ct.RescaleIntercept, ct.RescaleSlope, ct.RescaleType = str(INTERCEPT), "1", "HU"
    ct.WindowCenter, ct.WindowWidth = "50", "400"


def _add_plane(ct: Dataset, affine_lps: Affine, spacing_mm: tuple[float, float, float], k: int) -> None:
    """Position, directions and spacing of slice k, each number with the 16 characters that a DS holds."""
    directions = affine_lps[:3, :2] / np.array(spacing_mm[:2])
    position = affine_lps[:3, 3] + k * affine_lps[:3, 2]
    ct.InstanceNumber = k + 1
    ct.ImageOrientationPatient = [format_number_as_ds(float(value)) for value in directions.T.ravel()]
    ct.ImagePositionPatient = [format_number_as_ds(float(value)) for value in position]
    # DICOM names the distance between rows (along J) first.
    ct.PixelSpacing = [format_number_as_ds(spacing_mm[1]), format_number_as_ds(spacing_mm[0])]
    ct.SliceThickness = format_number_as_ds(spacing_mm[2])


def _add_pixels(ct: Dataset, plane: npt.NDArray[np.uint16]) -> None:
    """Pixels of one slice, (rows, columns) uint16."""
    ct.SamplesPerPixel, ct.PhotometricInterpretation = 1, "MONOCHROME2"
    ct.Rows, ct.Columns = plane.shape
    ct.BitsAllocated, ct.BitsStored, ct.HighBit, ct.PixelRepresentation = 16, 12, 11, 0
    ct.PixelData = plane.tobytes()
