import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from dicoms import ORIENTATIONS, change, draw_balls, make_grid, make_identity, write_series
from judges import find_errors, needs_judges, read_by_dcmqi
from PIL import Image
from pydicom import Dataset, dcmread

from medunet.conversion import Target, Wishes, convert_mask, read_labels
from medunet.errors import GeometryError, InputError, LabelError, MedunetError, OutputExistsError, SeriesError
from medunet.geometry import Grid
from medunet.labels import CodedTerm, Label, LabelTable, Mask
from medunet.reading import ReadOptions, read_mask, read_volume
from medunet.reading.labels.tables import read_labelling, read_nifti_table
from medunet.testing.phantoms import write_contours

SHARED = Path(__file__).parents[2] / "shared" / "data"
CODE = CodedTerm(scheme="SCT", value="10200004", meaning="Liver")
CATEGORY = CodedTerm(scheme="SCT", value="91723000", meaning="Anatomical Structure")
TABLE = LabelTable(
    labels=(
        Label(value=1, name="the liver", colour=(9, 200, 7), code=CODE, category=CATEGORY),
        Label(value=2, name="GTV_1", colour=(200, 1, 0)),
    )
)
SHAPE = (21, 17, 9)


def draw(grid: Grid) -> Mask:
    """Two balls, and holes, islands and lone voxels, of which contours are told apart."""
    voxels = draw_balls(grid, TABLE.names).voxels
    voxels[1:8, 1:7, 1:4] = 1
    voxels[3:5, 3:5, 2] = 0
    voxels[20, 16, 8] = voxels[0, 0, 0] = 2
    return Mask("classes", voxels, grid, TABLE)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    write_series(tmp_path / "series", make_grid("oblique", SHAPE))
    return tmp_path / "series"


@pytest.fixture
def mask(series: Path) -> Mask:
    return draw(read_volume(series).grid)


@pytest.fixture
def nifti(mask: Mask, tmp_path: Path) -> Path:
    return mask.save(tmp_path / "m.nii.gz")


def convert(mask: Path, output: Path, to: Target, source: Path | None = None, **wishes: object) -> Path:
    return convert_mask(mask, output, Wishes(to, source, **wishes))  # type: ignore[arg-type]


def turn(mask: Mask, path: Path) -> Path:
    """The same mask with its axes in another order, two of them backwards."""
    affine = mask.grid.affine.copy()
    affine[:3, 3] = mask.grid.to_world([[SHAPE[0] - 1, 0, SHAPE[2] - 1]])[0]
    affine[:3, :3] = affine[:3, :3] @ np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]])
    voxels = mask.voxels[::-1, :, ::-1].transpose(1, 2, 0)
    return Mask("classes", voxels, Grid(voxels.shape, affine), mask.table).save(path)


@pytest.mark.parametrize(("to", "contours"), [("seg", "rtstruct"), ("seg-labelmap", "rtstruct-inner")])
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_that_goes_round_all_formats_is_the_same(
    tmp_path: Path, orientation: str, turned: bool, to: Target, contours: Target
) -> None:
    series = tmp_path / "series"
    write_series(series, make_grid(orientation, SHAPE))
    mask = draw(read_volume(series).grid)
    first = turn(mask, tmp_path / "m.nii.gz") if turned else mask.save(tmp_path / "m.nii.gz")
    seg = convert(first, tmp_path, to, series)
    second = convert(seg, tmp_path / "2.nii.gz", "nifti", series)
    drawn = convert(second, tmp_path, contours, series)
    third = convert(drawn, tmp_path / "3.nii", "nifti", series)
    assert [seg.name, drawn.name] == [f"m.{to}.dcm", f"2.{contours}.dcm"]
    for path in (second, third):
        read = read_volume(path)
        assert np.array_equal(read.voxels[0], mask.voxels)
        assert np.allclose(read.grid.affine, mask.grid.affine, atol=1e-4)
        table = read_nifti_table(path)
        assert table is not None
        assert [(label.name, label.colour) for label in table.labels] == [
            (one.name, one.colour) for one in TABLE.labels
        ]
        assert table.labels[0].code == CODE
        # What nobody coded gets the term that its name stands for.
        assert table.labels[1].code is not None
    assert read_nifti_table(second).labels[0] == TABLE.labels[0]  # type: ignore[union-attr]


@needs_judges
@pytest.mark.parametrize("to", ["seg", "seg-labelmap", "rtstruct", "rtstruct-inner"])
@pytest.mark.parametrize("made_by", [None, "manual", "semiautomatic", "automatic"])
def test_dciodvfy_finds_no_error(series: Path, nifti: Path, tmp_path: Path, to: Target, made_by: str | None) -> None:
    path = convert(nifti, tmp_path, to, series, made_by=made_by)
    assert find_errors(path) - find_errors(next(series.iterdir())) == set()


