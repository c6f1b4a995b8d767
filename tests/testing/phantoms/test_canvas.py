import numpy as np
import pytest
from scipy.ndimage import label

from medunet.testing.phantoms.canvas import Blob, Canvas, Tissue

SPACING = (1.0, 1.5, 2.0)
BALL = Blob(centre=(5.0, -6.0, 4.0), radii=(20.0, 20.0, 20.0), lobes=0.0, waves=np.zeros((4, 3)), phases=np.zeros(4))


@pytest.fixture
def canvas() -> Canvas:
    return Canvas((80, 60, 50), SPACING, np.random.default_rng(0))


def list_places(canvas: Canvas, inside: np.ndarray) -> np.ndarray:
    """Positions (N, 3) of voxels in mm."""
    return np.column_stack([axis[n] for axis, n in zip(canvas.axes, np.nonzero(inside), strict=True)])


def test_a_fresh_canvas_is_air_about_the_middle_of_the_volume(canvas: Canvas) -> None:
    assert (canvas.hu == -1000).all()
    assert (canvas.tissue == Tissue.AIR).all()
    for axis, shape, spacing in zip(canvas.axes, (80, 60, 50), SPACING, strict=True):
        assert axis[0] == -axis[-1]
        assert axis[-1] - axis[0] == (shape - 1) * spacing


def test_a_ball_has_its_size_and_place_whatever_the_spacing(canvas: Canvas) -> None:
    canvas.paint(BALL, Tissue.LIVER, ((1, 60),), texture=0)
    inside = canvas.tissue == Tissue.LIVER
    assert inside.sum() * np.prod(SPACING) == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.02)
    assert list_places(canvas, inside).mean(0) == pytest.approx(BALL.centre, abs=0.2)
    assert (canvas.hu[inside] == 60).all()
    assert (canvas.hu[~inside] == -1000).all()


def test_distance_is_measured_in_radii(canvas: Canvas) -> None:
    blob = Blob((0, 0, 0), (10.0, 20.0, 30.0), 0.0, np.zeros((4, 3)), np.zeros(4))
    box, level, _ = canvas.measure(blob)
    x, y, z = np.meshgrid(*(axis[part] for axis, part in zip(canvas.axes, box, strict=True)), indexing="ij")
    assert np.allclose(level, np.sqrt((x / 10) ** 2 + (y / 20) ** 2 + (z / 30) ** 2), atol=1e-5)
    assert level.min() < 0.1
    assert all(level.take(end, axis).min() > 0.9 for axis in range(3) for end in (0, -1))


def test_lobes_make_a_boundary_uneven(canvas: Canvas) -> None:
    blob = Blob.draw(np.random.default_rng(1), (0, 0, 0), (20.0, 20.0, 20.0), 0.15)
    canvas.paint(blob, Tissue.LESION, ((1, 100),))
    reach = np.linalg.norm(list_places(canvas, canvas.tissue == Tissue.LESION), axis=1)
    assert 21.5 < reach.max() < 28
    _, _, waves = canvas.measure(blob)
    assert 0.3 < waves.std() < 1.1


def test_layers_lie_within_each_other_and_only_named_tissues_are_painted_over(canvas: Canvas) -> None:
    canvas.paint(BALL, Tissue.LIVER, ((1, 60), (0.5, 30)), texture=0)
    shell = Blob(BALL.centre, (24.0, 24.0, 24.0), 0.0, BALL.waves, BALL.phases)
    canvas.paint(shell, Tissue.BONE, ((1, 500),), only=(Tissue.AIR,), texture=0)
    distance = np.linalg.norm(np.stack(np.meshgrid(*canvas.axes, indexing="ij"), -1) - BALL.centre, axis=-1)
    for nearest, farthest, hu in ((0, 9.9, 30), (10.1, 19.9, 60), (20.1, 23.9, 500), (24.1, 99, -1000)):
        assert (canvas.hu[(distance > nearest) & (distance < farthest)] == hu).all()
    whole = np.s_[:, :, :]
    assert np.array_equal(canvas.find(whole, (Tissue.LIVER,)), canvas.tissue == Tissue.LIVER)
    assert canvas.find(whole, (Tissue.LIVER, Tissue.BONE)).sum() == (canvas.hu > 0).sum()


def test_a_blob_beyond_the_volume_is_cut(canvas: Canvas) -> None:
    beside = Blob((500.0, 0, 0), (20.0, 20.0, 20.0), 0.0, np.zeros((4, 3)), np.zeros(4))
    canvas.paint(beside, Tissue.BONE, ((1, 500),))
    assert (canvas.tissue == Tissue.AIR).all()
    column = Blob((0, 0, 0), (5.0, 5.0, np.inf), 0.0, np.zeros((4, 3)), np.zeros(4))
    canvas.paint(column, Tissue.BONE, ((1, 500),))
    assert (canvas.tissue[40, 30] == Tissue.BONE).all()


def test_a_tube_follows_its_control_points_without_gaps(canvas: Canvas) -> None:
    controls = [(-30.0, -20.0, -40.0), (0.0, 15.0, 0.0), (25.0, -10.0, 38.0)]
    curve = canvas.trace(controls, 3.0)
    assert np.linalg.norm(np.diff(curve, axis=0), axis=1).max() < 3.0
    for point in controls:
        assert np.linalg.norm(curve - point, axis=1).min() < 1.0
    canvas.paint_tube(curve, 3.0, Tissue.VESSEL, 180)
    inside = canvas.tissue == Tissue.VESSEL
    assert label(inside, np.ones((3, 3, 3)))[1] == 1
    away = np.linalg.norm(list_places(canvas, inside)[:, None] - curve, axis=2).min(1)
    assert 2 < away.max() < 4
    straight = canvas.trace([(0.0, 0.0, -30.0), (0.0, 0.0, 30.0)], 6.0)
    canvas.paint_tube(straight, 6.0, Tissue.BONE, 500, only=(Tissue.AIR,))
    assert (canvas.tissue == Tissue.VESSEL).sum() == inside.sum()
