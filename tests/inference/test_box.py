import numpy as np
import pytest
import torch

from medunet.errors import InputError
from medunet.geometry import Grid, Shape
from medunet.inference.box import Box, find_body_box, parse_box

TURNED = np.array([[0.0, 0, 4, -10], [-2, 0, 0, 30], [0, 2, 0, 100], [0, 0, 0, 1]])
"""I runs to the back, J to the head, K to the right."""


def test_a_part_keeps_the_place_of_its_voxels() -> None:
    grid = Grid((20, 30, 10), TURNED)
    image = torch.arange(20 * 30 * 10).reshape(1, 20, 30, 10).float()
    part, affine = Box((-2, 4, 110), (10, 20, 130)).crop(image, TURNED, "a scan")
    assert part.shape == (1, 9, 11, 4)
    first = np.rint(grid.to_voxel(affine[:3, 3])).astype(int)
    assert part[0, 0, 0, 0] == image[(0, *first)]
    assert np.array_equal(affine[:3, :3], TURNED[:3, :3])


def test_voxels_outside_become_background(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid((20, 30, 10), TURNED)
    kept = np.ones(grid.shape, dtype=np.uint8)
    monkeypatch.setattr("medunet.inference.box.AT_ONCE", 2000)
    parts = list(Box((-2, 4, 110), (10, 20, 130)).find_outside(grid))
    assert len(parts) == 4
    for planes, outside in parts:
        kept[planes][outside] = 0
    places = grid.to_world(np.argwhere(kept))
    assert places.min(axis=0).tolist() == [-2, 4, 110]
    assert places.max(axis=0).tolist() == [10, 20, 130]
    assert kept.sum() == 4 * 9 * 11


def test_a_box_elsewhere_is_refused_with_what_there_is() -> None:
    # The scan lies from -12 to 28 mm along x, from -9 to 31 along y and from 99 to 159 along z.
    with pytest.raises(InputError) as caught:
        Box((500, 0, 0), (600, 10, 10.5)).crop(torch.zeros(1, 20, 30, 10), TURNED, "a scan")
    said = "it lies outside of a scan: to the right (x) it goes from 500 to 600 mm, the scan from -12 to 28 mm; "
    assert caught.value.found == said + "to the head (z) it goes from 0 to 10.5 mm, the scan from 99 to 159 mm"
    assert caught.value.expected == "a part of -12:28,-9:31,99:159, in mm to the right, front and head"
    # A corner of its bounding box that a turned scan doesn't fill.
    turned = np.eye(4)
    turned[:2, :2] = np.array([[1, -1], [1, 1]]) * np.sqrt(0.5)
    with pytest.raises(InputError) as caught:
        Box((-13, 0, 0), (-12, 1, 1)).crop(torch.zeros(1, 20, 20, 20), turned, "a scan")
    assert caught.value.found == "it lies outside of a scan"


def test_boxes_are_written_in_millimetres() -> None:
    assert parse_box("-60:60,-40:80.5,900:1100") == Box((-60, -40, 900), (60, 80.5, 1100))


@pytest.mark.parametrize("text", ["", "1:2,3:4", "a:b,1:2,1:2", "1:2:3,1:2,1:2", "nan:1,1:2,1:2"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="it is no box; write it like"):
        parse_box(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10:0,0:10,0:10", "x runs from 10 down to 0; swap them."),
        ("1:2,3:4,6.5:5", "z runs from 6.5 down to 5; swap them."),
        ("1:2,3:3,5:6", "y is 3 at both ends; write a larger second end."),
    ],
)
def test_ends_that_are_swapped_or_equal_are_named(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_box(text)
    assert str(caught.value) == f"--box {text}: {words}"


def make_body(shape: Shape, *parts: tuple[slice, slice, slice]) -> np.ndarray:
    image = np.full(shape, -1000, dtype=np.int16)
    for part in parts:
        image[part] = 40
    return image


def test_the_box_around_a_body_holds_it_with_a_margin_and_tells_what_it_leaves_out() -> None:
    grid = Grid((60, 50, 40), np.diag([2.0, 2.0, 4.0, 1.0]))
    legs = (slice(10, 22), slice(20, 34), slice(None)), (slice(30, 44), slice(20, 34), slice(None))
    table = (slice(20, 32), slice(46, 48), slice(None))
    found = find_body_box(make_body(grid.shape, *legs, table), grid)
    assert found is not None
    low, high = np.array(found.box.low), np.array(found.box.high)
    assert (low <= grid.to_world([10, 20, 0])).all()
    assert (high >= grid.to_world([43, 33, 39])).all()
    assert (np.array(grid.to_world([10, 20, 0])) - low <= [16, 16, 0]).all()
    assert high[1] < grid.to_world([0, 46, 0])[1]
    assert found.left_ml == pytest.approx(12 * 2 * 40 * 16 / 1000)
    assert "only the box around the body was predicted" in found.describe()
    assert parse_box(found.box.describe()) == found.box


def test_a_body_that_fills_the_scan_has_no_box() -> None:
    grid = Grid((20, 20, 20), np.diag([4.0, 4.0, 4.0, 1.0]))
    assert find_body_box(np.full(grid.shape, 40), grid) is None
    assert find_body_box(np.full(grid.shape, -1000), grid) is None
