import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import ORIENTATIONS, change, draw_balls, make_grid, write_seg, write_series
from judges import find_errors, needs_judges, read_by_dcmqi
from pydicom import Dataset, dcmread

from medunet.errors import ResourceError, SeriesError
from medunet.files import whole_file
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import Place, find_image, find_series, read_segmentation, read_volume, sort_series
from medunet.testing.faults import FAULTS
from medunet.writing import (
    Algorithm,
    Format,
    Result,
    check_source,
    omit_empty_frames,
    seg,
    write_segmentation,
)
from medunet.writing.formats import FORMATS

SHARED = Path(__file__).parents[3] / "shared" / "data"
ALGORITHM = Algorithm("ball finder", "1.2.3", "f" * 64)
TABLE = LabelTable.from_names(["liver", "GTV_1"])


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
    slices = [header.describe() for header in headers]
    write_segmentation(mask, path, slices, ALGORITHM, lambda part, _: read_segmentation(part, grid, TABLE))
    return path, mask


CASES = pytest.mark.parametrize(
    ("orientation", "edit"),
    [*((name, lambda _: None) for name in ORIENTATIONS), ("oblique", reverse)],
    ids=[*ORIENTATIONS, "reversed"],
)


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
    assert np.array_equal(read_by_dcmqi(path, mask.grid, tmp_path / "out"), mask.voxels)


@pytest.mark.data
@needs_judges
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real scans aren't beside the checkout")
@pytest.mark.parametrize(
    ("archive", "folder"), [("sts/STS_005.tar.xz", "STS_005/CT"), ("pet_seg.tar.xz", "pet_seg/PET")]
)
def test_judges_on_real_series(tmp_path: Path, archive: str, folder: str) -> None:
    subprocess.run(["tar", "-xf", SHARED / archive, "-C", tmp_path], check=True)
    headers, grid, _ = sort_series(find_series(tmp_path / folder).series[0])
    mask = Mask("classes", draw_balls(grid, TABLE.names, radius_mm=20.0).voxels, grid, TABLE)
    slices = [header.describe() for header in headers]
    path = tmp_path / "m.dcm"
    write_segmentation(mask, path, slices, ALGORITHM, lambda part, _: read_segmentation(part, grid, TABLE))
    assert find_errors(path) - find_errors(Path(headers[0].path)) == set()
    assert np.array_equal(read_by_dcmqi(path, grid, tmp_path / "out"), mask.voxels)


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
    assert written.NumberOfFrames == 2 * len(source), "a frame for each slice and segment"


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
    assert (liver.TrackingID, tumor.TrackingID) == ("liver", "GTV_1")
    assert liver.TrackingUID != tumor.TrackingUID


@needs_judges
@pytest.mark.parametrize("name", ["seg", "seg-labelmap"])
def test_sides_are_coded(tmp_path: Path, name: str) -> None:
    write_series(tmp_path / "series", make_grid())
    grid = read_volume(tmp_path / "series").grid
    table = LabelTable.from_names(["RightParotid", "LeftParotid", "SpinalCord"])
    mask = Mask("classes", draw_balls(grid, table.names[:2]).voxels, grid, table)
    path = tmp_path / "m.dcm"
    FORMATS[name].write(Result(mask, find_image(tmp_path / "series"), ALGORITHM), path)
    assert find_errors(path) - find_errors(next((tmp_path / "series").iterdir())) == set()
    types = {
        item.SegmentLabel: item.SegmentedPropertyTypeCodeSequence[0]
        for item in dcmread(path).SegmentSequence
        if item.SegmentLabel in table.names
    }
    modifiers = {
        label: [modifier.CodeMeaning for modifier in kind.get("SegmentedPropertyTypeModifierCodeSequence", ())]
        for label, kind in types.items()
    }
    assert modifiers == {"RightParotid": ["Right"], "LeftParotid": ["Left"], "SpinalCord": []}
    assert {types[label].CodeValue for label in ("RightParotid", "LeftParotid")} == {"45289007"}


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


@needs_judges
def test_dciodvfy_takes_an_empty_segmentation(tmp_path: Path) -> None:
    grid = make_grid("axial")
    write_series(tmp_path / "series", grid)
    write_seg(tmp_path / "m.dcm", Mask("classes", np.zeros(grid.shape, np.uint8), grid, TABLE), tmp_path / "series")
    assert find_errors(tmp_path / "m.dcm") - find_errors(tmp_path / "series" / "0001.dcm") == set()


def test_loss_in_any_slice_is_told(tmp_path: Path) -> None:
    def lose(dataset: Dataset, _: int) -> None:
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "7.5"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"

    path, _ = write_case(tmp_path, "axial", lambda folder: change(folder, lose, only=[4]))
    written = dcmread(path)
    assert (written.LossyImageCompression, written.LossyImageCompressionRatio) == ("01", 7.5)


