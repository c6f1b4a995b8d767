import numpy as np
import pytest
from shapes import SPACINGS, TURNS, draw_ellipsoid, list_places, make_grid

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask, Region
from medunet.measures import MOST_LESIONS, Channel, Measures, measure_mask, sample_image

TABLE = LabelTable.from_names(["organ", "tumor"])


def make_mask(grid: Grid, *boxes: tuple[int, tuple[slice, slice, slice]], table: LabelTable = TABLE) -> Mask:
    voxels = np.zeros(grid.shape, np.uint8)
    for value, box in boxes:
        voxels[box] = value
    return Mask("classes", voxels, grid, table)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_boxes_and_an_ellipsoid_are_measured_as_they_are(spacing: tuple[float, float, float], turn: float) -> None:
    grid = make_grid((60, 48, 30), spacing, turn)
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[draw_ellipsoid(grid, (12.0, 9.0, 11.0))] = 1
    voxels[1:4, 2:6, 3:5] = voxels[50:52, 40:41, 20:21] = 2
    found = measure_mask(Mask("classes", voxels, grid, TABLE))
    organ, tumor = found.structures
    assert (organ.name, organ.lesion_count, tumor.name, tumor.lesion_count) == ("organ", 1, "tumor", 2)
    assert organ.whole is not None
    volume = 4 / 3 * np.pi * 12 * 9 * 11 / 1000
    assert organ.whole.volume == pytest.approx(volume, rel=0.03)
    centre = grid.to_world([(np.array(grid.shape) - 1) / 2])[0]
    assert organ.whole.centre == pytest.approx(tuple(centre), abs=1e-3)
    assert organ.lesions[0].volume == organ.whole.volume
    large, small = tumor.lesions
    assert (large.number, small.number) == (1, 2)
    assert large.volume == pytest.approx(24 * np.prod(spacing) / 1000, rel=1e-5)
    assert large.centre_voxel == (2.0, 3.5, 3.5)
    assert large.centre == pytest.approx(tuple(grid.to_world([[2.0, 3.5, 3.5]])[0]), rel=1e-4)
    sides = np.array([3, 4, 2]) * spacing
    assert large.longest_diameter == pytest.approx(np.hypot(*sides[:2]), rel=1e-5)
    assert large.spatial_diameter == pytest.approx(np.linalg.norm(sides), rel=1e-5)
    assert found.find_largest() == max([organ.lesions[0], large], key=lambda lesion: lesion.volume)
    assert tumor.whole is not None
    assert tumor.whole.volume == pytest.approx(26 * np.prod(spacing) / 1000, rel=1e-5)


