import logging
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import make_grid, write_mask, write_series
from pydicom import Dataset, dcmread

from medunet.errors import LabelError
from medunet.findings import listening
from medunet.geometry import Grid
from medunet.labels import LabelTable
from medunet.reading import (
    Place,
    Series,
    find_series,
    measure_contours,
    rasterize,
    read_contours,
    read_label_file,
    read_mask,
    read_volume,
)
from medunet.reading.labels.contours import fill_polygon

FEW = ("STS_004", "STS_005")


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]], float)


def test_a_centre_on_an_edge_belongs_to_one_neighbour_only() -> None:
    left = fill_polygon(np.array([[0, 0], [4, 0], [4, 8], [0, 8]], float), (12, 12))
    right = fill_polygon(np.array([[4, 0], [8, 0], [8, 8], [4, 8]], float), (12, 12))
    assert not (left & right).any()
    assert left.sum() == right.sum() == 32


def test_half_pixel_squares_and_stars() -> None:
    assert fill_polygon(square(1.5, 4.5), (8, 8)).sum() == 9
    angles = np.arange(5) * 4 * np.pi / 5
    star = 10 + 8 * np.column_stack([np.cos(angles), np.sin(angles)])
    filled = fill_polygon(star, (21, 21))
    assert not filled[10, 10], "even-odd leaves the middle of a self-crossing star empty"
    assert filled.any()


def test_islands_in_holes_are_filled() -> None:
    grid = make_grid(shape=(12, 12, 3))
    rings = [np.column_stack([square(n + 0.5, 10.5 - n), np.full(4, 1)]) for n in (0, 2, 4)]
    filled = rasterize([grid.to_world(ring) for ring in rings], grid, "f")
    assert filled[:, :, 1].sum() == 100 - 36 + 4
    apart = [np.column_stack([square(low, low + 3), np.full(4, 1)]) for low in (0.5, 6.5)]
    assert rasterize([grid.to_world(part) for part in apart], grid, "f").sum() == 18


GRID = make_grid(shape=(12, 12, 3))
OUTLINE = np.array([[1.2, 1.5], [9.6, 2.1], [8.3, 7.7], [6.1, 9.4], [2.4, 8.8]])


def lift(points: np.ndarray, k: float = 1.0) -> np.ndarray:
    return GRID.to_world(np.column_stack([points, np.full(len(points), k)]))


@pytest.mark.parametrize(
    "again",
    [
        lift(OUTLINE),
        lift(np.roll(OUTLINE, 2, axis=0)),
        lift(OUTLINE[::-1]),
        lift(np.vstack([OUTLINE, OUTLINE[:1]])),
        lift(np.insert(OUTLINE, 2, OUTLINE[1:3].mean(axis=0), axis=0)),
        lift(OUTLINE + np.array([0.1, -0.05])),
        lift(OUTLINE, 1.1),
        lift(OUTLINE) + np.array([0.02, 0.01, 0]),
    ],
    ids=["same", "start", "direction", "closed", "points", "moved", "height", "rounded"],
)
def test_a_contour_that_stands_there_twice_counts_once(again: np.ndarray) -> None:
    once = rasterize([lift(OUTLINE)], GRID, "f")
    hole = lift(square(4.5, 6.5))
    with listening() as said:
        assert np.array_equal(rasterize([lift(OUTLINE), again], GRID, "f"), once)
        assert np.array_equal(
            rasterize([lift(OUTLINE), hole, again, hole], GRID, "f"), once & ~rasterize([hole], GRID, "f")
        )
    assert {item.found for item in said if item.code == "label-contours"} == {
        "of 2 contours 1 stand on their slice twice and count once",
        "of 4 contours 2 stand on their slice twice and count once",
    }


def test_a_contour_that_runs_round_twice_counts_once() -> None:
    once = rasterize([lift(OUTLINE)], GRID, "f")
    with listening() as said:
        assert np.array_equal(rasterize([lift(np.vstack([OUTLINE] * 2))], GRID, "f"), once)
        assert np.array_equal(rasterize([lift(np.vstack([OUTLINE, OUTLINE, OUTLINE[:1]]))], GRID, "f"), once)
    assert [item.code for item in said] == ["label-contours"] * 2


