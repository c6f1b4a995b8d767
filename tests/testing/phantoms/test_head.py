import numpy as np
import pytest

from medunet.testing.phantoms.canvas import Canvas, Tissue
from medunet.testing.phantoms.head import CORTEX_HU, MARROW_HU, paint_head
from medunet.testing.phantoms.neck import paint_body
from medunet.testing.phantoms.sketch import LABELS, Sketch


@pytest.fixture(scope="module")
def sketch() -> Sketch:
    canvas = Canvas((72, 84, 64), (2.5, 2.5, 2.5), np.random.default_rng(1))
    drawn = Sketch(canvas, (0.0, -50.0, -40.0))
    paint_body(drawn)
    paint_head(drawn)
    return drawn


def measure(sketch: Sketch, name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Least and greatest x, y, z and mL of a structure."""
    i, j, k = np.nonzero(sketch.labels == LABELS[name])
    places = np.stack([sketch.x.ravel()[i], sketch.y.ravel()[j], sketch.z.ravel()[k]])
    return places.min(axis=1), places.max(axis=1), len(i) * float(sketch.canvas.spacing.prod()) / 1000


def test_the_mandible_is_a_horseshoe_as_large_as_those_of_the_cohort(sketch: Sketch) -> None:
    low, high, volume = measure(sketch, "Mandible")
    assert low == pytest.approx([-57, -52, -26], abs=15)
    assert high == pytest.approx([58, 40, 43], abs=6)
    assert 45 < volume < 85
    behind = (sketch.labels == LABELS["Mandible"]) & (sketch.y < 0)
    assert not (behind & (np.abs(sketch.x) < 28)).any(), "it is open to the back"


def test_the_mandible_has_a_cortex_and_marrow(sketch: Sketch) -> None:
    found = set(np.unique(sketch.canvas.hu[sketch.labels == LABELS["Mandible"]]))
    assert {CORTEX_HU, MARROW_HU} <= found


def test_the_brainstem_lies_in_the_skull(sketch: Sketch) -> None:
    low, high, volume = measure(sketch, "Brainstem")
    assert low == pytest.approx([-14, -87, 21], abs=5)
    assert high == pytest.approx([16, -60, 73], abs=6)
    assert 12 < volume < 33
    bone = sketch.canvas.tissue == Tissue.BONE
    vault = sketch.z.ravel() > 85
    for k in np.flatnonzero(vault)[:3]:
        row = bone[:, np.abs(sketch.y.ravel() + 60).argmin(), k]
        assert row.any(), "the skull is closed"
        assert not row[len(row) // 2], "and hollow"


def test_teeth_are_brighter_than_bone_and_not_of_the_mandible(sketch: Sketch) -> None:
    teeth = sketch.canvas.hu > 1800
    assert teeth.any()
    assert not (teeth & (sketch.labels > 0)).any()


def test_nose_and_sinuses_are_full_of_air(sketch: Sketch) -> None:
    places = zip((sketch.x, sketch.y, sketch.z), (26, 14, 46), strict=True)
    i, j, k = (int(np.abs(axis.ravel() - place).argmin()) for axis, place in places)
    assert sketch.canvas.hu[i, j, k] < -900
