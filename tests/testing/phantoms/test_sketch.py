import numpy as np
import pytest

from medunet.testing.phantoms.canvas import Canvas, Tissue
from medunet.testing.phantoms.sketch import LABELS, Sketch

WHOLE = (slice(None), slice(None), slice(None))


@pytest.fixture
def sketch() -> Sketch:
    return Sketch(Canvas((60, 50, 40), (2.0, 2.0, 2.0), np.random.default_rng(0)), (4.0, -10.0, 6.0))


def find_middle(sketch: Sketch, inside: np.ndarray) -> tuple[float, float, float]:
    """Mean position of voxels in the patient's frame."""
    i, j, k = np.nonzero(inside)
    axes = sketch.x.ravel()[i], sketch.y.ravel()[j], sketch.z.ravel()[k]
    return float(axes[0].mean()), float(axes[1].mean()), float(axes[2].mean())


def test_the_frame_runs_to_the_left_the_front_and_the_head(sketch: Sketch) -> None:
    assert sketch.place(0, 0, 0) == (4.0, -10.0, 6.0)
    assert sketch.place(1, 2, 3) == (5.0, -12.0, 9.0)
    assert np.allclose(np.diff(sketch.x.ravel()), 2)
    assert np.allclose(np.diff(sketch.y.ravel()), -2)
    assert np.allclose(np.diff(sketch.z.ravel()), 2)


def test_a_box_holds_the_voxels_between_its_corners(sketch: Sketch) -> None:
    box = sketch.cut((-10, -5, 0), (20, 15, 1000))
    x, y, z = (axis.ravel() for axis in sketch.get_axes(box))
    assert (x.min() >= -10, x.max() < 20, y.min() > -5, y.max() <= 15, z.min() >= 0) == (True,) * 5
    assert (len(x), len(y)) == (15, 10)
    assert z.max() == sketch.z.max()


def test_what_is_painted_lies_where_it_was_asked_for(sketch: Sketch) -> None:
    sketch.blob((10, 5, -8), (8, 6, 10), Tissue.BONE, 700, lobes=0)
    assert find_middle(sketch, sketch.canvas.tissue == Tissue.BONE) == pytest.approx((10, 5, -8), abs=0.6)
    assert set(np.round(sketch.canvas.hu[sketch.canvas.tissue == Tissue.BONE] / 100)) == {7}
    assert not sketch.labels.any()


def test_pairs_and_tubes_are_drawn_on_both_sides(sketch: Sketch) -> None:
    sketch.pair((20, 0, 0), (6, 6, 6), Tissue.FAT, -100)
    sketch.tube(((15, 10, -12), (15, 10, 12)), 4, Tissue.MUSCLE, 20, both=True)
    sketch.tube(((0, -20, 0), (0, -20, 10)), 3, Tissue.VESSEL, 100)
    for tissue in (Tissue.FAT, Tissue.MUSCLE):
        inside = sketch.canvas.tissue == tissue
        left = inside & (sketch.x > 0)
        assert left.sum() == pytest.approx(inside.sum() / 2, rel=0.1)
    assert find_middle(sketch, sketch.canvas.tissue == Tissue.VESSEL)[0] == pytest.approx(0, abs=0.6)


def test_an_organ_is_labelled_where_it_may_be_painted(sketch: Sketch) -> None:
    sketch.canvas.fill(WHOLE, np.broadcast_to(sketch.x > 0, sketch.labels.shape), Tissue.FAT, -100)
    sketch.organ("LeftParotid", (0, 0, 0), (12, 12, 12), ((1, -30),), (Tissue.FAT,))
    inside = sketch.labels == LABELS["LeftParotid"]
    assert inside.any()
    assert np.array_equal(inside, sketch.canvas.tissue == Tissue.ORGAN)
    assert not (inside & (sketch.x <= 0)).any()


def test_a_column_follows_its_rows_and_ends_with_them(sketch: Sketch) -> None:
    level = sketch.column([(-10, 0, 0, 6, 8), (10, 10, 0, 12, 8)], WHOLE)
    inside = level < 1
    z = sketch.z.ravel()
    heights = z[inside.any(axis=(0, 1))]
    assert (heights.min(), heights.max()) == pytest.approx((-10, 10), abs=2)
    for k in np.flatnonzero((z > -9) & (z < 9)):
        x = sketch.x.ravel()[inside[:, :, k].any(axis=1)]
        share = (z[k] + 10) / 20
        assert x.mean() == pytest.approx(10 * share, abs=1.1)
        assert np.ptp(x) / 2 == pytest.approx(6 + 6 * share, abs=2.1)