def test_thin_walls_stay_walls() -> None:
    outer, inner = square(0.5, 10.5), square(1.5, 9.5)
    with listening() as said:
        assert rasterize([lift(outer), lift(inner)], GRID, "f").sum() == 100 - 64
    assert not said


def test_what_leaves_no_voxel_is_counted() -> None:
    tiny = [lift(square(n + 0.2, n + 0.7)) for n in range(1, 5)]
    with listening() as said:
        assert not rasterize(tiny, GRID, "f").any()
        rasterize([*tiny[:2], lift(square(6.5, 9.5))], GRID, "f")
        assert not rasterize([lift(square(1.6, 5.9)), lift(square(1.9, 5.4))], GRID, "f").any()
    words = [item.found for item in said]
    assert [item.code for item in said] == ["label-contours"] * 3
    assert words[0] == "of 4 contours 4 leave no voxel, since they enclose the centre of none"
    assert words[1].startswith("of 3 contours 2 leave no voxel")
    assert words[2].startswith("of 2 contours 2 leave no voxel, since they enclose the same voxels")


def test_contours_that_cross_are_told() -> None:
    with listening() as said:
        assert rasterize([lift(square(0.5, 6.5)), lift(square(3.5, 9.5))], GRID, "f").sum() == 36 + 36 - 2 * 9
    assert "of 2 contours 2 cross another one" in said[0].found


def test_contours_of_a_slice_combine_by_xor_and_keyholes_stay_open() -> None:
    grid = make_grid(shape=(12, 12, 3))

    ring = rasterize([lift(square(0.5, 9.5), 1.2), lift(square(3.5, 6.5), 1.2)], grid, "f")
    assert ring[:, :, 1].sum() == 81 - 9
    keyhole = np.vstack([square(0.5, 9.5), [[0.5, 0.5]], square(3.5, 6.5)[::-1], [[3.5, 6.5]]])
    assert np.array_equal(rasterize([lift(keyhole, 1.2)], grid, "f"), ring)
    assert np.array_equal(rasterize([lift(keyhole), lift(np.roll(keyhole[::-1], 3, axis=0))], grid, "f"), ring)


