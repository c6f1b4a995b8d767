from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import make_grid, write_mask, write_series

from medunet.errors import GeometryError, InputError, LabelError, MissingInputError, SeriesError
from medunet.geometry import Grid
from medunet.labels import LabelTable
from medunet.reading import (
    ReadOptions,
    Source,
    Volume,
    find_image,
    find_series,
    read_image,
    read_mask,
    read_volume,
    strip_ending,
)
from medunet.reading.volume import IMAGES

LESION = LabelTable.from_names(["lesion"])


def test_several_series_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    voxels = write_series(tmp_path / "b", make_grid("axial"))
    with pytest.raises(SeriesError, match="it holds 2 series; choose one of"):
        read_volume(tmp_path)
    uid = next(item.uid for item in find_series(tmp_path).series if item.folder.endswith("b"))
    assert np.array_equal(read_volume(tmp_path, ReadOptions(series=uid)).voxels[0], voxels)
    with pytest.raises(SeriesError, match="it holds no series 1"):
        read_volume(tmp_path, ReadOptions(series="1.2"))


def test_where_a_volume_came_from(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    source = read_volume(tmp_path).source
    assert source.patient_id == "PH-T"
    assert source.modality == "CT"
    assert all((source.study_uid, source.series_uid, source.frame_of_reference_uid))


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="it is empty; give a folder of DICOM files"):
        read_volume(tmp_path)
    with pytest.raises(MissingInputError, match="no such file"):
        read_volume(tmp_path / "x")
    with pytest.raises(MissingInputError, match="no such file"):
        read_mask(tmp_path / "x", make_grid(), LESION)


def test_contours_come_back_exactly_on_an_oblique_grid_and_unknown_ones_are_named(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "CT", grid)
    mask = np.zeros(grid.shape, np.uint8)
    mask[2:9, 1:8, 1:5] = 1
    mask[4:6, 3:5, 2:4] = 0
    mask[9, 8, 3] = 1
    write_mask(tmp_path / "c.dcm", mask, grid, voxels)
    assert np.array_equal(read_mask(tmp_path / "c.dcm", read_volume(tmp_path / "CT").grid, LESION).voxels, mask)
    with pytest.raises(LabelError, match="no structure 'lesoin'; did you mean 'lesion'"):
        read_mask(tmp_path / "c.dcm", grid, LESION, {"lesion": "lesoin"})
    with pytest.raises(LabelError, match="overlap"):
        read_mask(tmp_path / "c.dcm", grid, LabelTable.from_names(["a", "b"]), {"a": "lesion", "b": "lesion"})


def test_a_structure_for_no_label_is_refused(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "CT", grid)
    write_mask(tmp_path / "c.dcm", (voxels > 0).astype(np.uint8), grid, voxels)
    with pytest.raises(LabelError, match=r"label 'lession'.*did you mean 'lesion'"):
        read_mask(tmp_path / "c.dcm", grid, LESION, {"lession": "lesion"})


def test_a_label_map_lies_on_the_grid_of_its_image_and_holds_its_labels(tmp_path: Path) -> None:
    grid = make_grid()
    labels = np.random.default_rng(2).integers(0, 2, grid.shape).astype(np.float32)
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(labels + np.float32(2e-4), grid.affine), path)
    mask = read_mask(path, grid, LESION)
    assert mask.voxels.dtype == np.uint16
    assert np.array_equal(mask.voxels, labels)
    moved = grid.affine.copy()
    moved[2, 3] += 0.5
    with pytest.raises(GeometryError, match=r"0\.5 mm away"):
        read_mask(path, Grid(grid.shape, moved), LESION)
    nib.save(nib.Nifti1Image(labels * 0.5, grid.affine), path)
    with pytest.raises(LabelError, match="no integers"):
        read_mask(path, grid, LESION)
    nib.save(nib.Nifti1Image(labels * 4, grid.affine), path)
    with pytest.raises(LabelError, match="label values 4"):
        read_mask(path, grid, LESION)


CLASSES = np.random.default_rng(3).integers(0, 3, (4, 5, 6))


def write_classes(path: Path, values: np.ndarray, slope: float = 1.0, inter: float = 0.0) -> Path:
    image = nib.Nifti1Image(values, np.eye(4))
    image.set_sform(np.eye(4), 1)
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([slope, inter], "<f4").tobytes()
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("values", "scaling"),
    [
        (CLASSES.astype(np.float32), (1, 0)),
        ((CLASSES * 0.9999).astype(np.float32), (1, 0)),
        (CLASSES.astype(np.uint8)[..., None], (1, 0)),
        (CLASSES.astype(np.uint8)[..., None, None], (1, 0)),
        ((CLASSES + 1).astype(np.uint8), (1, -1)),
        ((CLASSES * 10).astype(np.uint8), (0.1, 0)),
        (CLASSES.astype(np.uint8), (0, 5)),
        (CLASSES.astype(np.uint8), (np.nan, np.nan)),
    ],
    ids=["float", "0.9999", "4-D", "5-D", "intercept", "slope", "slope 0", "slope NaN"],
)
def test_label_maps_are_whole_numbers_however_they_are_stored(
    tmp_path: Path, values: np.ndarray, scaling: tuple[float, float]
) -> None:
    path = write_classes(tmp_path / "l.nii", values, *scaling)
    read = read_mask(path, Grid(CLASSES.shape, np.eye(4)), LabelTable.from_names(["a", "b"]))
    assert np.array_equal(read.voxels, CLASSES)


