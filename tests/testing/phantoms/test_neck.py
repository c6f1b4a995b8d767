import numpy as np
import pytest

from medunet.testing.phantoms.canvas import Canvas, Tissue
from medunet.testing.phantoms.neck import CORD, CORD_HU, paint_body, paint_neck
from medunet.testing.phantoms.sketch import LABELS, Sketch


@pytest.fixture(scope="module")
def body() -> Sketch:
    drawn = Sketch(Canvas((160, 90, 80), (3.0, 3.0, 3.0), np.random.default_rng(2)), (0.0, -50.0, 60.0))
    paint_body(drawn)
    return drawn


@pytest.fixture(scope="module")
def neck() -> Sketch:
    drawn = Sketch(Canvas((160, 90, 80), (3.0, 3.0, 3.0), np.random.default_rng(2)), (0.0, -50.0, 60.0))
    paint_body(drawn)
    paint_neck(drawn)
    return drawn


@pytest.mark.parametrize(
    ("height", "half_width", "back", "front"), [(30, 78, -152, 49), (-45, 68, -135, 17), (-120, 213, -185, -11)]
)
def test_outlines_are_those_of_the_cohort(
    body: Sketch, height: float, half_width: float, back: float, front: float
) -> None:
    inside = body.canvas.tissue[:, :, int(np.abs(body.z.ravel() - height).argmin())] != Tissue.AIR
    x = body.x.ravel()[inside.any(axis=1)]
    y = body.y.ravel()[inside.any(axis=0)]
    assert x.max() == pytest.approx(half_width, abs=7)
    assert (y.min(), y.max()) == pytest.approx((back, front), abs=10)


def test_fat_lies_below_the_skin_and_muscle_within(body: Sketch) -> None:
    hu, tissue = body.canvas.hu, body.canvas.tissue
    assert np.median(hu[tissue == Tissue.MUSCLE]) == pytest.approx(20, abs=3)
    assert -120 < np.median(hu[tissue == Tissue.FAT]) < -50
    j, k = (int(np.abs(axis.ravel() - place).argmin()) for axis, place in ((body.y, -100), (body.z, -120)))
    column = tissue[:, j, k]
    first = np.flatnonzero(column != Tissue.AIR)[0]
    assert column[first + 1] == Tissue.FAT


def test_the_cord_lies_in_a_ring_of_bone(neck: Sketch) -> None:
    cord = neck.labels == LABELS["SpinalCord"]
    heights, middles = np.transpose(CORD)
    for k in np.flatnonzero((neck.z.ravel() > -150) & (neck.z.ravel() < 0)):
        i, j = np.nonzero(cord[:, :, k])
        middle = np.interp(float(neck.z.ravel()[k]), heights, middles)
        assert neck.y.ravel()[j].mean() == pytest.approx(middle, abs=1.6)
        assert neck.x.ravel()[i].mean() == pytest.approx(0, abs=1)
    assert np.median(neck.canvas.hu[cord]) == CORD_HU
    k = int(np.abs(neck.z.ravel() + 60).argmin())
    j = int(np.abs(neck.y.ravel() + 64).argmin())
    assert neck.canvas.tissue[80, j, k] == Tissue.BONE, "the body of a vertebra lies in front of it"


def test_organs_are_as_large_as_those_of_the_cohort(neck: Sketch) -> None:
    """Between the 10th and the 90th percentile of their volumes in mL."""
    ranges = {
        "SpinalCord": (16, 37),
        "RightParotid": (16, 39),
        "LeftParotid": (15, 37),
        "Esophagus": (5.9, 18),
        "Larynx": (12, 40),
    }
    for name, (low, high) in ranges.items():
        assert low < (neck.labels == LABELS[name]).sum() * 27 / 1000 < high, name


def test_right_and_left_are_the_patients(neck: Sketch) -> None:
    for name, side in (("RightParotid", -1), ("LeftParotid", 1)):
        inside = np.nonzero(neck.labels == LABELS[name])[0]
        assert side * neck.x.ravel()[inside].mean() == pytest.approx(58, abs=3)


def test_the_airway_is_open_from_the_nose_to_the_chest(neck: Sketch) -> None:
    air = (neck.canvas.hu < -900) & (np.abs(neck.x) < 25) & (neck.y < 0)
    z = neck.z.ravel()
    assert air[:, :, (z > -150) & (z < 40)].any(axis=(0, 1)).all()