def test_names_in_any_script_stay_and_are_not_told(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    def rename(dataset: Dataset, _: int) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.PatientName = "Müller Jörg"
        del dataset.StudyID, dataset.AccessionNumber

    grid = make_grid("axial")
    write_series(tmp_path / "series", grid)
    change(tmp_path / "series", rename)
    mask = draw_balls(grid)
    named = Mask("classes", mask.voxels, grid, LabelTable.from_names(["病变"]))
    write_seg(tmp_path / "m.dcm", named, tmp_path / "series")
    written = dcmread(tmp_path / "m.dcm")
    assert (str(written.PatientName), written.SegmentSequence[0].SegmentLabel) == ("Müller Jörg", "病变")
    assert not any("Müller" in str(item.message) for item in recwarn)


def write_name(folder: Path, named: str, raw: bytes) -> None:
    """Give a series a PatientName in bytes, and a Specific Character Set whatever that is."""
    size = len(raw) + len(raw) % 2
    for path in folder.iterdir():
        dataset = dcmread(path)
        dataset.PatientName, dataset.SpecificCharacterSet = "Q" * size, "ISO_IR 100"
        dataset["SpecificCharacterSet"].value = "X" * 40
        dataset.save_as(path)
        data = path.read_bytes().replace(b"Q" * size, raw.ljust(size)).replace(b"X" * 40, named.encode().ljust(40))
        path.write_bytes(data)


def name_patient(folder: Path, named: str, raw: bytes, caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    """The PatientName in the SEG of a series, and what is warned of."""
    grid = make_grid("axial")
    write_series(folder / "series", grid)
    write_name(folder / "series", named, raw)
    (series,) = find_series(folder / "series", keep=True).series
    headers = [header.describe() for header in sort_series(series)[0]]
    check_source(headers[0], TABLE.labels, ALGORITHM)
    write_segmentation(
        draw_balls(grid),
        folder / "m.dcm",
        headers,
        ALGORITHM,
        lambda part, mask: read_segmentation(part, grid, mask.table),
    )
    said = [record.getMessage() for record in caplog.records if record.name.startswith("medunet")]
    return str(dcmread(folder / "m.dcm").PatientName), "".join(said)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("named", "encoding"),
    [
        ("ISO_IR 192", "utf-8"),
        (" ISO_IR  192 ", "utf-8"),
        ("ISO-IR 192", "utf-8"),
        ("ISO 2022 IR 192", "utf-8"),
        ("UTF8", "utf-8"),
        ("", "utf-8"),
        ("ISO 2022 IR 6\\GB18030", "gb18030"),
        ("ISO 2022 IR 6\\ISO 2022 GB18030", "gb18030"),
        ("\\GBK", "gbk"),
        ("gb18030", "gb18030"),
    ],
)
def test_a_name_is_right_where_its_character_set_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, named: str, encoding: str
) -> None:
    assert name_patient(tmp_path, named, "王^小东".encode(encoding), caplog) == ("王^小东", "")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("named", ["", "X1", "ISO_IR 192", "ISO 2022 IR 100\\GB18030", "ISO_IR 6"])
def test_a_name_that_nothing_decodes_gives_way_to_the_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, named: str
) -> None:
    name, said = name_patient(tmp_path, named, "Müller".encode("latin-1"), caplog)
    assert name == "PH-T"
    assert "PatientName can't be decoded as" in said
    assert "it calls the patient by the PatientID" in said


