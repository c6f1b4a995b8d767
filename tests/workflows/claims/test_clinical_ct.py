import numpy as np
import pytest
from clinical_ct import EMPTY_HU, KINDS, Scan, find_outside, tell

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask


def make(forward: float = 4.0) -> Scan:
    """A cylinder of water in what was cut away, with an organ and a hole of air."""
    values = np.full((32, 32, 8), -1024, np.float32)
    x, y = np.meshgrid(np.arange(32), np.arange(32), indexing="ij")
    values[(x - 16) ** 2 + (y - 16) ** 2 < 80] = 20
    labels = np.zeros(values.shape, np.uint8)
    labels[12:18, 13:19, 2:6] = 1
    values[14, 14] = -1024
    affine = np.diag([4.0, forward, 3.0, 1.0])
    return values, labels, Grid((32, 32, 8), affine)


def centre(scan: Scan) -> np.ndarray:
    """Middle of the organ in the patient, and its volume."""
    _, labels, grid = scan
    mask = Mask("classes", labels, grid, LabelTable.from_names(["organ"]))
    places = np.argwhere(labels == 1).mean(axis=0)
    return np.append((grid.affine @ [*places, 1])[:3], 1000 * mask.volumes_ml()["organ"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("forward", [4.0, -4.0])
def test_labels_stay_where_they_are_in_the_patient(kind: str, forward: float) -> None:
    scan = make(forward)
    made = KINDS[kind](scan, np.random.default_rng(0))
    assert made[0].shape == made[1].shape == made[2].shape
    assert np.allclose(centre(made), centre(scan), atol=1e-3)
    inside = made[1] == 1
    # Of the organ alone, whose voxels hold water and a hole.
    assert abs(np.median(made[0][inside]) - 20) < 10
    again = KINDS[kind](scan, np.random.default_rng(0))
    assert np.array_equal(made[0], again[0])


def test_a_couch_lies_behind_the_body_and_holes_stay_empty() -> None:
    for forward in (4.0, -4.0):
        scan = make(forward)
        values, _, grid = KINDS["couch, mask, noise in the air"](scan, np.random.default_rng(0))
        assert (values[14, 14] <= EMPTY_HU).all()
        assert find_outside(values).mean() < 0.1 < find_outside(scan[0]).mean()
        behind = [(grid.affine @ [*place, 1])[1] for place in np.argwhere(values == -250)]
        body = [(grid.affine @ [*place, 1])[1] for place in np.argwhere(scan[0] == 20)]
        assert behind
        assert max(behind) < min(body)


def test_losses_and_words_are_counted() -> None:
    plain = {"dice": {"organ": 0.9}, "trust": {"organ": "as trained"}}
    worse = {"dice": {"organ": 0.5}, "trust": {"organ": "look"}}
    text = "\n".join(tell({"as it is": [plain, plain], "couch": [plain, worse]}))
    assert "| couch | 0.700 | 0.700 | 0.200 |" in text
    assert "| couch | 2 | 1 | 1 | 0 | 1, 1 |" in text