def fill_slowly(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The rule, one centre and one edge at a time."""
    filled = np.zeros(shape, bool)
    for i, j in np.ndindex(shape):
        for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            if (y0 <= j) != (y1 <= j) and i < x0 + (j - y0) / (y1 - y0) * (x1 - x0):
                filled[i, j] ^= True
    return filled


def test_filling_follows_the_rule() -> None:
    random = np.random.default_rng(4)
    for trial in range(60):
        points = random.uniform(-6, 18, (random.integers(3, 12), 2))
        if trial % 2:
            points = np.rint(points * 2) / 2  # corners on centres and half way between them
        assert np.array_equal(fill_polygon(points, (13, 9)), fill_slowly(points, (13, 9)))
    assert not fill_polygon(np.array([[2.0, 3.0]]), (8, 8)).any()
    assert fill_polygon(np.array([[-1e300, -1e300], [1e300, -1e300], [0, 1e300]]), (8, 8)).all()


def draw(grid: Grid, *slices: float) -> list[np.ndarray]:
    return [grid.to_world(np.column_stack([square(1.5, 5.5), np.full(4, k)])) for k in slices]


def test_contours_of_other_slices_than_the_image_has_are_refused() -> None:
    grid = make_grid()
    with pytest.raises(LabelError, match="fall on one slice"):
        rasterize(draw(grid, 1, 1.5, 2, 2.5, 3), grid, "f")
    with pytest.raises(LabelError, match="planes lie 2 slices of the image apart"):
        rasterize(draw(grid, 0, 2, 4), grid, "f")
    assert rasterize(draw(grid, 0, 1, 4), grid, "f").sum() == 3 * 16
    assert not rasterize([], grid, "f").any()


def test_contours_beyond_the_image_and_off_its_slices_are_told(caplog: pytest.LogCaptureFixture) -> None:
    grid = make_grid()
    with caplog.at_level(logging.WARNING):
        mask = rasterize(draw(grid, 3.2, 4.2, 5.2, 6.2), grid, "f")
    assert mask.any(axis=(0, 1)).tolist() == [False, False, False, True, True, True]
    assert "off the slices" in caplog.text
    assert "of 4 contours 1 lie outside of the image, 0 partly" in caplog.text
    with caplog.at_level(logging.WARNING):
        edge = rasterize([grid.to_world(np.column_stack([square(-3.5, 2.5), np.full(4, 2)]))], grid, "f")
    assert edge[:3, :3, 2].all()
    assert edge.sum() == 9
    assert "of 1 contours 0 lie outside of the image, 1 partly" in caplog.text
    beside = [grid.to_world(np.column_stack([square(1, 5) + 30, np.full(4, 2)]))]
    with pytest.raises(LabelError, match="outside of the image"):
        rasterize(beside, grid, "f")


def test_points_and_open_lines_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "CT", grid)
    path = tmp_path / "c.dcm"
    write_mask(path, (voxels > 0).astype(np.uint8), grid, voxels)
    whole = read_contours(path)["lesion"]
    dataset = dcmread(path)
    dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "POINT"
    dataset.save_as(path)
    with caplog.at_level(logging.WARNING):
        assert len(read_contours(path)["lesion"]) == len(whole) - 1
    assert "1 contours of the kind POINT" in caplog.text
    dataset.ROIContourSequence[0].ContourSequence[1].ContourData = [1, 2, 3, 4]
    dataset.save_as(path)
    with pytest.raises(LabelError, match="4 numbers"):
        read_contours(path)
    dataset.ROIContourSequence[0].ReferencedROINumber = 77
    dataset.save_as(path)
    with pytest.raises(LabelError, match="unknown structure 77"):
        read_contours(path)


@pytest.fixture
def contoured(tmp_path: Path) -> tuple[Path, Grid, np.ndarray]:
    """An RTSTRUCT, the grid of its image, and what it marks."""
    grid = make_grid()
    voxels = write_series(tmp_path / "CT", grid)
    mask = (voxels > 0).astype(np.uint8)
    write_mask(tmp_path / "rt.dcm", mask, grid, voxels)
    return tmp_path / "rt.dcm", grid, mask


def test_open_lines_are_left_out_and_the_kind_of_xor_is_filled(contoured: tuple[Path, Grid, np.ndarray]) -> None:
    path, _, _ = contoured
    whole = len(read_contours(path)["lesion"])
    dataset = dcmread(path)
    for contour, kind in zip(
        dataset.ROIContourSequence[0].ContourSequence,
        ("OPEN_PLANAR", "OPEN_NONPLANAR", "CLOSEDPLANAR_XOR", ""),
        strict=False,
    ):
        contour.ContourGeometricType = kind
    dataset.save_as(path)
    assert len(read_contours(path)["lesion"]) == whole - 3


def test_slices_are_found_by_position_whatever_uids_say(contoured: tuple[Path, Grid, np.ndarray]) -> None:
    """As in real files: images and the structure's own frame of reference are foreign."""
    path, grid, mask = contoured
    dataset = dcmread(path)
    own = str(dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID)
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.4"
        contour.ContourImageSequence = [image]
    dataset.save_as(path)
    table = LabelTable.from_names(["lesion"])
    assert np.array_equal(read_mask(path, grid, table, None, Place(own)).voxels, mask)
    with pytest.raises(LabelError, match="its frame of reference is not that of its image"):
        read_mask(path, grid, table, None, Place("1.2.5"))


def name_slices(path: Path, series: Series) -> None:
    """Give an RTSTRUCT a frame of reference of its own, and let it name each slice of its image."""
    dataset = dcmread(path)
    dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.9"
    if "FrameOfReferenceUID" in dataset:
        dataset.FrameOfReferenceUID = "1.2.9"
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        point = np.array(contour.ContourData[:3], float)
        nearest = min(series.headers, key=lambda header: abs(np.cross(*header.orientation) @ (point - header.position)))
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", nearest.instance_uid
        contour.ContourImageSequence = [image]
    dataset.save_as(path)


def test_a_frame_of_reference_of_its_own_is_read_where_the_slices_are_named(
    contoured: tuple[Path, Grid, np.ndarray],
) -> None:
    path, grid, mask = contoured
    (series,) = find_series(path.parent / "CT").series
    name_slices(path, series)
    table = LabelTable.from_names(["lesion"])
    with listening() as said:
        assert np.array_equal(read_mask(path, grid, table, None, series.place).voxels, mask)
    assert "whose slices it names" in next(item.found for item in said if item.severity == "note")
    for change in ({"study_uid": "1.2.8"}, {"series_uid": "1.2.8"}, {"slices": {"1.2.8": np.zeros(3)}}):
        with pytest.raises(LabelError, match="its frame of reference is not that of its image"):
            read_mask(path, grid, table, None, replace(series.place, **change))


def test_a_frame_of_reference_of_its_own_is_refused_where_contours_lie_elsewhere(
    contoured: tuple[Path, Grid, np.ndarray],
) -> None:
    path, grid, _ = contoured
    (series,) = find_series(path.parent / "CT").series
    name_slices(path, series)
    moved = replace(
        series.place, slices={uid: place + np.array([0.0, 0.0, 1.0]) for uid, place in series.place.slices.items()}
    )
    with pytest.raises(LabelError, match="mm off its slice"):
        read_mask(path, grid, LabelTable.from_names(["lesion"]), None, moved)


def test_contours_off_the_image_and_across_slices_are_refused() -> None:
    grid = make_grid()
    with pytest.raises(LabelError, match="outside of the image"):
        rasterize([grid.to_world(np.column_stack([square(1, 5), np.full(4, 30)]))], grid, "f")
    with pytest.raises(LabelError, match="not parallel"):
        rasterize([grid.to_world(np.column_stack([square(1, 5), [0, 1, 2, 3]]))], grid, "f")


def compare(folder: Path, patients: list[Path]) -> tuple[int, int]:
    series = differing = 0
    for patient in patients:
        for image in sorted(item for item in patient.iterdir() if item.is_dir()):
            volume = read_volume(image)
            roi = read_label_file(image / "contours.dcm").names[0]
            mask = read_mask(image / "contours.dcm", volume.grid, LabelTable.from_names(["x"]), {"x": roi})
            reference = nib.load(folder / "masks" / f"{patient.name}_{image.name}.nii.gz")
            assert np.allclose(reference.affine, volume.grid.affine, atol=1e-4)
            differing += int((np.asarray(reference.dataobj) != mask.voxels).sum())
            series += 1
    return series, differing


@pytest.mark.data
def test_real_contours_equal_their_masks(sts: Path) -> None:
    series, differing = compare(sts, [sts / name for name in FEW])
    assert series >= 4
    assert differing == 0


@pytest.mark.data
@pytest.mark.slow
def test_all_real_contours_equal_their_masks(sts: Path) -> None:
    assert compare(sts, sorted(sts.glob("STS_*"))) == (82, 0)


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "oblique"])
def test_volumes_are_those_of_the_filled_voxels(orientation: str, tmp_path: Path) -> None:
    """Of a box with a hole that reaches through it, whose contours run along the edges of voxels."""
    grid = make_grid(orientation)
    mask = np.zeros(grid.shape, bool)
    mask[2:10, 1:9, 1:5] = True
    mask[4:7, 3:6, 1:5] = False
    voxels = write_series(tmp_path / "ct", grid)
    write_mask(tmp_path / "contours.dcm", mask, grid, voxels)
    (volume,) = measure_contours(tmp_path / "contours.dcm").values()
    assert volume == pytest.approx(mask.sum() * grid.voxel_volume / 1000, rel=0.02)
