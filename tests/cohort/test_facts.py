import numpy as np
import pytest

from medunet.cohort.facts import LabelFacts, measure_image, measure_labels
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.reading import Source, Volume

AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])


def make_volume(voxels: np.ndarray, affine: np.ndarray = AFFINE) -> Volume:
    return Volume(voxels[None], Grid(voxels.shape, affine), Source(path="scan"))


def store_otherwise(voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same image, stored with its axes in another order and x running to the left."""
    turned = voxels.transpose(2, 0, 1)[:, ::-1].astype(np.float32)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = 4, -2, 3, 1
    affine[0, 3] = 2 * (voxels.shape[0] - 1)
    return turned, affine


def measure_label(inside: np.ndarray, unit: str = "mm") -> LabelFacts:
    mask = Mask("classes", inside.astype(np.uint8), Grid(inside.shape, AFFINE, unit), LabelTable.from_names(["a", "b"]))  # type: ignore[arg-type]
    return measure_labels(mask)["a"]


def make_box() -> np.ndarray:
    inside = np.zeros((20, 18, 16), np.uint8)
    inside[4:12, 3:11, 2:14] = 1
    return inside


def test_an_image_is_measured_along_the_world_however_it_is_stored() -> None:
    voxels = np.random.default_rng(0).integers(-1000, 1000, (20, 18, 17)).astype(np.int16)
    one, other = measure_image(make_volume(voxels)), measure_image(make_volume(*store_otherwise(voxels)))
    assert one.shape == other.shape == (20, 18, 17)
    assert one.spacing == other.spacing == (2, 3, 4)
    assert one.digest == other.digest
    np.testing.assert_allclose(one.coarse, other.coarse)
    assert (one.right_handed, other.right_handed) == (True, False)
    assert one.low < one.middle < one.high
    voxels[3, 3, 3] += 1
    assert measure_image(make_volume(voxels)).digest != one.digest
    assert measure_image(make_volume(np.ones((4, 4, 4), np.int16))).digest == ""


def test_a_label_has_margins_and_a_centre() -> None:
    facts = measure_label(make_box())
    assert facts.margins == ((4, 8), (3, 7), (2, 2))
    assert facts.centre == pytest.approx((-0.2, -2 / 9, 0))
    assert (facts.voxels, facts.stride, facts.specks, facts.holes) == (8 * 8 * 12, 1, 0, 0)


def test_specks_and_holes_are_counted() -> None:
    inside = make_box()
    inside[18, 16, 14] = 1
    inside[6, 6, 5:7] = 0
    facts = measure_label(inside)
    assert (facts.specks, facts.holes, facts.hole_voxels) == (1, 1, 2)
    inside[6, 6, 5:7] = 2
    assert measure_label(inside).holes == 0, "it is filled by another label"
    inside[6, 6, :] = 0
    assert measure_label(inside).holes == 0, "it is open"
    ring = np.zeros((9, 9, 1), np.uint8)
    ring[2:7, 2:7] = 1
    ring[4, 4] = 0
    assert measure_label(ring, "px").holes == 1, "a picture is open in its plane only"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_contours_on_every_second_slice_are_seen(axis: int) -> None:
    inside = np.moveaxis(make_box(), axis, 0)
    inside[1::2] = 0
    assert measure_label(np.moveaxis(inside, 0, axis)).stride == 2
    inside = make_box()
    inside[:, :, 7:9] = 0
    assert measure_label(inside).stride == 1, "two pieces are no stripes"


def test_slices_that_nobody_looked_at_are_not_left_out() -> None:
    inside = make_box()
    inside[..., 1::2] = 3
    table = LabelTable.from_names(["a", "b"])
    for ignore, stride in ((None, 2), (3, 1)):
        own = table.model_copy(update={"ignore": ignore})
        assert measure_labels(Mask("classes", inside, Grid(inside.shape, AFFINE), own))["a"].stride == stride
