import subprocess
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import ORIENTATIONS, change, draw_balls, make_grid, write_seg, write_series
from pydicom import Dataset, dcmread

from medunet.errors import ResourceError, SeriesError
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import find_series, read_segmentation, read_volume, sort_series
from medunet.records import whole_file
from medunet.writing import Algorithm, check_source, write_segmentation

JUDGES = Path(__file__).parents[2] / ".venv-judges" / "bin"
ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
TABLE = LabelTable.from_names(["liver", "GTV_1"])
needs_judges = pytest.mark.skipif(not (JUDGES / "dciodvfy").exists(), reason="make judges brings dciodvfy and dcmqi")


def reverse(folder: Path) -> None:
    """Name and number the files from the other end."""
    paths = sorted(folder.glob("*.dcm"))
    for number, path in enumerate(reversed(paths), start=1):
        dataset = dcmread(path)
        dataset.InstanceNumber = number
        dataset.save_as(folder / f"r{number:04d}.dcm")
        path.unlink()


def write_case(folder: Path, orientation: str, edit: Callable[[Path], None] = lambda _: None) -> tuple[Path, Mask]:
    """A series, after `edit` of its folder, and a mask of two labels on it as SEG."""
    drawn = make_grid(orientation, (21, 17, 9))
    write_series(folder / "series", drawn)
    edit(folder / "series")
    headers, grid, _ = sort_series(find_series(folder / "series").series[0])
    mask = Mask("classes", draw_balls(grid, TABLE.names).voxels, grid, TABLE)
    path = folder / "m.seg.dcm"
    files = [header.path for header in headers]
    write_segmentation(mask, path, files, ALGORITHM, lambda part, _: read_segmentation(part, grid, TABLE))
    return path, mask


CASES = pytest.mark.parametrize(
    ("orientation", "edit"),
    [*((name, lambda _: None) for name in ORIENTATIONS), ("oblique", reverse)],
    ids=[*ORIENTATIONS, "reversed"],
)


