import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import ORIENTATIONS, change, draw_balls, make_grid, write_series
from judges import find_errors, needs_judges
from pydicom import Dataset, dcmread
from skimage.measure import grid_points_in_poly

from medunet.errors import SeriesError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import find_image, read_contours, read_mask, read_volume
from medunet.writing import Algorithm, Result
from medunet.writing.formats import FORMATS

ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
TABLE = LabelTable.from_names(["liver", "GTV_1", "spleen"])
VARIANTS = pytest.mark.parametrize("name", ["rtstruct", "rtstruct-inner"])
PLASTIMATCH = Path("/usr/bin/plastimatch")


def draw(grid: Grid) -> Mask:
    """Holes, many parts, lone voxels and parts that touch the border; slices left out; a label that isn't there."""
    random, voxels = np.random.default_rng(3), np.zeros(grid.shape, np.uint8)
    voxels[2:18, 3:15, 1:7] = 1
    voxels[5:12, 6:10, 2:5] = 0
    voxels[8, 8, 3] = 1
    voxels[random.random(grid.shape) < 0.1] = 2
    voxels[:, :, 1::2][voxels[:, :, 1::2] == 2] = 0
    return Mask("classes", voxels, grid, TABLE)


def write(name: str, series: Path, path: Path, table: LabelTable = TABLE) -> Mask:
    mask = Mask("classes", draw(read_volume(series).grid).voxels, read_volume(series).grid, table)
    FORMATS[name].write(Result(mask, find_image(series), ALGORITHM), path)
    return mask


@VARIANTS
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_identical_mask_is_read_by_two_programs(tmp_path: Path, orientation: str, name: str) -> None:
    """By ours, and by one that knows nothing of it: centres of voxels within polygons in the world, by XOR."""
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    mask = write(name, tmp_path / "series", tmp_path / "m.dcm")
    assert np.array_equal(read_mask(tmp_path / "m.dcm", mask.grid, TABLE).voxels, mask.voxels)
    filled = np.zeros(mask.grid.shape, np.uint8)
    for value, contours in enumerate(read_contours(tmp_path / "m.dcm").values(), 1):
        inside = np.zeros(mask.grid.shape, bool)
        for points in contours:
            index = mask.grid.to_voxel(points)
            assert np.allclose(index[:, 2], index[0, 2].round(), atol=1e-3)
            assert len(points) >= 4
            inside[:, :, round(index[0, 2])] ^= grid_points_in_poly(mask.grid.shape[:2], index[:, :2])
        filled[inside] = value
    assert np.array_equal(filled, mask.voxels)


@VARIANTS
def test_a_tilted_gantry(tmp_path: Path, name: str) -> None:
    grid = make_grid("axial", (21, 17, 9))
    write_series(tmp_path / "series", grid)

    def tilt(dataset: Dataset, k: int) -> None:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, float(y) + 0.8 * k, z]

    change(tmp_path / "series", tilt)
    mask = write(name, tmp_path / "series", tmp_path / "m.dcm")
    assert not mask.grid.is_orthogonal()
    assert np.array_equal(read_mask(tmp_path / "m.dcm", mask.grid, TABLE).voxels, mask.voxels)


