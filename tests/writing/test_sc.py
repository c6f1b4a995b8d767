import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pytest
from dicoms import (
    CHARACTER_SETS,
    ORIENTATIONS,
    change,
    draw_balls,
    make_grid,
    make_pet,
    name_patient,
    refuse_another_reading,
    write_series,
)
from judges import find_errors, needs_judges
from pydicom import Dataset, dcmread

from medunet.errors import SeriesError
from medunet.labels import LabelTable, Mask
from medunet.reading import find_image, read_volume
from medunet.testing.faults import FAULTS
from medunet.writing import Algorithm, Result, sc
from medunet.writing.formats import FORMATS

SHARED = Path(__file__).parents[3] / "shared" / "data"
ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
TABLE = LabelTable.from_names(["liver", "GTV_1", "spleen"])


def make_result(series: Path, table: LabelTable = TABLE) -> Result:
    """Two of three labels."""
    grid, image = read_volume(series).grid, find_image(series)
    mask = Mask("classes", draw_balls(grid, table.names[:2]).voxels, grid, table)
    return Result(mask, image, ALGORITHM, {"ct": image})


def write(result: Result, path: Path) -> Dataset:
    FORMATS["sc"].check(result.origin, result.mask.table, ALGORITHM)
    FORMATS["sc"].write(result, path)
    return dcmread(path)


def find_drawn(path: Path, mask: Mask) -> np.ndarray:
    """Which voxels of a mask have pixels in the colour of their label, (I, J, K), where highdicom places them."""
    volume = highdicom.imread(path).get_volume()
    assert volume.array.shape[-1] == 3
    index = np.stack(np.meshgrid(*map(np.arange, volume.spatial_shape), indexing="ij"), axis=-1)
    lps = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    place = np.rint(mask.grid.to_voxel((lps * (-1, -1, 1)).reshape(-1, 3))).astype(int)
    colours = volume.array.reshape(-1, 3)
    found = np.zeros(mask.grid.shape, np.uint8)
    for label in mask.table.labels:
        found[tuple(place[(colours == label.colour).all(axis=-1)].T)] = label.value
    return found


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_outlines_lie_where_the_mask_does(tmp_path: Path, orientation: str) -> None:
    """In the patient, by a reader of others; voxels are enlarged, so that each at an edge has coloured pixels."""
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    result = make_result(tmp_path / "series")
    write(result, tmp_path / "m.dcm")
    mask = result.mask.voxels
    around = np.pad(mask, ((1, 1), (1, 1), (0, 0)))
    beside = [around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]]
    edge = (mask > 0) & np.any([mask != other for other in beside], axis=0)
    edge[:10, :3] = mask[:10, :3] = 0  # names stand there
    found = find_drawn(tmp_path / "m.dcm", result.mask)
    found[:10, :3] = 0
    assert edge.any()
    assert np.array_equal(found, np.where(edge, mask, 0))