@needs_judges
@pytest.mark.parametrize("to", ["seg", "seg-labelmap"])
def test_dcmqi_reads_the_identical_mask(series: Path, nifti: Path, mask: Mask, tmp_path: Path, to: Target) -> None:
    path = convert(nifti, tmp_path, to, series)
    assert np.array_equal(read_by_dcmqi(path, mask.grid, tmp_path / "out"), mask.voxels)


def test_a_seg_alone_becomes_the_planes_that_it_shows(series: Path, nifti: Path, mask: Mask, tmp_path: Path) -> None:
    seg = convert(nifti, tmp_path, "seg", series)
    again = read_volume(convert(seg, tmp_path / "alone.nii.gz", "nifti"))
    assert np.array_equal(again.voxels[0], mask.voxels)
    assert np.allclose(again.grid.affine, mask.grid.affine, atol=1e-3)


def test_a_label_map_of_itk_gets_names_and_stays_where_it_is(mask: Mask, tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(mask.voxels.T))
    image.SetSpacing((2.0, 3.0, 4.0))
    SimpleITK.WriteImage(image, tmp_path / "m.nrrd")
    path = convert(tmp_path / "m.nrrd", tmp_path / "new", "nifti", labels=("a", "b"))
    assert path == tmp_path / "new" / "m.nii.gz"
    assert np.array_equal(read_volume(path).voxels[0], mask.voxels)
    assert read_volume(path).grid.spacing == (2.0, 3.0, 4.0)
    assert read_nifti_table(path) == LabelTable.from_names(["a", "b"])


def test_one_of_several_structures_and_the_series_that_it_refers_to(tmp_path: Path) -> None:
    """The source holds two series; the contours say on which of them they were drawn."""
    grid = make_grid("axial", SHAPE)
    for name, seed in (("one", 1), ("two", 2)):
        write_series(
            tmp_path / "scans" / name, grid, np.random.default_rng(seed).integers(0, 99, SHAPE).astype(np.int16)
        )
    mask = draw(read_volume(tmp_path / "scans" / "two").grid)
    drawn = convert(mask.save(tmp_path / "m.nii.gz"), tmp_path, "rtstruct", tmp_path / "scans" / "two")
    path = convert(drawn, tmp_path / "gtv.nii.gz", "nifti", tmp_path / "scans", labels=("GTV_1",))
    assert np.array_equal(read_volume(path).voxels[0], mask.voxels == 2)
    with pytest.raises(LabelError, match="it refers to another series than the one of"):
        convert(drawn, tmp_path / "out", "nifti", tmp_path / "scans" / "one")
    uid = dcmread(next((tmp_path / "scans" / "one").iterdir())).SeriesInstanceUID
    with pytest.raises(LabelError, match="it refers to another series"):
        convert(drawn, tmp_path / "out", "nifti", tmp_path / "scans", options=ReadOptions(series=uid))


