import numpy as np
import pytest

from medunet.testing.phantoms.anatomy import BODY, Body, paint_anatomy
from medunet.testing.phantoms.canvas import Canvas, Tissue


def paint(seed: int, shape: tuple[int, int, int] = (112, 88, 44)) -> Canvas:
    canvas = Canvas(shape, (358 / shape[0], 282 / shape[1], 220 / shape[2]), np.random.default_rng(seed))
    paint_anatomy(canvas)
    return canvas


@pytest.fixture(scope="module")
def canvas() -> Canvas:
    return paint(2)


def find_middle(canvas: Canvas, tissue: Tissue) -> np.ndarray:
    """Mean position x, y, z in mm."""
    found = np.nonzero(canvas.tissue == tissue)
    return np.array([axis[n].mean() for axis, n in zip(canvas.axes, found, strict=True)])


@pytest.mark.parametrize("seed", range(3))
def test_all_tissues_but_lesions_are_shown(seed: int) -> None:
    painted = paint(seed)
    assert set(np.unique(painted.tissue)) == {int(tissue) for tissue in Tissue} - {Tissue.LESION}


def test_tissues_have_the_numbers_of_a_ct(canvas: Canvas) -> None:
    expected = {"AIR": -1000, "FAT": -105, "WALL": 55, "LUNG": -850, "LIVER": 60, "MUSCLE": 56, "CAVITY": -95}
    for name, hu in expected.items():
        assert np.median(canvas.hu[canvas.tissue == Tissue[name]]) == pytest.approx(hu, abs=12), name
    assert 130 < np.median(canvas.hu[canvas.tissue == Tissue.VESSEL]) < 210
    assert canvas.hu[canvas.tissue == Tissue.BONE].max() > 400


def test_organs_lie_where_those_of_a_patient_do(canvas: Canvas) -> None:
    """X runs to the left, y to the back, z to the head."""
    liver, lung, bone, table = (find_middle(canvas, Tissue[name]) for name in ("LIVER", "LUNG", "BONE", "TABLE"))
    assert liver[0] < -30
    assert lung[2] > liver[2] + 40
    assert bone[1] > liver[1]
    assert table[1] > bone[1]
    lungs = canvas.axes[0][np.nonzero(canvas.tissue == Tissue.LUNG)[0]]
    assert (lungs < -30).any()
    assert (lungs > 30).any()


@pytest.mark.parametrize("shape", [(32, 28, 12), (48, 40, 20), (112, 88, 44)])
def test_the_body_fits_its_field_of_view(shape: tuple[int, int, int]) -> None:
    for seed in range(3):
        inside = np.isin(paint(seed, shape).tissue, BODY)
        assert 0.3 < inside.mean() < 0.8
        assert not inside[[0, -1]].any()
        assert not inside[:, [0, -1]].any()


def test_places_and_radii_are_fractions_of_a_body() -> None:
    body = Body(half_width=165.0, half_depth=115.0, centre_y=-10.0, dome=20.0, stretch=0.5)
    assert body.place(0, 0, 0) == (0.0, -10.0, 20.0)
    assert body.place(1, -1, -40) == (165.0, -125.0, 0.0)
    assert body.scale(10, 20, 30) == (10.0, 20.0, 15.0)
