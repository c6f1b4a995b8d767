"""What is drawn around a body that was cut out of its CT."""

from typing import Any

import numpy as np
import pytest
import torch

from medunet.preparation import surroundings
from medunet.preparation.surroundings import RandSurroundingsd

LOW, HIGH, MEAN, SD = -950.0, 1200.0, 20.0, 250.0
SHAPE = (48, 40, 24)
CLEAR = -650
"""HU above which nothing is noise."""


def make(**options: Any) -> RandSurroundingsd:
    given = {"channel": 1, "scale": (LOW, HIGH, MEAN, SD), "spacing_mm": (4.0, 4.0, 3.0), "prob": 1.0}
    return RandSurroundingsd(["image"], **{**given, **options})


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """HU of a cylinder with a windpipe, which ends at the faces above and below, on empty air."""
    x, y, _ = np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij")
    hu = np.full(SHAPE, -1024.0)
    hu[(x - 24) ** 2 + (y - 22) ** 2 < 10**2] = 40
    hu[(x - 24) ** 2 + (y - 26) ** 2 < 3**2] = -1000
    return hu


def run(step: RandSurroundingsd, hu: np.ndarray, seed: int = 0) -> np.ndarray:
    """HU of a patch with two inputs of the network, the second of which is the CT."""
    image = torch.from_numpy(((np.clip(hu, LOW, HIGH) - MEAN) / SD).astype(np.float32))
    given = torch.stack([torch.full(SHAPE, 7.0), image])
    before = given.clone()
    out = step.set_random_state(seed)({"image": given})["image"]
    assert torch.equal(given, before)
    assert (out[0] == 7).all()
    return out[1].numpy() * SD + MEAN


def find_air(hu: np.ndarray) -> np.ndarray:
    return hu == -1024


@pytest.mark.parametrize("seed", range(12))
def test_the_body_and_its_windpipe_stay(body: np.ndarray, seed: int) -> None:
    drawn, air = run(make(), body, seed), find_air(body)
    np.testing.assert_allclose(drawn[~air], np.clip(body, LOW, HIGH)[~air], atol=1e-3)
    assert drawn.min() >= LOW - 1e-3
    assert drawn.max() <= HIGH + 1e-3


def test_much_is_drawn_and_each_seed_draws_its_own(body: np.ndarray) -> None:
    drawn = [run(make(), body, seed) for seed in range(30)]
    air = find_air(body)
    assert sum(bool((item[air] > -700).any()) for item in drawn) > 20
    assert all(np.array_equal(run(make(), body, seed), drawn[seed]) for seed in range(3))
    assert len({item.tobytes() for item in drawn}) == 30


@pytest.mark.parametrize("axes", ["RAS", "RPS", "ARS"])
def test_a_couch_lies_behind_the_body(body: np.ndarray, monkeypatch: pytest.MonkeyPatch, axes: str) -> None:
    for name, share in {"COUCH": 1.0, "SHEET": 0.0, "THINGS": 0.0}.items():
        monkeypatch.setattr(surroundings, name, share)
    turned = body.transpose(1, 0, 2) if axes == "ARS" else body
    others = (1, 2) if axes == "ARS" else (0, 2)
    inside = np.flatnonzero((turned > 0).any(axis=others))
    given = torch.from_numpy(((np.clip(turned, LOW, HIGH) - MEAN) / SD).astype(np.float32)).repeat(2, 1, 1, 1)
    found = 0
    for seed in range(10):
        made = make(axes=axes).set_random_state(seed)({"image": given})["image"][1].numpy() * SD + MEAN
        places = np.flatnonzero(((made > CLEAR) & find_air(turned)).any(axis=others))
        # Hollow ones hold the body: their rims lie up to its middle.
        middle = (inside[0] + inside[-1]) / 2
        assert all(places >= middle - 1) if axes == "RPS" else all(places <= middle + 1), (seed, places, inside)
        found += len(places) > 0
    assert found >= 6


def test_a_sheet_lies_at_the_body(body: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, share in {"COUCH": 0.0, "SHEET": 1.0, "THINGS": 0.0}.items():
        monkeypatch.setattr(surroundings, name, share)
    x, y, _ = np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij")
    away = 4.0 * (np.hypot(x - 24, y - 22) - 10)
    found = []
    for seed in range(10):
        drawn = (run(make(), body, seed) > CLEAR) & find_air(body)
        found.append(int(drawn.sum()))
        assert not drawn.any() or away[drawn].max() < 12 + 5 + 8
    assert sum(count > 50 for count in found) >= 5


def test_what_has_no_air_around_it_stays() -> None:
    tissue = np.full(SHAPE, 40.0)
    np.testing.assert_array_equal(run(make(), tissue), run(make(prob=0.0), tissue))
    empty = np.full(SHAPE, -1024.0)
    np.testing.assert_array_equal(run(make(), empty), run(make(prob=0.0), empty))
    assert make(prob=0.0).prob == 0