@needs_judges
@VARIANTS
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_dciodvfy_finds_no_error(tmp_path: Path, orientation: str, name: str) -> None:
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    write(name, tmp_path / "series", tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") == set()


@pytest.mark.system
@pytest.mark.skipif(not PLASTIMATCH.exists(), reason="the Debian package plastimatch isn't installed")
@pytest.mark.parametrize("orientation", ["axial", "oblique"])
def test_plastimatch_reads_the_identical_mask(tmp_path: Path, orientation: str) -> None:
    """Holes that are contours of their own it fills; of sagittal and coronal slices it loses some contours."""
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    mask = write("rtstruct", tmp_path / "series", tmp_path / "m.dcm")
    command = [PLASTIMATCH, "convert", "--input", tmp_path / "m.dcm", "--referenced-ct", tmp_path / "series"]
    command += ["--output-prefix", tmp_path / "out", "--prefix-format", "nii.gz"]
    subprocess.run(command, check=True, capture_output=True)
    for value in (1, 2):
        read = nib.load(tmp_path / "out" / f"{TABLE.names[value - 1]}.nii.gz")
        places = nib.affines.apply_affine(read.affine, np.argwhere(np.asarray(read.dataobj)))
        found = np.zeros(mask.grid.shape, bool)
        found[tuple(np.rint(mask.grid.to_voxel(places)).astype(int).T)] = True
        assert np.array_equal(found, mask.voxels == value)


def test_it_names_patient_study_slices_and_what_made_it(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid("oblique", (21, 17, 9)))
    mask = write("rtstruct", tmp_path / "series", tmp_path / "m.dcm")
    source = {(item := dcmread(path)).SOPInstanceUID: item for path in (tmp_path / "series").iterdir()}
    first, written = next(iter(source.values())), dcmread(tmp_path / "m.dcm")
    for name in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert written[name].value == first[name].value
    (frame,) = written.ReferencedFrameOfReferenceSequence
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ContourImageSequence} == source.keys()
    assert [roi.ROIName for roi in written.StructureSetROISequence] == [*TABLE.names]
    assert {roi.ROIGenerationAlgorithm for roi in written.StructureSetROISequence} == {"AUTOMATIC"}
    for label, item in zip(TABLE.labels, written.ROIContourSequence, strict=True):
        assert tuple(item.ROIDisplayColor) == label.colour
        for contour in item.get("ContourSequence", []):
            named = source[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            rows = np.array(named.ImageOrientationPatient).reshape(2, 3)
            heights = (points - np.array(named.ImagePositionPatient)) @ np.cross(*rows)
            assert np.abs(heights).max() < 1e-3
            assert contour.NumberOfContourPoints == len(points)
    assert "ContourSequence" not in written.ROIContourSequence[2], (
        "a label that wasn't found is a structure all the same"
    )
    kinds = [item.RTROIIdentificationCodeSequence[0].CodeMeaning for item in written.RTROIObservationsSequence]
    assert kinds == ["Liver", "Neoplasm", "Spleen"]
    assert written.ApprovalStatus == "UNAPPROVED"
    assert mask.voxels.any()


@pytest.mark.parametrize("names", [["病变", "Größe", "печень"], ["L" * 64, "L" * 63, "a,b"]])
def test_names_in_any_script_and_length(tmp_path: Path, names: list[str]) -> None:
    write_series(tmp_path / "series", make_grid("axial", (21, 17, 9)))
    change(tmp_path / "series", lambda dataset, _: setattr(dataset, "SpecificCharacterSet", "ISO_IR 192"))
    change(tmp_path / "series", lambda dataset, _: setattr(dataset, "PatientName", "王^小东"))
    table = LabelTable.from_names(names)
    mask = write("rtstruct", tmp_path / "series", tmp_path / "m.dcm", table)
    assert [*read_contours(tmp_path / "m.dcm")] == names
    assert np.array_equal(read_mask(tmp_path / "m.dcm", mask.grid, table).voxels, mask.voxels)
    assert str(dcmread(tmp_path / "m.dcm").PatientName) == "王^小东"


def test_long_contours_fit(tmp_path: Path) -> None:
    """A contour of 65,536 bytes and more."""
    grid = Grid((160, 160, 3), make_grid("axial").affine)
    write_series(tmp_path / "series", grid)
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[1:-1, ::2, 1] = 1
    voxels[1, :, 1] = 1
    mask = Mask("classes", voxels, read_volume(tmp_path / "series").grid, TABLE)
    FORMATS["rtstruct"].write(Result(mask, find_image(tmp_path / "series"), ALGORITHM), tmp_path / "m.dcm")
    (contour,) = dcmread(tmp_path / "m.dcm").ROIContourSequence[0].ContourSequence
    assert contour.NumberOfContourPoints > 300


def test_what_has_no_slices_is_refused_before(tmp_path: Path) -> None:
    volume = draw_balls(make_grid("axial"))
    nib.save(nib.Nifti1Image(volume.voxels.astype(np.float32), volume.grid.affine), tmp_path / "a.nii.gz")
    with pytest.raises(
        SeriesError, match="it is a file, and a DICOM RTSTRUCT refers to a DICOM series; give the folder"
    ):
        FORMATS["rtstruct"].check(find_image(tmp_path / "a.nii.gz"), TABLE, ALGORITHM)
    write_series(tmp_path / "series", make_grid())
    change(tmp_path / "series", lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    with pytest.raises(SeriesError, match="its header has no FrameOfReferenceUID"):
        FORMATS["rtstruct"].check(find_image(tmp_path / "series"), TABLE, ALGORITHM)


@needs_judges
def test_sides_are_coded(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid("oblique", (21, 17, 9)))
    write("rtstruct", tmp_path / "series", tmp_path / "m.dcm", LabelTable.from_names(["Kidney_L", "Kidney_R", "GTV"]))
    assert find_errors(tmp_path / "m.dcm") == set()
    kinds = [item.RTROIIdentificationCodeSequence[0] for item in dcmread(tmp_path / "m.dcm").RTROIObservationsSequence]
    sides = [kind.get("SegmentedPropertyTypeModifierCodeSequence", ()) for kind in kinds]
    assert [[side.CodeValue for side in own] for own in sides] == [["7771000"], ["24028007"], []]
    assert [kind.CodeMeaning for kind in kinds] == ["Kidney", "Kidney", "Neoplasm"]