def test_a_sheared_grid_has_the_volume_of_its_voxels() -> None:
    grid = make_grid((20, 20, 10), (1.0, 1.0, 3.0), 0.3, 0.4)
    box = (slice(2, 7), slice(3, 9), slice(1, 5))
    (lesion,) = measure_mask(make_mask(grid, (1, box))).structures[0].lesions
    assert lesion.volume == pytest.approx(5 * 6 * 4 * 3 / 1000, rel=1e-5)
    assert lesion.centre == pytest.approx(tuple(list_places(grid)[box].reshape(-1, 3).mean(axis=0)), rel=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_the_border_of_the_scan_is_told(axis: int, end: int) -> None:
    grid = Grid((8, 8, 8), np.eye(4))
    place: list[slice] = [slice(3, 5)] * 3
    inner = make_mask(grid, (1, tuple(place)))
    place[axis] = slice(0, 1) if end == 0 else slice(7, 8)
    outer = make_mask(grid, (1, tuple(place)))
    for mask, touches in ((inner, False), (outer, True)):
        structure = measure_mask(mask).structures[0]
        assert structure.lesions[0].touches_border is touches
        assert structure.whole is not None
        assert structure.whole.touches_border is touches


def test_values_on_the_same_grid_are_those_of_the_voxels() -> None:
    grid = make_grid((9, 8, 7), (1.0, 2.0, 3.0), 0.3)
    box = (slice(2, 6), slice(1, 5), slice(2, 4))
    image = np.random.default_rng(0).normal(50, 20, grid.shape).astype(np.float32)
    image[2, 1, 2] = np.nan
    found = measure_mask(make_mask(grid, (1, box)), [Channel("ct", "HU", image[None], grid)])
    whole = found.structures[0].whole
    assert whole is not None
    values, inside = whole.values["ct"], image[box]
    assert values.unit == "HU"
    assert values.covered == pytest.approx(31 / 32, rel=1e-5)
    assert (values.mean, values.sd) == (
        pytest.approx(np.nanmean(inside), rel=1e-5),
        pytest.approx(np.nanstd(inside), rel=1e-5),
    )
    assert (values.minimum, values.maximum) == (
        pytest.approx(np.nanmin(inside), rel=1e-5),
        pytest.approx(np.nanmax(inside), rel=1e-5),
    )
    assert (values.p5, values.median) == (
        pytest.approx(np.nanpercentile(inside, 5), rel=1e-5),
        pytest.approx(np.nanmedian(inside), rel=1e-5),
    )
    assert found.structures[0].lesions[0].values == whole.values


def test_a_channel_on_another_grid_is_interpolated_at_the_voxels() -> None:
    """A ramp in the world is the same on any grid."""
    grid = make_grid((12, 10, 8), (1.0, 1.0, 2.0), 0.3)
    other = make_grid((40, 40, 40), (1.5, 1.3, 1.1), 0.9)
    moved = other.affine.copy()
    moved[:3, 3] += grid.to_world([[6, 5, 4]])[0] - other.to_world([[20, 20, 20]])[0]
    other = Grid(other.shape, moved)
    ramp = list_places(other) @ np.array([1.0, 2.0, -0.5])
    box = (slice(4, 8), slice(3, 7), slice(3, 6))
    found = measure_mask(make_mask(grid, (2, box)), [Channel("pet", "SUVbw", ramp[None], other)])
    truth = list_places(grid)[box].reshape(-1, 3) @ np.array([1.0, 2.0, -0.5])
    values = found.structures[1].lesions[0].values["pet"]
    assert (values.mean, values.maximum) == (
        pytest.approx(truth.mean(), abs=1e-3),
        pytest.approx(truth.max(), abs=1e-3),
    )
    assert values.covered == 1


def test_a_channel_that_ends_before_says_how_much_it_covers() -> None:
    grid = Grid((10, 4, 4), np.eye(4))
    half = Grid((5, 4, 4), np.eye(4))
    box = (slice(3, 9), slice(0, 4), slice(1, 3))
    inside = measure_mask(make_mask(grid, (1, box)), [Channel("a", "", np.ones((1, 5, 4, 4)), half)])
    whole = inside.structures[0].whole
    assert whole is not None
    assert whole.values["a"].covered == pytest.approx(2 / 6, rel=1e-5)
    beyond = make_mask(grid, (1, (slice(7, 9), slice(0, 4), slice(1, 3))))
    whole = measure_mask(beyond, [Channel("a", "", np.ones((1, 5, 4, 4)), half)]).structures[0].whole
    assert whole is not None
    assert whole.values == {}
    assert np.isnan(sample_image(np.ones((5, 4, 4)), half, [[7.0, 1, 1]])).all()
    assert sample_image(
        np.arange(5.0)[:, None, None] * np.ones((5, 4, 4)), half, [[4.4, 1, 1], [1.5, 1, 1]]
    ).tolist() == [4, 1.5]


def test_regions_that_overlap_are_each_measured() -> None:
    regions = (Region(name="whole", values=(1, 2), value=1), Region(name="core", values=(2,), value=2))
    table = LabelTable.from_names(["rim", "core"]).model_copy(update={"regions": regions})
    grid = Grid((12, 12, 6), np.eye(4))
    mask = make_mask(
        grid,
        (1, (slice(2, 8), slice(2, 8), slice(1, 5))),
        (2, (slice(4, 6), slice(4, 6), slice(2, 4))),
        table=table,
    )
    whole, core = measure_mask(mask).structures
    assert (whole.name, whole.lesion_count, core.lesion_count) == ("whole", 1, 1)
    assert whole.whole is not None
    assert core.whole is not None
    assert (whole.whole.volume, core.whole.volume) == (pytest.approx(0.144), pytest.approx(0.008))


def test_objects_are_lesions_with_their_numbers_in_pixels() -> None:
    table = LabelTable.from_names(["nucleus"], objects=True)
    numbers = np.zeros((20, 16, 1), np.uint16)
    numbers[2:6, 3:6], numbers[6:9, 3:5], numbers[15:20, 10:12] = 7, 3, 9
    grid = Grid(numbers.shape, np.eye(4), "px")
    colours = np.stack([np.full(numbers.shape, n, np.uint8) for n in (10, 20, 30)])
    found = measure_mask(Mask("instances", numbers, grid, table), [Channel("image", "", colours, grid)])
    (structure,) = found.structures
    assert (found.unit, structure.lesion_count) == ("px", 3)
    assert [(lesion.value, lesion.volume) for lesion in structure.lesions] == [(7, 12), (9, 10), (3, 6)]
    first, second, third = structure.lesions
    assert (first.centre_voxel, first.longest_diameter) == ((3.5, 4.0, 0.0), pytest.approx(5))
    assert (first.spatial_diameter, first.touches_border, second.touches_border) == (None, False, True)
    assert third.values["image 2"].mean == 20


def test_nothing_is_measured_as_nothing() -> None:
    found = measure_mask(make_mask(Grid((4, 4, 4), np.eye(4))), notes=["a note"])
    assert [(item.lesion_count, item.whole, item.lesions) for item in found.structures] == [(0, None, ())] * 2
    assert found.find_largest() is None
    assert found.notes == ("a note",)
    assert Measures.model_validate_json(found.model_dump_json()) == found


def test_specks_beyond_many_are_counted_and_said() -> None:
    voxels = np.zeros((60, 60, 6), np.uint8)
    voxels[::2, ::2, ::2] = 1
    voxels[0:3, 0, 0] = 1
    found = measure_mask(Mask("classes", voxels, Grid(voxels.shape, np.eye(4)), TABLE))
    structure = found.structures[0]
    assert structure.lesion_count == 30 * 30 * 3 - 1
    assert len(structure.lesions) == MOST_LESIONS
    assert structure.lesions[0].volume == pytest.approx(0.003)
    assert found.notes == (f"organ has {30 * 30 * 3 - 1} parts; the {MOST_LESIONS} largest are listed",)
