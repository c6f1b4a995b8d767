from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapes import make_grid

import medunet
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.measures import Channel
from medunet.report.drawings import LINE, MARGIN
from medunet.report.picture import FORMAT, SIDE, draw_prediction

TABLE = LabelTable.from_names(["red", "blue"])
RED, BLUE = (label.colour for label in TABLE.labels)
SHAPE = (40, 30, 12)
RAS = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))
TOP = MARGIN + LINE + 6


def make_mask(grid: Grid = RAS) -> Mask:
    """A red box at the right front of the patient, near the head, and a blue one in the middle."""
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[28:36, 18:26, 8:11] = 1
    voxels[10:16, 18:26, 8:11] = 2
    return Mask("classes", voxels, grid, TABLE)


def find_pixels(picture: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of pixels near a colour, without the legend."""
    pixels = np.asarray(picture).astype(int)[TOP + LINE : picture.height - LINE - MARGIN]
    return np.argwhere(np.abs(pixels - colour).sum(axis=-1) < 60)


def make_channel(grid: Grid = RAS, name: str = "ct", unit: str = "HU") -> Channel:
    return Channel(name, unit, np.zeros((1, *grid.shape), np.int16), grid)


def test_right_and_front_are_left_and_the_head_is_up() -> None:
    picture = draw_prediction(make_mask(), [make_channel()], (31, 21, 9), "a title")
    red, blue = find_pixels(picture, RED), find_pixels(picture, BLUE)
    axial = red[red[:, 1] < MARGIN + SIDE]
    assert axial[:, 1].mean() < MARGIN + SIDE / 2, "the patient's right is on the left"
    assert axial[:, 0].mean() < SIDE * 30 / 40 / 2, "the front is up"
    assert blue[blue[:, 1] < MARGIN + SIDE][:, 1].mean() > axial[:, 1].mean()
    coronal = red[(red[:, 1] > 2 * MARGIN + SIDE) & (red[:, 1] < 2 * (MARGIN + SIDE))]
    assert coronal[:, 0].mean() < SIDE / 2, "the head is up"
    sagittal = red[red[:, 1] > 3 * MARGIN + 2 * SIDE]
    width = 30 / 40 * SIDE
    assert sagittal[:, 1].mean() - (3 * MARGIN + 2 * SIDE) < width / 2, "the front is on the left"
    # The sagittal plane through the red box doesn't meet the blue one.
    assert (blue[:, 1] < 3 * MARGIN + 2 * SIDE).all()


@pytest.mark.parametrize(
    ("order", "flips"),
    [((0, 1, 2), (1, 1, 1)), ((1, 0, 2), (-1, 1, -1)), ((2, 0, 1), (1, -1, -1)), ((2, 1, 0), (-1, -1, 1))],
)
def test_storage_order_does_not_matter(order: tuple[int, int, int], flips: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).normal(40, 100, SHAPE).astype(np.float32)
    mask, place = make_mask(), np.array([31, 21, 9])
    first = draw_prediction(mask, [Channel("ct", "HU", image[None], RAS)], place.tolist())
    cut = tuple(slice(None, None, flip) for flip in flips)
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for n, axis in enumerate(order):
        turn[axis, n] = flips[n]
        turn[axis, 3] = SHAPE[axis] - 1 if flips[n] < 0 else 0
    grid = Grid(tuple(SHAPE[axis] for axis in order), RAS.affine @ turn)  # type: ignore[arg-type]
    moved = Mask("classes", mask.voxels.transpose(order)[cut], grid, TABLE)
    voxel = grid.to_voxel(RAS.to_world([place]))[0]
    turned = Channel("ct", "HU", image.transpose(order)[cut][None], grid)
    second = draw_prediction(moved, [turned], [round(x) for x in voxel])
    head = TOP + LINE
    tail = -LINE - MARGIN
    assert np.array_equal(np.asarray(first)[head:tail], np.asarray(second)[head:tail])


def test_a_channel_on_another_grid_lies_in_its_place() -> None:
    other = make_grid((60, 60, 60), (1.1, 1.1, 1.1), 0.4)
    middle = RAS.to_world([[32, 22, 9]])[0]
    affine = other.affine.copy()
    affine[:3, 3] += middle - other.to_world([[30, 30, 30]])[0]
    other = Grid(other.shape, affine)
    bright = np.linalg.norm(other.to_world(np.argwhere(np.ones(other.shape, bool))) - middle, axis=1) < 3
    channel = Channel("pet", "SUVbw", bright.reshape(1, *other.shape).astype(np.float32), other)
    empty = Mask("classes", np.zeros(SHAPE, np.uint8), RAS, TABLE)
    picture = np.asarray(draw_prediction(empty, [channel], (32, 22, 9)).convert("L")).astype(int)
    rows, columns = np.nonzero(picture[TOP + LINE + 20 : -60, MARGIN : MARGIN + SIDE] > 200)
    scale = SIDE / 40
    assert columns.mean() == pytest.approx((40 - 32.5) * scale, abs=scale)
    # The axial picture stands in the middle of the height of the other two.
    above = (SHAPE[2] * RAS.spacing[2] / RAS.spacing[0] - SHAPE[1]) / 2
    assert rows.mean() + 20 == pytest.approx((above + 30 - 22.5) * scale, abs=scale)


def test_every_channel_has_a_row_and_a_picture_one_panel() -> None:
    one = draw_prediction(make_mask(), [make_channel()], (31, 21, 9))
    two = draw_prediction(make_mask(), [make_channel(), make_channel(name="pet", unit="SUVbw")], (31, 21, 9))
    assert two.width == one.width
    assert two.height > 1.7 * one.height - 60
    grid = Grid((30, 40, 1), np.eye(4), "px")
    table = LabelTable.from_names(["disc"], objects=True)
    numbers = np.zeros(grid.shape, np.uint16)
    numbers[4:9, 5:10], numbers[9:14, 5:10] = 1, 2
    colours = np.zeros((3, *grid.shape), np.uint8)
    colours[0, 20:28, 30:38] = 250
    picture = draw_prediction(Mask("instances", numbers, grid, table), [Channel("image", "", colours, grid)], (6, 7, 0))
    assert picture.width == 2 * MARGIN + round(30 / 40 * SIDE)
    shown = np.asarray(picture).astype(int)
    rows, columns = np.nonzero((shown[..., 0] > 200) & (shown[..., 1] < 30))
    assert columns.mean() > picture.width / 2, "low i is on the left"
    assert rows.mean() > picture.height / 2, "low j is on top"


def test_nothing_found_is_drawn_too(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    assert FORMAT.read is None
    assert FORMAT.check(None, None, None) is None  # type: ignore[arg-type, func-returns-value]
    made = medunet.predict(trained, *patients[:2], output=tmp_path, formats=("picture",), keep_largest=["all"])
    for item in made:
        with Image.open(item.files["picture"]) as picture:
            assert picture.width > 2 * SIDE
            assert len(find_pixels(picture, item.mask.table.labels[0].colour)) > 50 or item.status == "nothing found"
    (empty,) = medunet.predict(trained, patients[0], output=tmp_path / "b", formats=("picture",), smallest="10000mL")
    assert empty.status == "nothing found"
    with Image.open(empty.files["picture"]) as picture:
        assert len(find_pixels(picture, empty.mask.table.labels[0].colour)) == 0
