"""Tests of the DICOM files of made-up patients."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import FileDataset

from medunet.geometry import flip_lps_ras
from medunet.testing.phantoms import Phantom, PhantomSize, make_patient, trace_loops, write_patient

SIZE = PhantomSize(shape=(48, 40, 20), spacing=(7.0, 6.0, 9.0))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_patient(5, SIZE, 3, oblique=True)


@pytest.fixture(scope="module")
def folder(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("phantoms") / "patient"
    write_patient(phantom, path)
    return path


@pytest.fixture(scope="module")
def slices(folder: Path) -> list[FileDataset]:
    return [pydicom.dcmread(path) for path in sorted((folder / "CT").glob("*.dcm"))]


def fill(loops: list[npt.NDArray[np.float64]], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Even-odd filling at pixel centres: crossings of the ray along +I."""
    i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    inside = np.zeros(shape, dtype=np.bool_)
    for loop in loops:
        for (i0, j0), (i1, j1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            if abs(j1 - j0) > 1e-9:
                spans = (j0 > j) != (j1 > j)
                inside ^= spans & (i < i0 + (j - j0) / (j1 - j0) * (i1 - i0))
    return inside


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_loops_give_back_any_plane(seed: int, density: float) -> None:
    plane = np.random.default_rng(seed).random((17, 13)) < density
    loops = trace_loops(plane)
    assert np.array_equal(fill(loops, plane.shape), plane)
    assert all(len(loop) >= 4 and np.all(loop % 1 == 0.5) for loop in loops)


def test_pixels_that_touch_at_a_corner_get_their_own_loops() -> None:
    loops = trace_loops(np.eye(4))
    assert [len(loop) for loop in loops] == [4] * 4


def test_a_ring_is_two_loops_and_an_empty_plane_none() -> None:
    ring = np.ones((5, 5))
    ring[2, 2] = 0
    assert len(trace_loops(ring)) == 2
    assert trace_loops(np.zeros((5, 5))) == []


def test_slices_hold_the_voxels(phantom: Phantom, slices: list[FileDataset]) -> None:
    assert len(slices) == SIZE.shape[2]
    for k, ct in enumerate(slices):
        units = ct.pixel_array.astype(int) * ct.RescaleSlope + ct.RescaleIntercept
        assert np.array_equal(units.T, phantom.voxels[:, :, k])
    assert (slices[0].BitsAllocated, slices[0].BitsStored, slices[0].RescaleIntercept) == (16, 12, -1024)


def test_planes_lie_where_the_grid_puts_them(phantom: Phantom, slices: list[FileDataset]) -> None:
    affine_lps = flip_lps_ras(phantom.grid.affine)
    for k, ct in enumerate(slices):
        directions = np.array(ct.ImageOrientationPatient, dtype=float).reshape(2, 3)
        assert np.allclose(
            np.array(ct.ImagePositionPatient, dtype=float), affine_lps[:3, 3] + k * affine_lps[:3, 2], atol=1e-9
        )
        assert np.allclose(directions[0] * float(ct.PixelSpacing[1]), affine_lps[:3, 0], atol=1e-9)
        assert np.allclose(directions[1] * float(ct.PixelSpacing[0]), affine_lps[:3, 1], atol=1e-9)
        assert np.allclose(np.cross(*directions) * float(ct.SliceThickness), affine_lps[:3, 2], atol=1e-9)


def test_slices_share_what_a_series_shares(slices: list[FileDataset]) -> None:
    for word in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
        assert len({str(ct[word].value) for ct in slices}) == 1
    assert len({ct.SOPInstanceUID for ct in slices}) == len(slices)
    required = ("ImageType", "KVP", "AcquisitionNumber", "PositionReferenceIndicator", "StudyID", "AccessionNumber")
    assert all(word in slices[0] for word in required)
    assert all(ct.file_meta.MediaStorageSOPInstanceUID == ct.SOPInstanceUID for ct in slices)


def test_contours_give_back_the_mask(phantom: Phantom, folder: Path, slices: list[FileDataset]) -> None:
    rt = pydicom.dcmread(folder / "contours.dcm")
    assert rt.StructureSetROISequence[0].ROIName == "lesion"
    place = {ct.SOPInstanceUID: k for k, ct in enumerate(slices)}
    loops: dict[int, list[npt.NDArray[np.float64]]] = {}
    for contour in rt.ROIContourSequence[0].ContourSequence:
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
        indices = phantom.grid.to_voxel(points * (-1, -1, 1))
        k = place[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
        assert len(points) == contour.NumberOfContourPoints
        assert np.allclose(indices[:, 2], k, atol=1e-6)
        assert all(len(str(value)) <= 16 for value in contour.ContourData)
        loops.setdefault(k, []).append(indices[:, :2])
    filled = np.zeros(SIZE.shape, dtype=np.bool_)
    for k, drawn in loops.items():
        filled[:, :, k] = fill(drawn, SIZE.shape[:2])
    assert filled.any()
    assert np.array_equal(filled, phantom.lesion > 0)


def test_contours_refer_to_the_series(folder: Path, slices: list[FileDataset]) -> None:
    rt = pydicom.dcmread(folder / "contours.dcm")
    frame = rt.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert frame.FrameOfReferenceUID == slices[0].FrameOfReferenceUID
    assert series.SeriesInstanceUID == slices[0].SeriesInstanceUID
    assert [item.ReferencedSOPInstanceUID for item in series.ContourImageSequence] == [
        ct.SOPInstanceUID for ct in slices
    ]


def test_a_patient_without_lesions_has_the_roi_without_contours(tmp_path: Path) -> None:
    write_patient(make_patient(6, SIZE, 0), tmp_path / "patient", roi="tumour")
    rt = pydicom.dcmread(tmp_path / "patient" / "contours.dcm")
    assert [roi.ROIName for roi in rt.StructureSetROISequence] == ["tumour"]
    assert rt.ROIContourSequence[0].ReferencedROINumber == 1
    assert "ContourSequence" not in rt.ROIContourSequence[0]
