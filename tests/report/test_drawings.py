import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.report.drawings import PANEL, PREDICTION, TRUTH, draw_case, draw_overview, part_objects

Bools = npt.NDArray[np.bool_]

SHAPE = (40, 30, 12)
RAS = Grid(SHAPE, np.diag([1.0, 1.0, 3.0, 1.0]))


def make_mask(*sides: tuple[int, int], shape: tuple[int, int, int] = SHAPE) -> Bools:
    mask = np.zeros(shape, dtype=bool)
    if sides:
        mask[tuple(slice(*side) for side in sides)] = True
    return mask


NONE = make_mask()


def find_pixels(picture: Image.Image, colour: tuple[int, int, int], within: int = 40) -> npt.NDArray[np.int64]:
    """Rows and columns of pixels near a colour above the legend."""
    pixels = np.asarray(picture).astype(int)[: picture.height - 45]
    return np.argwhere(np.abs(pixels - colour).sum(axis=-1) < within)


def test_right_of_the_patient_is_on_the_left_and_front_is_up() -> None:
    # A bright block at the right front of the patient, and near the head.
    image = np.zeros(SHAPE)
    image[30:38, 20:28, 8:11] = 100
    picture = draw_case(image, image > 0, NONE, RAS)
    pixels = np.asarray(picture.convert("L")).astype(int)
    axial, coronal = pixels[40:-45, :PANEL], pixels[40:-45, PANEL + 24 :]
    for panel in (axial, coronal):
        rows, columns = np.nonzero(panel > 240)
        assert columns.mean() < PANEL / 2
        shown = np.flatnonzero((panel < 5).any(axis=1))
        assert rows.mean() < (shown[0] + shown[-1]) / 2


def test_storage_order_does_not_matter() -> None:
    random = np.random.default_rng(0)
    image = random.random(SHAPE).astype(np.float32)
    truth, guess = make_mask((5, 20), (5, 20), (2, 6)), make_mask((8, 22), (5, 18), (2, 6))
    affine = np.array([[0, -1.0, 0, 39], [-1.0, 0, 0, 29], [0, 0, 3, 0], [0, 0, 0, 1]])
    turned = [array[::-1, ::-1].transpose(1, 0, 2) for array in (image, truth, guess)]
    first = draw_case(image, truth, guess, RAS)
    assert np.array_equal(np.asarray(first), np.asarray(draw_case(*turned, Grid((30, 40, 12), affine))))


def test_outlines_have_their_colours_and_place() -> None:
    truth, guess = make_mask((4, 14), (4, 14), (2, 6)), make_mask((24, 34), (14, 24), (2, 6))
    picture = draw_case(np.zeros(SHAPE), truth, guess, RAS)
    ours, theirs = find_pixels(picture, TRUTH), find_pixels(picture, PREDICTION)
    axial = ours[ours[:, 1] < PANEL], theirs[theirs[:, 1] < PANEL]
    # Low x is the patient's left, shown on the right; low y is the back, shown below.
    assert axial[0][:, 1].mean() > axial[1][:, 1].mean()
    assert axial[0][:, 0].mean() > axial[1][:, 0].mean()
    scale = PANEL / 40
    assert np.ptp(axial[0][:, 1]) == pytest.approx(10 * scale, abs=8)
    assert np.ptp(axial[0][:, 0]) == pytest.approx(10 * scale, abs=8)


def test_voxels_keep_their_shape() -> None:
    # 10 voxels of 1 mm beside 4 voxels of 3 mm.
    truth = make_mask((10, 20), (10, 20), (4, 8))
    found = find_pixels(draw_case(np.zeros(SHAPE), truth, NONE, RAS), TRUTH)
    coronal = found[found[:, 1] > PANEL + 12]
    assert np.ptp(coronal[:, 0]) / np.ptp(coronal[:, 1]) == pytest.approx(1.2, abs=0.1)


def test_both_outlines_show_where_masks_agree() -> None:
    truth = make_mask((10, 30), (10, 20), (2, 6))
    picture = draw_case(np.zeros(SHAPE), truth, truth, RAS)
    assert len(find_pixels(picture, TRUTH, 120)) > 100
    assert len(find_pixels(picture, PREDICTION, 120)) > 100


@pytest.mark.parametrize("window", [None, (40.0, 400.0), (0.0, 0.0)])
def test_empty_masks_flat_images_and_odd_values_draw(window: tuple[float, float] | None) -> None:
    image = np.zeros(SHAPE, dtype=np.float32)
    image[0, 0, 0], image[1, 0, 0] = np.nan, np.inf
    picture = draw_case(image, NONE, NONE, RAS, window, "a case")
    assert (picture.mode, picture.width) == ("RGB", 2 * PANEL + 36)
    assert len(find_pixels(picture, TRUTH)) == 0


def test_the_window_sets_black_and_white() -> None:
    image = np.zeros(SHAPE)
    image[:20] = 240
    picture = np.asarray(draw_case(image, NONE, NONE, RAS, (40.0, 400.0)))
    greys = picture[picture.shape[0] // 2 - 20, [100, 400], 0]
    assert list(greys) == [round(255 * 0.4), 255]


def test_a_flat_picture_has_one_panel() -> None:
    grid = Grid((30, 40, 1), np.eye(4), "px")
    mask = make_mask((5, 10), (5, 10), (0, 1), shape=(30, 40, 1))
    picture = draw_case(np.random.default_rng(0).random((30, 40, 1)), mask, mask, grid)
    assert picture.width == PANEL + 24


def test_a_picture_is_shown_as_it_is_in_its_colours() -> None:
    grid = Grid((30, 40, 1), np.eye(4), "px")
    image = np.zeros((3, 30, 40, 1), np.uint8)
    image[0, 2:8, 3:9] = 250
    nothing = make_mask(shape=(30, 40, 1))
    shown = np.asarray(draw_case(image, nothing, nothing, grid)).astype(int)
    rows, columns = np.nonzero((shown[..., 0] > 200) & (shown[..., 1] < 60))
    # Low i is left and low j on top.
    assert columns.mean() < PANEL / 2
    assert rows.mean() < PANEL / 2


def test_overview_lays_cases_out() -> None:
    pictures = [Image.new("RGB", (956, 500 + 40 * n), (200, 10 * n, 0)) for n in range(3)]
    sheet = draw_overview(pictures, "Three cases with a title that is much longer than the sheet is wide " * 4)
    assert sheet.width <= 1600
    assert sheet.height > 2 * 400
    reds = np.asarray(sheet)[..., 0] == 200
    assert reds[:, : sheet.width // 2].sum() > reds[:, sheet.width // 2 :].sum() > 0
    assert draw_overview([], "nothing").height > 0


def test_objects_that_touch_are_drawn_apart() -> None:
    numbers = np.zeros((8, 6, 1), np.uint16)
    numbers[1:4, 1:5], numbers[4:7, 1:5] = 3, 1
    mask = Mask("instances", numbers, Grid(numbers.shape, np.eye(4), "px"), LabelTable.from_names(["a"], objects=True))
    drawn = part_objects(mask)
    assert not drawn[3].any()
    assert drawn[1:3, 1:5].all()
    assert drawn[4:7, 1:5].all()
    assert np.array_equal(part_objects(mask.join_objects()), numbers > 0)