@pytest.mark.parametrize(
    ("values", "scaling", "words"),
    [
        (np.where(CLASSES == 2, np.nan, CLASSES).astype(np.float32), (1, 0), "voxels are not finite"),
        (np.where(CLASSES == 2, np.inf, CLASSES).astype(np.float32), (1, 0), "voxels are not finite"),
        ((CLASSES * 0.5).astype(np.float32), (1, 0), "no integers, such as 0.5"),
        ((CLASSES * 127).astype(np.uint8), (1 / 255, 0), "no integers, such as 0.498"),
        (np.stack([CLASSES] * 2, -1).astype(np.uint8), (1, 0), "it holds 2 components"),
        (CLASSES.astype([("R", "u1"), ("G", "u1"), ("B", "u1")]), (1, 0), "not single numbers"),
        (CLASSES.astype(np.int16) - 1, (1, 0), "the label values -1, which the label table lacks"),
    ],
    ids=["NaN", "infinite", "half", "slope", "4-D", "colours", "negative"],
)
def test_what_is_no_label_map_is_refused_in_one_sentence(
    tmp_path: Path, values: np.ndarray, scaling: tuple[float, float], words: str
) -> None:
    path = write_classes(tmp_path / "l.nii", values, *scaling)
    with pytest.raises(InputError, match=words):
        read_mask(path, Grid(CLASSES.shape, np.eye(4)), LabelTable.from_names(["a", "b"]))


@pytest.mark.parametrize("codes", ["LAS", "LPS", "SAR", "PIL"])
def test_a_label_map_may_be_stored_in_another_order_of_axes(tmp_path: Path, codes: str) -> None:
    grid = Grid((4, 5, 6), np.diag([1.0, 2, 3, 1]))
    voxels = np.random.default_rng(2).integers(0, 2, grid.shape).astype(np.uint8)
    turned = nib.Nifti1Image(voxels, grid.affine).as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes))
    )
    nib.save(turned, tmp_path / "label.nii.gz")
    assert np.array_equal(read_mask(tmp_path / "label.nii.gz", grid, LESION).voxels, voxels)


def test_a_file_has_no_series_and_no_phases(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6)), make_grid().affine), tmp_path / "a.nii")
    with pytest.raises(InputError, match="a file without series or phases"):
        read_volume(tmp_path / "a.nii", ReadOptions(phase="2"))


def test_a_single_slice_is_no_volume(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    with pytest.raises(SeriesError, match="single slice"):
        read_volume(sorted(tmp_path.glob("*.dcm"))[0])


def test_a_volume_is_said_in_a_line() -> None:
    grid, voxels = Grid((4, 3, 2), np.diag([1.0, 1, 2.5, 1])), np.zeros((1, 4, 3, 2))
    source = Source(path="a/CT", modality="PT", units="SUVbw")
    assert repr(Volume(voxels, grid, source)) == "Volume(PT of 4 × 3 × 2 voxels of 1 × 1 × 2.5 mm in SUVbw, a/CT)"
    plain = Volume(np.zeros((3, 4, 3, 2)), grid, Source(path="b.nii"))
    assert plain.describe() == "an image of 4 × 3 × 2 voxels of 1 × 1 × 2.5 mm with 3 components"


def test_a_series_is_said_in_a_line(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    (series,) = find_series(tmp_path).series
    assert repr(series) == f"Series(CT '{series.description}' of 6 files, {series.uid}, {tmp_path})"


def test_an_image_that_was_found_is_read_as_by_its_path(tmp_path: Path) -> None:
    write_series(tmp_path / "in" / "a", make_grid())
    write_series(tmp_path / "in" / "b", make_grid("axial"))
    uid = next(item.uid for item in find_series(tmp_path).series if item.folder.endswith("b"))
    options = ReadOptions(series=uid)
    image = find_image(tmp_path / "in", options)
    assert (image.path, image.options) == (str(tmp_path / "in"), options)
    assert image.series is not None
    assert image.series.uid == uid
    found, expected = read_image(image), read_volume(tmp_path / "in", options)
    assert np.array_equal(found.voxels, expected.voxels)
    assert found.source == expected.source
    opened = read_volume(image.series, options)
    assert np.array_equal(opened.voxels, expected.voxels)
    assert opened.source.path == str(tmp_path / "in" / "b")


def test_a_file_is_an_image_without_a_series(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), tmp_path / "a.nii")
    image = find_image(tmp_path / "a.nii")
    assert image.series is None
    assert read_image(image).grid.shape == (4, 4, 4)
    (tmp_path / "a.nii").unlink()
    with pytest.raises(MissingInputError, match="no such file"):
        read_image(image)
    with pytest.raises(MissingInputError, match="no such file"):
        find_image(tmp_path / "a.nii")


def test_every_file_that_is_read_loses_its_ending_and_no_more() -> None:
    for ending in (*IMAGES, ".dcm"):
        assert strip_ending(f"P1.2{ending}") == strip_ending(f"P1.2{ending.upper()}") == "P1.2"
    assert [strip_ending(name) for name in ("a.nhdr", "a.nii.gz", "a.b", ".nii")] == ["a", "a", "a.b", ""]
