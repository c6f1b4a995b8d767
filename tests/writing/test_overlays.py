import numpy as np
import pytest

from medunet.labels import COLOURS, LabelTable
from medunet.writing.overlays import Overlay, choose_scale, find_edges, spell_name

LABELS = LabelTable.from_names(["liver", "GTV"]).labels


def draw(overlay: Overlay, values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    columns, rows = values.shape
    shape = (rows * overlay.scale, columns * overlay.scale, 3)
    return np.frombuffer(overlay.draw(values.astype(np.float32), voxels), np.uint8).reshape(shape)


def test_grey_is_the_window_and_rows_are_rows() -> None:
    values = np.array([[0.0, 50.0], [100.0, 200.0], [-5.0, np.nan]])
    picture = draw(Overlay((0.0, 100.0), LABELS, 1), values, np.zeros((3, 2), np.uint8))
    assert picture[..., 0].tolist() == [[0, 255, 0], [128, 255, 0]]
    assert (picture == picture[..., :1]).all(), "nothing is coloured"


def test_outlines_are_the_outermost_pixels_in_the_colours_of_their_labels() -> None:
    voxels = np.zeros((60, 50), np.uint8)
    voxels[20:30, 25:40] = 1
    voxels[30:40, 25:40] = 2
    picture = draw(Overlay((0.0, 1.0), LABELS, 2), np.zeros(voxels.shape), voxels)[30:]  # below the names
    large = voxels.repeat(2, 0).repeat(2, 1).T[30:]
    for label in LABELS:
        drawn = (picture == label.colour).all(axis=-1)
        assert (large[drawn] == label.value).all()
        assert drawn.sum() == 2 * (20 + 30) - 4
    inside = large > 0
    assert not picture[~inside].any()


def test_edges_are_where_numbers_or_the_plane_end() -> None:
    plane = np.array([[1, 1, 0, 0], [1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2]])
    found = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]], bool)
    assert np.array_equal(find_edges(plane), found)
    assert not find_edges(np.full((5, 5), 3))[1:-1, 1:-1].any()


def test_objects_that_touch_are_told_apart_in_one_colour() -> None:
    voxels = np.zeros((64, 64), np.uint16)
    voxels[30:40, 30:40], voxels[40:50, 30:40] = 7, 300
    picture = draw(Overlay((0.0, 1.0), LABELS[:1], 1, objects=True), np.zeros(voxels.shape), voxels)[30:]
    drawn = (picture == COLOURS[0]).all(axis=-1)
    assert drawn[1:9, 39].all()
    assert drawn[1:9, 40].all()
    assert not drawn[1:9, 31:39].any()


def test_what_nobody_looked_at_has_no_outline() -> None:
    voxels = np.full((40, 40), 255, np.uint8)
    assert not draw(Overlay((0.0, 1.0), LABELS, 1), np.zeros(voxels.shape), voxels).any()


def test_names_stand_in_the_corner_in_their_colours() -> None:
    voxels = np.zeros((512, 512), np.uint8)
    voxels[300:310, 300:310] = 2
    overlay = Overlay((0.0, 1.0), LABELS, 1, "liver, GTV: nothing found")
    picture = draw(overlay, np.zeros(voxels.shape), voxels)
    corner = picture[:60, :300]
    assert (corner == LABELS[1].colour).all(axis=-1).any()
    assert not (corner == LABELS[0].colour).all(axis=-1).any()
    assert not picture[60:300].any()
    empty = draw(overlay, np.zeros(voxels.shape), np.zeros_like(voxels))
    assert (empty[:60, :300] == 255).all(axis=-1).any()
    assert not draw(Overlay((0.0, 1.0), LABELS, 1), np.zeros(voxels.shape), np.zeros_like(voxels)).any()


def test_more_names_than_there_is_room_for_are_counted() -> None:
    labels = LabelTable.from_names([f"part {n}" for n in range(100)]).labels
    voxels = np.zeros((128, 128), np.uint8)
    voxels[100, :100] = np.arange(1, 101)
    picture = draw(Overlay((0.0, 1.0), labels, 1), np.zeros(voxels.shape), voxels)
    assert (picture[101:115, :60] > 150).all(axis=-1).any(), "and … more, in white"


@pytest.mark.parametrize(
    ("name", "spelt"),
    [("liver", "liver"), ("Größe 2", "Grosse 2"), ("Ø µé", "O ue"), ("病变", "label 1"), ("печень", "label 1")],
)
def test_names_that_the_font_can_not_spell_are_numbers(name: str, spelt: str) -> None:
    (label,) = LabelTable.from_names([name]).labels
    assert spell_name(label) == spelt


@pytest.mark.parametrize(("shape", "scale"), [((512, 512), 1), ((256, 200), 2), ((168, 168), 3), ((21, 17), 24)])
def test_small_slices_are_enlarged_by_a_whole_number(shape: tuple[int, int], scale: int) -> None:
    assert choose_scale(shape) == scale
    assert choose_scale((1024, 768)) == 1