@needs_judges
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_dciodvfy_finds_no_error(tmp_path: Path, orientation: str) -> None:
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    write(make_result(tmp_path / "series"), tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") == set()


def test_it_names_patient_study_slices_and_what_made_it(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid("oblique", (21, 17, 9)))
    source = [dcmread(path) for path in sorted((tmp_path / "series").iterdir())]
    written = write(make_result(tmp_path / "series"), tmp_path / "m.dcm")
    for name in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert written[name].value == source[0][name].value
    assert written.SeriesInstanceUID != source[0].SeriesInstanceUID
    assert (written.Modality, written.ConversionType, written.SeriesNumber) == ("OT", "WSD", 903)
    assert written.SeriesDescription == "ball finder: liver, GTV_1, spleen"
    assert written.DerivationDescription.startswith("outlines of liver, GTV_1, spleen; values from ")
    assert (written.BurnedInAnnotation, written.LossyImageCompression) == ("NO", "00")
    assert written.ImageType == ["DERIVED", "SECONDARY"]
    uids = {item.SOPInstanceUID: item for item in source}
    assert {item.ReferencedSOPInstanceUID for item in written.SourceImageSequence} == uids.keys()
    assert written.NumberOfFrames == len(source)
    for item in written.PerFrameFunctionalGroupsSequence:
        (named,) = item.DerivationImageSequence[0].SourceImageSequence
        origin = uids[named.ReferencedSOPInstanceUID]
        away = np.subtract(item.PlanePositionSequence[0].ImagePositionPatient, origin.ImagePositionPatient)
        normal = np.cross(*np.array(origin.ImageOrientationPatient, float).reshape(2, 3))
        assert abs(away @ normal) < 1e-3
        assert np.linalg.norm(away) < 0.7
    (own,) = (item for item in written.ContributingEquipmentSequence if "DeviceUID" in item)
    assert own.DeviceUID == ALGORITHM.device_uid


def test_what_the_source_has_burnt_in_or_lost_is_told(tmp_path: Path) -> None:
    def edit(dataset: Dataset, _: int) -> None:
        dataset.BurnedInAnnotation, dataset.RecognizableVisualFeatures = "YES", "NO"
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "7.5"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"

    write_series(tmp_path / "series", make_grid("axial"))
    change(tmp_path / "series", edit)
    written = write(make_result(tmp_path / "series"), tmp_path / "m.dcm")
    assert (written.BurnedInAnnotation, written.RecognizableVisualFeatures) == ("YES", "NO")
    assert (written.LossyImageCompression, written.LossyImageCompressionRatio) == ("01", 7.5)


@needs_judges
def test_nothing_found_is_written_on_every_slice(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid("axial", (21, 17, 9)))
    result = make_result(tmp_path / "series")
    result.mask.voxels[:] = 0
    written = write(result, tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") == set()
    assert not sc.FORMAT.optional
    assert all((frame[:30] == 255).all(axis=-1).sum() > 100 for frame in written.pixel_array)


WINDOWS = pytest.mark.parametrize(
    ("modality", "tags", "shown"),
    [
        ("CT", {}, (-160, 240)),
        ("CT", {"WindowCenter": [50, 400], "WindowWidth": [350, 2000]}, (-125, 225)),
        ("CT", {"WindowCenter": "50", "WindowWidth": "0"}, (-160, 240)),
        ("MR", {"WindowCenter": "300", "WindowWidth": "600"}, (0, 600)),
        ("MR", {}, None),
        ("PT", {"WindowCenter": "3", "WindowWidth": "6"}, None),
    ],
)


@WINDOWS
def test_values_are_shown_as_the_source_or_its_kind_asks(
    tmp_path: Path, modality: str, tags: dict[str, object], shown: tuple[float, float] | None
) -> None:
    def edit(dataset: Dataset, _: int) -> None:
        for name in ("WindowCenter", "WindowWidth"):
            if name in dataset:
                delattr(dataset, name)
        if modality == "PT":
            make_pet(dataset).RescaleIntercept = 0
        dataset.Modality = modality
        for name, value in tags.items():
            setattr(dataset, name, value)

    write_series(tmp_path / "series", make_grid("axial"))
    change(tmp_path / "series", edit)
    volume, image = read_volume(tmp_path / "series"), find_image(tmp_path / "series")
    low, high = sc.choose_window(volume, sc.find_slides(image))
    # A PET shows most of its values, whatever unit the window of its header was in.
    assert (low, high) == pytest.approx(shown or np.percentile(volume.voxels, (0.5, 99.5)))


def test_the_window_of_an_enhanced_image_is_that_of_its_frame(tmp_path: Path) -> None:
    path = write_enhanced_series(tmp_path / "series")
    dataset = dcmread(path)
    for k, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        voi = Dataset()
        voi.WindowCenter, voi.WindowWidth = 100 + 10 * k, 200
        item.FrameVOILUTSequence = [voi]
    dataset.save_as(path)
    image = find_image(tmp_path / "series")
    slides = sc.find_slides(image)
    frame = slides.headers[len(slides.headers) // 2].frame
    assert sc.choose_window(read_volume(tmp_path / "series"), slides) == (10 * frame, 10 * frame + 200)


def write_enhanced_series(folder: Path) -> Path:
    next(fault for fault in FAULTS if fault.code == "76").make("oblique").write(folder)
    (path,) = folder.iterdir()
    return path


@needs_judges
def test_frames_of_an_enhanced_image_are_referred_to(tmp_path: Path) -> None:
    source = write_enhanced_series(tmp_path / "series")
    written = write(make_result(tmp_path / "series"), tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") - find_errors(source) == set()
    frames = dcmread(source).PerFrameFunctionalGroupsSequence
    for item in written.PerFrameFunctionalGroupsSequence:
        (named,) = item.DerivationImageSequence[0].SourceImageSequence
        position = frames[named.ReferencedFrameNumber - 1].PlanePositionSequence[0].ImagePositionPatient
        away = np.subtract(item.PlanePositionSequence[0].ImagePositionPatient, position)
        assert np.linalg.norm(away) < 1.5


@needs_judges
@pytest.mark.parametrize(("named", "patient", "labels"), CHARACTER_SETS)
def test_names_in_four_character_sets(tmp_path: Path, named: str, patient: str, labels: list[str]) -> None:
    write_series(tmp_path / "series", make_grid())
    name_patient(tmp_path / "series", named, patient)
    written = write(make_result(tmp_path / "series", LabelTable.from_names(labels)), tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") - find_errors(tmp_path / "series" / "0001.dcm") == set()
    assert str(written.PatientName) == patient
    assert labels[0] in written.DerivationDescription


def test_what_can_not_be_captured_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = make_grid("axial")
    nib.save(nib.Nifti1Image(np.zeros(grid.shape, np.float32), grid.affine), tmp_path / "a.nii.gz")
    check = FORMATS["sc"].check
    with pytest.raises(SeriesError, match="it is a file, and a DICOM secondary capture refers to a DICOM series"):
        check(find_image(tmp_path / "a.nii.gz"), TABLE, ALGORITHM)
    write_series(tmp_path / "series", grid)
    with monkeypatch.context() as patch:
        patch.setattr(sc, "LARGEST", 2**20)
        with pytest.raises(SeriesError, match=r"its pictures would take 0\.0 GiB, and a DICOM file holds 4 GiB"):
            check(find_image(tmp_path / "series"), TABLE, ALGORITHM)
    change(tmp_path / "series", lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    with pytest.raises(SeriesError, match="its header has no FrameOfReferenceUID"):
        check(find_image(tmp_path / "series"), TABLE, ALGORITHM)


def test_an_image_that_is_gone_is_said(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid("axial"))
    result = make_result(tmp_path / "series")
    gone = replace(result, read={}, channels={"ct": find_image(tmp_path / "series")})
    for path in (tmp_path / "series").iterdir():
        path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(SeriesError):
        FORMATS["sc"].write(gone, tmp_path / "m.dcm")


def test_what_reads_back_otherwise_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path / "series", make_grid())
    result = make_result(tmp_path / "series")
    frames = sc.iter_pixels
    monkeypatch.setattr(sc, "iter_pixels", lambda path: (frame ^ 1 for frame in frames(path)))
    refuse_another_reading("sc", result, tmp_path / "m.dcm")


@pytest.mark.data
@needs_judges
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real scans aren't beside the checkout")
@pytest.mark.parametrize(
    ("archive", "folder"), [("sts/STS_005.tar.xz", "STS_005/CT"), ("pet_seg.tar.xz", "pet_seg/PET")]
)
def test_judges_on_real_series(tmp_path: Path, archive: str, folder: str) -> None:
    subprocess.run(["tar", "-xf", SHARED / archive, "-C", tmp_path], check=True)
    image = find_image(tmp_path / folder)
    grid = read_volume(tmp_path / folder).grid
    mask = Mask("classes", draw_balls(grid, TABLE.names[:2], radius_mm=20.0).voxels, grid, TABLE)
    write(Result(mask, image, ALGORITHM, {"a": image}), tmp_path / "m.dcm")
    source = find_errors(next((tmp_path / folder).iterdir()))
    assert find_errors(tmp_path / "m.dcm") - source == set()