def test_what_can_not_become_a_segmentation_is_told_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_series(tmp_path, make_grid())
    file = tmp_path / "0001.dcm"
    check_source(dcmread(file), TABLE.labels, ALGORITHM)
    assert not caplog.records
    check_source(dcmread(file), LabelTable.from_names(["thing"]).labels, ALGORITHM)
    assert "label thing: no coded term is known" in caplog.text
    change(tmp_path, lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    with pytest.raises(SeriesError, match=r"0001\.dcm: its header makes no DICOM SEG .*Frame Of Reference UID"):
        check_source(dcmread(file), TABLE.labels, ALGORITHM)


def test_what_reads_back_otherwise_is_not_left_behind(tmp_path: Path) -> None:
    grid = make_grid("axial")
    write_series(tmp_path / "series", grid)
    mask = draw_balls(grid)
    other = Mask("classes", np.zeros_like(mask.voxels), Grid(grid.shape, grid.affine), mask.table)
    slices = [dcmread(path) for path in sorted((tmp_path / "series").iterdir())]
    with (
        pytest.raises(ResourceError, match="differs from what was written"),
        whole_file(tmp_path / "m.dcm") as part,
    ):
        write_segmentation(mask, part, slices, ALGORITHM, lambda *_: other)
    assert [path.name for path in tmp_path.iterdir()] == ["series"]


def test_a_scan_without_a_frame_of_reference_in_common_gets_that_of_its_first_slice(tmp_path: Path) -> None:
    grid = make_grid()
    write_series(tmp_path / "series", grid)
    change(tmp_path / "series", lambda dataset, k: setattr(dataset, "FrameOfReferenceUID", f"1.2.{k + 1}"))
    mask = draw_balls(grid)
    write_seg(tmp_path / "m.dcm", mask, tmp_path / "series")
    written = dcmread(tmp_path / "m.dcm")
    assert written.FrameOfReferenceUID == "1.2.1"
    assert "FrameOfReferenceUID of its own" in written.ImageComments
    frame = read_volume(tmp_path / "series").source.frame_of_reference_uid
    again = read_segmentation(tmp_path / "m.dcm", grid, mask.table, place=Place(frame))
    assert np.array_equal(again.voxels, mask.voxels)


def test_bits_follow_each_other_without_padding() -> None:
    planes = np.random.default_rng(0).random((7, 3, 5)) < 0.5
    packed = b"".join(seg.pack_bits(iter(planes)))
    assert packed == np.packbits(planes.ravel(), bitorder="little").tobytes()


ENCODINGS = pytest.mark.parametrize("row", [omit_empty_frames(seg.FORMAT), seg.LABEL_MAP], ids=["omit", "labelmap"])


@ENCODINGS
@needs_judges
@pytest.mark.parametrize("orientation", ["axial", "oblique"])
def test_other_encodings_hold_the_same_mask(tmp_path: Path, orientation: str, row: Format) -> None:
    write_series(tmp_path / "series", make_grid(orientation, (21, 17, 9)))
    image, grid = find_image(tmp_path / "series"), read_volume(tmp_path / "series").grid
    mask = Mask("classes", draw_balls(grid, TABLE.names).voxels, grid, TABLE)
    row.check(image, TABLE, ALGORITHM)
    row.write(Result(mask, image, ALGORITHM), tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") == set()
    assert np.array_equal(read_by_dcmqi(tmp_path / "m.dcm", grid, tmp_path / "out"), mask.voxels)
    slices = [int((mask.voxels == label.value).any(axis=(0, 1)).sum()) for label in TABLE.labels]
    frames = dcmread(tmp_path / "m.dcm").NumberOfFrames
    assert frames == (grid.shape[2] if row is seg.LABEL_MAP else sum(slices)) < 2 * grid.shape[2]


@ENCODINGS
@needs_judges
def test_other_encodings_hold_an_empty_mask(tmp_path: Path, row: Format) -> None:
    write_series(tmp_path / "series", make_grid("axial"))
    image, grid = find_image(tmp_path / "series"), read_volume(tmp_path / "series").grid
    result = Result(Mask("classes", np.zeros(grid.shape, np.uint8), grid, TABLE), image, ALGORITHM)
    row.write(result, tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") == set()


def test_only_a_segmentation_of_frames_for_labels_leaves_some_out() -> None:
    for row in FORMATS.values():
        assert (omit_empty_frames(row) is row) == (row is not seg.FORMAT)


def test_more_frames_than_are_read_again_are_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_series(tmp_path, make_grid())
    monkeypatch.setattr(seg, "MOST_FRAMES", 11)
    image = find_image(tmp_path)
    with pytest.raises(SeriesError, match=r"2 labels and 6 slices is 12 frames.*seg-labelmap, or"):
        seg.FORMAT.check(image, TABLE, ALGORITHM)
    seg.LABEL_MAP.check(image, TABLE, ALGORITHM)
    omit_empty_frames(seg.FORMAT).check(image, TABLE, ALGORITHM)


def test_a_label_map_that_can_not_be_is_refused_by_its_name(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: delattr(dataset, "FrameOfReferenceUID"))
    with pytest.raises(SeriesError, match="choose another format than seg-labelmap"):
        seg.LABEL_MAP.check(find_image(tmp_path), TABLE, ALGORITHM)


@needs_judges
@pytest.mark.parametrize("row", [seg.FORMAT, seg.LABEL_MAP], ids=["seg", "labelmap"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("orientation", ["axial", "oblique"])
def test_an_enhanced_image_has_its_frames_referred_to(
    tmp_path: Path, orientation: str, turned: bool, row: Format
) -> None:
    next(fault for fault in FAULTS if fault.code == "76").make(orientation).write(tmp_path / "series")
    (source,) = (tmp_path / "series").iterdir()
    if turned:
        dataset = dcmread(source)
        dataset.PixelData = dataset.pixel_array[::-1].tobytes()
        dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]
        dataset.save_as(source)
    image, grid = find_image(tmp_path / "series"), read_volume(tmp_path / "series").grid
    mask = Mask("classes", draw_balls(grid, TABLE.names).voxels, grid, TABLE)
    row.check(image, TABLE, ALGORITHM)
    row.write(Result(mask, image, ALGORITHM), tmp_path / "m.dcm")
    assert find_errors(tmp_path / "m.dcm") - find_errors(source) == set()
    assert np.array_equal(read_by_dcmqi(tmp_path / "m.dcm", grid, tmp_path / "out"), mask.voxels)
    written, frames = dcmread(tmp_path / "m.dcm"), dcmread(source).PerFrameFunctionalGroupsSequence
    for item in written.PerFrameFunctionalGroupsSequence:
        (named,) = item.DerivationImageSequence[0].SourceImageSequence
        position = frames[named.ReferencedFrameNumber - 1].PlanePositionSequence[0].ImagePositionPatient
        assert item.PlanePositionSequence[0].ImagePositionPatient == position