def find_errors(path: Path) -> set[str]:
    done = subprocess.run([JUDGES / "dciodvfy", "-new", path], capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    assert any("Segmentation" in line or "CTImage" in line for line in lines), lines
    return {line for line in lines if line.startswith("Error")}


@needs_judges
@CASES
def test_dciodvfy_finds_no_error_that_the_source_lacks(
    tmp_path: Path, orientation: str, edit: Callable[[Path], None]
) -> None:
    path, _ = write_case(tmp_path, orientation, edit)
    source = next((tmp_path / "series").iterdir())
    assert find_errors(path) - find_errors(source) == set()


@needs_judges
@CASES
def test_dcmqi_reads_the_identical_mask(tmp_path: Path, orientation: str, edit: Callable[[Path], None]) -> None:
    path, mask = write_case(tmp_path, orientation, edit)
    command = [JUDGES / "segimage2itkimage", "--inputDICOM", path, "--outputDirectory", tmp_path / "out"]
    (tmp_path / "out").mkdir()
    done = subprocess.run([*command, "-t", "nii", "--mergeSegments"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (nifti,) = (tmp_path / "out").glob("*.nii*")
    read = nib.load(nifti)
    # dcmqi may order planes from the other end: what counts is the label at each place.
    found = np.zeros(mask.grid.shape, np.uint8)
    at = np.argwhere(np.asarray(read.dataobj))
    index = mask.grid.to_voxel(at @ read.affine[:3, :3].T + read.affine[:3, 3])
    assert np.abs(index - np.rint(index)).max() < 0.01
    found[tuple(np.rint(index).astype(int).T)] = np.asarray(read.dataobj)[tuple(at.T)]
    assert sorted(read.shape) == sorted(mask.grid.shape)
    assert np.array_equal(found, mask.voxels)


@pytest.fixture
def written(tmp_path: Path) -> Dataset:
    return dcmread(write_case(tmp_path, "oblique")[0])


def test_it_names_patient_study_series_and_slices(written: Dataset, tmp_path: Path) -> None:
    source = [dcmread(path) for path in sorted((tmp_path / "series").iterdir())]
    for name in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert written[name].value == source[0][name].value
    assert written.BodyPartExamined == "ABDOMEN"
    assert written.SeriesDescription == "ball finder: liver, GTV_1"
    assert written.SeriesInstanceUID != source[0].SeriesInstanceUID
    (referenced,) = written.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == source[0].SeriesInstanceUID
    uids = {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence}
    assert uids == {dataset.SOPInstanceUID for dataset in source}
    for frame in written.PerFrameFunctionalGroupsSequence:
        uid = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        (origin,) = (dataset for dataset in source if dataset.SOPInstanceUID == uid)
        assert frame.PlanePositionSequence[0].ImagePositionPatient == origin.ImagePositionPatient
    assert written.LossyImageCompression == "00"


def test_segments_are_coded_and_name_the_bundle(written: Dataset) -> None:
    liver, tumor = written.SegmentSequence
    assert (liver.SegmentLabel, tumor.SegmentLabel) == ("liver", "GTV_1")
    assert liver.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "91723000"
    code = tumor.SegmentedPropertyTypeCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == ("108369006", "SCT", "Neoplasm")
    algorithm = tumor.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("ball finder", "1.2.3")
    assert algorithm.AlgorithmParameters == "weights_sha256=" + "f" * 64
    assert tumor.SegmentAlgorithmType == "AUTOMATIC"


def test_geometry_is_that_of_the_positions(tmp_path: Path) -> None:
    def misstate(dataset: Dataset, _: int) -> None:
        dataset.SpacingBetweenSlices = -1.0
        del dataset.SliceThickness

    path, mask = write_case(tmp_path, "sagittal", lambda folder: change(folder, misstate))
    measures = dcmread(path).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert list(measures.PixelSpacing) == [1.1, 0.7]
    assert measures.SpacingBetweenSlices == measures.SliceThickness == pytest.approx(3.0)
    assert np.allclose(read_volume(tmp_path / "series").grid.affine, mask.grid.affine)


def test_an_empty_mask_is_a_valid_segmentation(tmp_path: Path) -> None:
    grid = make_grid("axial")
    write_series(tmp_path / "series", grid)
    write_seg(tmp_path / "m.dcm", Mask("classes", np.zeros(grid.shape, np.uint8), grid, TABLE), tmp_path / "series")
    assert dcmread(tmp_path / "m.dcm").NumberOfFrames == 2 * grid.shape[2]
    if (JUDGES / "dciodvfy").exists():
        assert find_errors(tmp_path / "m.dcm") - find_errors(tmp_path / "series" / "0001.dcm") == set()


def test_loss_in_any_slice_is_told(tmp_path: Path) -> None:
    def lose(dataset: Dataset, _: int) -> None:
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "7.5"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"

    path, _ = write_case(tmp_path, "axial", lambda folder: change(folder, lose, only=[4]))
    written = dcmread(path)
    assert (written.LossyImageCompression, written.LossyImageCompressionRatio) == ("01", 7.5)


def test_names_in_any_script_stay(tmp_path: Path) -> None:
    def rename(dataset: Dataset, _: int) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.PatientName = "Müller^Jörg"
        del dataset.StudyID, dataset.AccessionNumber

    grid = make_grid("axial")
    write_series(tmp_path / "series", grid)
    change(tmp_path / "series", rename)
    mask = draw_balls(grid)
    named = Mask("classes", mask.voxels, grid, LabelTable.from_names(["病变"]))
    write_seg(tmp_path / "m.dcm", named, tmp_path / "series")
    written = dcmread(tmp_path / "m.dcm")
    assert (str(written.PatientName), written.SegmentSequence[0].SegmentLabel) == ("Müller^Jörg", "病变")


def test_what_can_not_become_a_segmentation_is_told_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_series(tmp_path, make_grid())
    file = str(tmp_path / "0001.dcm")
    check_source(file, TABLE.labels, ALGORITHM)
    assert not caplog.records
    check_source(file, LabelTable.from_names(["thing"]).labels, ALGORITHM)
    assert "label thing: no coded term is known" in caplog.text
    change(tmp_path, lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    with pytest.raises(SeriesError, match=r"0001\.dcm: its header makes no DICOM SEG .*Frame Of Reference UID"):
        check_source(file, TABLE.labels, ALGORITHM)


def test_what_reads_back_otherwise_is_not_left_behind(tmp_path: Path) -> None:
    grid = make_grid("axial")
    write_series(tmp_path / "series", grid)
    mask = draw_balls(grid)
    other = Mask("classes", np.zeros_like(mask.voxels), Grid(grid.shape, grid.affine), mask.table)
    files = [str(path) for path in sorted((tmp_path / "series").iterdir())]
    with (
        pytest.raises(ResourceError, match="differs from what was written"),
        whole_file(tmp_path / "m.dcm") as part,
    ):
        write_segmentation(mask, part, files, ALGORITHM, lambda *_: other)
    assert [path.name for path in tmp_path.iterdir()] == ["series"]
