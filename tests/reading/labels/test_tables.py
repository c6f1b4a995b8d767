import itertools
from collections.abc import Callable
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pytest
from dicoms import draw_balls, make_grid, make_identity, write_mask, write_seg, write_series
from pydicom import Dataset, dcmread

from medunet.algorithms import UNKNOWN
from medunet.errors import InputError, LabelError
from medunet.labels import CodedTerm, Label, LabelTable, Mask
from medunet.reading import read_volume
from medunet.reading.labels.tables import read_labelling, read_nifti_table

LIVER = CodedTerm(scheme="SCT", value="10200004", meaning="Liver")


@pytest.fixture
def seg(tmp_path: Path) -> Path:
    """A SEG of a liver and a GTV_1, made by an algorithm."""
    write_series(tmp_path / "series", make_grid("axial", (21, 17, 9)))
    write_seg(
        tmp_path / "m.dcm", draw_balls(read_volume(tmp_path / "series").grid, ["liver", "GTV_1"]), tmp_path / "series"
    )
    return tmp_path / "m.dcm"


def edit(path: Path, change: Callable[[Dataset], None]) -> Path:
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


def test_segments_are_told_with_names_colours_codes_and_what_made_them(seg: Path, tmp_path: Path) -> None:
    said = read_labelling(seg)
    assert said.modality == "SEG"
    assert said.series_uids == (dcmread(next((tmp_path / "series").iterdir())).SeriesInstanceUID,)
    plain = LabelTable.from_names(["liver", "GTV_1"])
    assert [label.colour for label in said.table.labels] == [label.colour for label in plain.labels]
    assert said.table.labels[0].code == LIVER
    assert said.table.labels[0].category is not None
    assert said.table.labels[1].code is not None
    assert (said.algorithm.name, said.algorithm.version, said.algorithm.kind) == ("ball finder", "1.2.3", "AUTOMATIC")
    assert said.algorithm.family is not None
    assert said.algorithm.family.meaning == "Artificial Intelligence"


def test_some_of_them_in_an_order_of_their_own(seg: Path) -> None:
    table = read_labelling(seg, ["GTV_1"]).table
    assert [(label.value, label.name) for label in table.labels] == [(1, "GTV_1")]
    assert read_labelling(seg, ["GTV_1", "liver"]).table.names == ("GTV_1", "liver")
    with pytest.raises(LabelError, match="it has no segment 'GTV'; did you mean 'GTV_1'"):
        read_labelling(seg, ["GTV"])


def test_what_single_segments_say_of_what_made_them_stays_apart(seg: Path) -> None:
    def draw_by_hand(dataset: Dataset) -> None:
        dataset.SegmentSequence[0].SegmentAlgorithmType = "MANUAL"

    algorithm = read_labelling(edit(seg, draw_by_hand)).algorithm
    assert algorithm.kind == algorithm.name == ""
    assert (algorithm.find("liver").kind, algorithm.find("liver").name) == ("MANUAL", "")
    assert algorithm.find("GTV_1").name == "ball finder"
    # Who chooses one label is told of that one alone.
    assert read_labelling(seg, ["liver"]).algorithm.kind == "MANUAL"


def test_segments_that_say_little_are_labels_too(seg: Path) -> None:
    def forget(dataset: Dataset) -> None:
        for item in dataset.SegmentSequence:
            del item.RecommendedDisplayCIELabValue, item.SegmentationAlgorithmIdentificationSequence
            del item.SegmentAlgorithmType
            del item.SegmentedPropertyTypeCodeSequence[0].CodeValue
            item.SegmentAlgorithmName = "unknown"

    said = read_labelling(edit(seg, forget))
    assert said.algorithm == UNKNOWN
    assert [label.code for label in said.table.labels] == [None, None]
    assert said.table.labels[0].colour == LabelTable.from_names(["liver"]).labels[0].colour


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("GTV_1", "two segments are called 'GTV_1'"),
        ("", "it has a segment that is called '', which is no name of a label"),
    ],
)
def test_names_that_are_no_names_of_labels_are_refused(seg: Path, name: str, sentence: str) -> None:
    def rename(dataset: Dataset) -> None:
        dataset.SegmentSequence[0].SegmentLabel = name

    with pytest.raises(LabelError, match=sentence):
        read_labelling(edit(seg, rename))


def test_no_segments_are_no_labels(seg: Path) -> None:
    def clear(dataset: Dataset) -> None:
        dataset.SegmentSequence = []

    with pytest.raises(LabelError, match="it has no segments"):
        read_labelling(edit(seg, clear))


def test_structures_are_told_with_colours_and_how_they_came_about(tmp_path: Path) -> None:
    grid = make_grid("axial")
    voxels = write_series(tmp_path / "series", grid)
    write_mask(tmp_path / "m.dcm", draw_balls(grid).voxels == 1, grid, voxels)

    def colour(dataset: Dataset) -> None:
        dataset.ROIContourSequence[0].ROIDisplayColor = [1, 2, 3]
        dataset.StructureSetROISequence[0].ROIGenerationAlgorithm = "SEMIAUTOMATIC"
        dataset.StructureSetROISequence[0].ROIGenerationDescription = "region growing"

    said = read_labelling(edit(tmp_path / "m.dcm", colour))
    assert said.modality == "RTSTRUCT"
    assert said.series_uids == (make_identity(voxels, grid).series_uid,)
    assert said.table.labels == (Label(value=1, name="lesion", colour=(1, 2, 3)),)
    assert (said.algorithm.kind, said.algorithm.name) == ("SEMIAUTOMATIC", "region growing")


def test_every_colour_survives_the_cielab_of_dicom(seg: Path) -> None:
    levels = (0, 1, 10, 64, 127, 200, 254, 255)
    colours = [*itertools.product(levels, repeat=3)]
    stored = iter([highdicom.color.CIELabColor.from_rgb(*colour).value for colour in colours])

    def paint(dataset: Dataset) -> None:
        first = dataset.SegmentSequence[0]
        dataset.SegmentSequence = []
        for number, value in enumerate(stored, 1):
            item = Dataset()
            item.update(first)
            item.SegmentNumber, item.SegmentLabel = number, f"label {number}"
            item.RecommendedDisplayCIELabValue = list(value)
            dataset.SegmentSequence.append(item)

    assert [label.colour for label in read_labelling(edit(seg, paint)).table.labels] == colours


def test_what_holds_no_labels_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "series", make_grid())
    with pytest.raises(LabelError, match="it is CT, not RTSTRUCT or SEG"):
        read_labelling(next((tmp_path / "series").iterdir()))


def test_the_table_of_a_nifti_header_is_that_of_its_mask(tmp_path: Path) -> None:
    grid = make_grid()
    label = Label(value=1, name="liver", colour=(9, 8, 7), code=LIVER)
    table = LabelTable(labels=(label,), ignore=255)
    path = Mask("classes", np.zeros(grid.shape, np.uint8), grid, table).save(tmp_path / "m.nii.gz")
    assert read_nifti_table(path) == table


@pytest.mark.parametrize("comment", [None, b"drawn by somebody", b'{"labels": 3}'])
def test_a_nifti_header_without_a_table_says_nothing(tmp_path: Path, comment: bytes | None) -> None:
    image = nib.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4))
    if comment is not None:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(6, comment))
    nib.save(image, tmp_path / "m.nii")
    assert read_nifti_table(tmp_path / "m.nii") is None
    (tmp_path / "m.nii").write_bytes(b"none")
    with pytest.raises(InputError, match="damaged"):
        read_nifti_table(tmp_path / "m.nii")