def test_what_made_a_mask_is_told_as_far_as_it_is_known(
    series: Path, nifti: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = convert(nifti, tmp_path / "unknown.dcm", "seg", series)
    assert "nothing says what made the mask" in caplog.text
    item = dcmread(unknown).SegmentSequence[0]
    assert (item.SegmentAlgorithmType, item.SegmentAlgorithmName) == ("SEMIAUTOMATIC", "unknown")
    assert "SegmentationAlgorithmIdentificationSequence" not in item
    assert (
        dcmread(convert(unknown, tmp_path, "rtstruct", series)).StructureSetROISequence[0].ROIGenerationAlgorithm == ""
    )
    caplog.clear()
    drawn = convert(nifti, tmp_path / "manual.dcm", "seg", series, made_by="manual")
    assert not caplog.text
    item = dcmread(drawn).SegmentSequence[0]
    assert item.SegmentAlgorithmType == "MANUAL"
    assert "SegmentAlgorithmName" not in item
    contours = convert(drawn, tmp_path, "rtstruct", series)
    assert {roi.ROIGenerationAlgorithm for roi in dcmread(contours).StructureSetROISequence} == {"MANUAL"}
    assert read_labelling(contours).algorithm.kind == "MANUAL"


def test_what_segments_say_of_their_algorithms_stays(series: Path, nifti: Path, tmp_path: Path) -> None:
    path = convert(nifti, tmp_path / "m.dcm", "seg", series, made_by="automatic")
    dataset = dcmread(path)
    dataset.SegmentSequence[0].SegmentAlgorithmName = "finder"
    dataset.SegmentSequence[1].SegmentAlgorithmType = "MANUAL"
    dataset.save_as(path)
    first, second = dcmread(convert(path, tmp_path / "again.dcm", "seg", series)).SegmentSequence
    assert (first.SegmentAlgorithmType, first.SegmentAlgorithmName) == ("AUTOMATIC", "finder")
    assert second.SegmentAlgorithmType == "MANUAL"
    first, second = dcmread(convert(path, tmp_path, "rtstruct", series)).StructureSetROISequence
    assert (first.ROIGenerationAlgorithm, first.ROIGenerationDescription) == ("AUTOMATIC", "finder")
    assert second.ROIGenerationAlgorithm == "MANUAL"
    given = convert(path, tmp_path / "given.dcm", "seg", series, made_by="semiautomatic")
    assert {item.SegmentAlgorithmType for item in dcmread(given).SegmentSequence} == {"SEMIAUTOMATIC"}


@pytest.mark.parametrize("made_by", ["manual", None])
def test_slices_without_contours_stay_empty_whoever_made_them(
    series: Path, tmp_path: Path, made_by: str | None
) -> None:
    grid = read_volume(series).grid
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[4:9, 4:9, ::2] = 1
    mask = Mask("classes", voxels, grid, LabelTable.from_names(["x"]))
    path = convert(mask.save(tmp_path / "m.nii.gz"), tmp_path, "rtstruct", series, made_by=made_by)
    assert np.array_equal(read_mask(path, grid, mask.table).voxels, voxels)


def test_a_table_in_a_file_gives_names_colours_and_codes(series: Path, nifti: Path, tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text('["liver", "tumor"]')
    assert read_labels(tmp_path / "names.json") == ("liver", "tumor")
    labels = [{"value": 1, "name": "organ", "colour": [1, 2, 3], "code": CODE.model_dump()}, "tumor"]
    (tmp_path / "cohort.json").write_text(json.dumps({"cases": "x.csv", "labels": labels}))
    table = read_labels(tmp_path / "cohort.json")
    seg = convert(nifti, tmp_path, "seg", series, labels=table)
    said = read_labelling(seg).table.labels
    assert (said[0].name, said[0].colour) == ("organ", (1, 2, 3))
    assert said[0].code == CODE
    (tmp_path / "other.json").write_text('{"cases": "x.csv"}')
    with pytest.raises(InputError, match="labels"):
        read_labels(tmp_path / "other.json")


def test_what_exists_stays_unless_it_may_be_replaced(series: Path, nifti: Path, tmp_path: Path) -> None:
    path = tmp_path / "there.nii.gz"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="choose another output, or add --overwrite"):
        convert(nifti, path, "nifti", series)
    assert path.read_text() == "mine"
    assert convert_mask(nifti, path, Wishes("nifti", series), overwrite=True) == path
    assert read_nifti_table(path) == TABLE


Case = Callable[[Path, Mask], tuple[Path, Target, dict[str, object]]]


def of_another_grid(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    affine = mask.grid.affine.copy()
    affine[:3, 3] += 0.5
    return Mask("classes", mask.voxels, Grid(SHAPE, affine), TABLE).save(folder / "x.nii.gz"), "seg", {}


def of_another_shape(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    grid = Grid((21, 17, 8), mask.grid.affine)
    return Mask("classes", mask.voxels[:, :, :8], grid, TABLE).save(folder / "x.nii.gz"), "nifti", {}


def of_unnamed_values(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "seg", {"labels": ("liver",)}


def of_an_image(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    volume = read_volume(folder / "series")
    return volume.save(folder / "x.nii.gz"), "seg", {"labels": ("liver",)}


def without_names(folder: Path, _: Mask) -> tuple[Path, Target, dict[str, object]]:
    return read_volume(folder / "series").save(folder / "x.nii.gz"), "seg", {}


def of_objects(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    table = LabelTable.from_names(["nucleus"], objects=True)
    return Mask("instances", mask.voxels, mask.grid, table).save(folder / "x.nii.gz"), "seg", {}


def of_ignored_voxels(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    voxels = mask.voxels.copy()
    voxels[0] = 255
    table = TABLE.model_copy(update={"ignore": 255})
    return Mask("classes", voxels, mask.grid, table).save(folder / "x.nii.gz"), "rtstruct", {}


def without_a_source(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "seg", {"source": None}


def of_contours_without_a_source(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    path = convert(mask.save(folder / "x.nii.gz"), folder, "rtstruct", folder / "series")
    return path, "nifti", {"source": None}


def of_a_source_that_is_a_file(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "seg", {"source": folder / "x.nii.gz"}


def of_another_frame(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    path = convert(mask.save(folder / "x.nii.gz"), folder, "seg", folder / "series")
    dataset = dcmread(path)
    dataset.FrameOfReferenceUID, dataset.StudyInstanceUID = "1.2.3", "1.2.4"
    dataset.save_as(path)
    return path, "nifti", {}


def of_segments_that_overlap(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    path = convert(mask.save(folder / "x.nii.gz"), folder, "seg", folder / "series")
    dataset = dcmread(path)
    dataset.PixelData = b"\xff" * len(dataset.PixelData)
    dataset.save_as(path)
    return path, "nifti", {}


def of_fractions(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    path = convert(mask.save(folder / "x.nii.gz"), folder, "seg", folder / "series")
    dataset = dcmread(path)
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    pixels = bits[: dataset.NumberOfFrames * dataset.Rows * dataset.Columns] * np.uint8(200)
    dataset.PixelData = pixels.tobytes() + b"\0" * (len(pixels) % 2)
    dataset.SegmentationType, dataset.MaximumFractionalValue = "FRACTIONAL", 255
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.save_as(path)
    return path, "nifti", {}


def of_contours_beyond_the_image(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    path = convert(mask.save(folder / "x.nii.gz"), folder, "rtstruct", folder / "series")
    dataset = dcmread(path)
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    corner = mask.grid.to_world([[-9, -9, 0], [9, -9, 0], [9, 9, 0]]) * (-1, -1, 1)
    contour.ContourData, contour.NumberOfContourPoints = [f"{x:.3f}" for x in corner.ravel()], 3
    dataset.save_as(path)
    return path, "nifti", {}


def of_a_slice(folder: Path, _: Mask) -> tuple[Path, Target, dict[str, object]]:
    return next((folder / "series").iterdir()), "nifti", {}


def of_a_picture(folder: Path, _: Mask) -> tuple[Path, Target, dict[str, object]]:
    Image.fromarray(np.zeros((17, 21), np.uint8)).save(folder / "x.png")
    return folder / "x.png", "nifti", {"labels": ("a",)}


def of_a_folder(folder: Path, _: Mask) -> tuple[Path, Target, dict[str, object]]:
    return folder / "series", "nifti", {}


def of_nothing(folder: Path, _: Mask) -> tuple[Path, Target, dict[str, object]]:
    return folder / "absent.nii.gz", "nifti", {}


def of_damage(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    path = mask.save(folder / "x.nii.gz")
    path.write_bytes(path.read_bytes()[:100])
    return path, "nifti", {}


def with_another_ending(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "seg", {"output": folder / "out" / "y.nii.gz"}


def of_a_series_that_is_not_there(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "seg", {"options": ReadOptions(series="1.2.3")}


def beside_a_picture(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    Image.fromarray(np.zeros((17, 21), np.uint8)).save(folder / "x.png")
    return mask.save(folder / "x.nii.gz"), "nifti", {"source": folder / "x.png"}


def naming_two_alike(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "seg", {"labels": ("liver", "liver")}


def naming_none(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "seg", {"labels": ()}


def choosing_without_a_source(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "nifti", {"source": None, "options": ReadOptions(series="1.2.3")}


def saying_what_has_no_place(folder: Path, mask: Mask) -> tuple[Path, Target, dict[str, object]]:
    return mask.save(folder / "x.nii.gz"), "nifti", {"made_by": "manual"}


@pytest.mark.parametrize(
    ("case", "kind", "sentence"),
    [
        (of_another_grid, GeometryError, "its voxels lie up to 0.866 mm away from those of its image; resample it"),
        (of_another_shape, GeometryError, r"its shape \(21, 17, 8\) is not \(21, 17, 9\), that of its image"),
        (of_unnamed_values, LabelError, "label values 2, which the label table lacks .* name a label for each value"),
        (of_an_image, LabelError, "name a label for each value 1, 2, … with --labels, or give a label map"),
        (without_names, LabelError, "it doesn't say what its values mean; name the labels .* with --labels"),
        (of_objects, LabelError, "it numbers objects, which a seg can't tell apart; convert it to nifti"),
        (of_ignored_voxels, LabelError, r"voxels that nobody looked at \(255\), for which a rtstruct has no place"),
        (without_a_source, InputError, "a DICOM seg comes from the series that it belongs to; name .* --source"),
        (of_contours_without_a_source, InputError, "the grid of these contours comes from the series"),
        (of_a_source_that_is_a_file, SeriesError, "it is a file, and a DICOM SEG refers to a DICOM series"),
        (of_another_frame, LabelError, "its frame of reference is not that of its image"),
        (of_segments_that_overlap, LabelError, "overlap; a label map holds one label a voxel: convert them one by one"),
        (of_fractions, LabelError, "it can't be converted exactly: it holds fractions"),
        (of_contours_beyond_the_image, LabelError, "it can't be converted exactly: of .* contours"),
        (of_a_slice, LabelError, "it is CT, not RTSTRUCT or SEG"),
        (of_a_picture, InputError, "it is a picture without a place, which is no mask on a scan"),
        (of_a_folder, InputError, "it is a folder, which is no mask on a scan; give a file of a mask"),
        (of_nothing, InputError, "there is no such file or folder"),
        (of_damage, InputError, "can't be read"),
        (with_another_ending, InputError, "a file of the format seg ends otherwise; let it end with .seg.dcm"),
        (beside_a_picture, InputError, "x.png: it is a picture without a place; give the scan of the mask"),
        (naming_two_alike, InputError, "two labels have one name"),
        (naming_none, InputError, "labels: there is none; name one, or leave them out"),
        (choosing_without_a_source, InputError, "a series or phase is chosen, but no source is named"),
        (saying_what_has_no_place, InputError, "--made-by manual: a NIfTI file has no place for what made its mask"),
        (of_a_series_that_is_not_there, SeriesError, "it holds no series 1.2.3"),
    ],
    ids=lambda item: getattr(item, "__name__", "") if callable(item) else "",
)
def test_what_can_not_be_converted_exactly_is_one_sentence_and_leaves_nothing(
    series: Path, mask: Mask, tmp_path: Path, case: Case, kind: type[MedunetError], sentence: str
) -> None:
    path, to, wishes = case(tmp_path, mask)
    output, source = Path(str(wishes.pop("output", tmp_path / "out"))), wishes.pop("source", series)
    with pytest.raises(kind, match=sentence):
        convert(path, output, to, source, **wishes)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_header_that_makes_no_seg_leaves_nothing(series: Path, nifti: Path, tmp_path: Path) -> None:
    def forget(dataset: Dataset, _: int) -> None:
        del dataset.FrameOfReferenceUID

    change(series, forget)
    with pytest.raises(SeriesError, match="FrameOfReferenceUID"):
        convert(nifti, tmp_path / "out", "rtstruct", series)
    assert not (tmp_path / "out").exists()


def test_regions_have_no_place_in_dicom_which_is_told(
    series: Path, mask: Mask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    regions = [{"name": "whole", "values": (1, 2), "value": 1}, {"name": "GTV", "values": (2,), "value": 2}]
    table = LabelTable.model_validate({**TABLE.model_dump(), "regions": regions})
    path = Mask("classes", mask.voxels, mask.grid, table).save(tmp_path / "x.nii.gz")
    seg = convert(path, tmp_path, "seg", series, made_by="manual")
    assert "a seg has no place for regions" in caplog.text
    assert read_labelling(seg).table.names == TABLE.names
    assert read_nifti_table(convert(path, tmp_path / "y.nii.gz", "nifti", series)) == table


def test_contours_of_others_are_the_voxels_whose_centres_they_enclose(tmp_path: Path) -> None:
    grid = make_grid("axial", SHAPE)
    voxels = write_series(tmp_path / "series", grid)
    wanted = draw_balls(grid).voxels
    write_contours(tmp_path / "rs.dcm", wanted == 1, grid, make_identity(voxels, grid), "lesion")
    path = convert(tmp_path / "rs.dcm", tmp_path, "nifti", tmp_path / "series")
    assert path == tmp_path / "rs.nii.gz"
    assert int(read_volume(path).voxels.sum()) == int(wanted.sum())


@pytest.mark.data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real scans aren't beside the checkout")
def test_real_contours_become_a_seg_and_come_back(tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", SHARED / "sts" / "STS_005.tar.xz", "-C", tmp_path], check=True)
    contours = tmp_path / "STS_005" / "CT" / "contours.dcm"
    seg = convert(contours, tmp_path / "out", "seg", tmp_path / "STS_005")
    first = convert(contours, tmp_path / "1.nii.gz", "nifti", tmp_path / "STS_005")
    second = convert(seg, tmp_path / "2.nii.gz", "nifti", tmp_path / "STS_005")
    assert read_volume(first).voxels.any()
    assert np.array_equal(read_volume(first).voxels, read_volume(second).voxels)
