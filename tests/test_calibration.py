import numpy as np
import pytest
from scipy.special import expit, softmax

from medunet.calibration import CaseDrawn, Drawn, Part, Scale, calibrate, fit_temperature, measure_curve

CLASSES = Scale({"a": (1,), "b": (2,)}, exclusive=True)
REGIONS = Scale({"whole": (0,), "core": (1,)}, exclusive=False)
OBJECTS = Scale({"nucleus": (1, 2)}, exclusive=True)


def draw_classes(temperature: float, count: int, seed: int, group: int = 0) -> CaseDrawn:
    """Classes drawn by the softmax of logits, and these logits times a temperature: so it is the one to be found."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (3, count))
    likely = softmax(logits, axis=0)
    true = (random.random(count) > likely.cumsum(axis=0)).sum(axis=0)
    drawn = Drawn((temperature * logits).astype(np.float32), np.stack([true == 1, true == 2]))
    return CaseDrawn(group, drawn, ())


def draw_regions(temperature: float, count: int, seed: int) -> CaseDrawn:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (2, count))
    truth = random.random((2, count)) < expit(logits)
    return CaseDrawn(0, Drawn((temperature * logits).astype(np.float32), truth), ())


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_is_the_one_that_logits_were_multiplied_by(temperature: float) -> None:
    classes = [draw_classes(temperature, 20_000, seed) for seed in range(3)]
    assert fit_temperature(classes, CLASSES) == pytest.approx(temperature, rel=0.03)
    regions = [draw_regions(temperature, 20_000, seed) for seed in range(3)]
    assert fit_temperature(regions, REGIONS) == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_has_a_smaller_loss() -> None:
    cases = [draw_classes(1.7, 2000, seed) for seed in range(2)]
    best = fit_temperature(cases, CLASSES)

    def measure(temperature: float) -> float:
        return float(np.mean([CLASSES.find_losses(case.voxels, temperature).mean() for case in cases]))

    assert all(measure(best) <= measure(other) + 1e-9 for other in np.geomspace(0.1, 10, 200))


def test_losses_are_those_of_the_probability_of_what_is_true() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (3, 50)).astype(np.float32)
    true = np.arange(50) % 3
    likely = softmax(logits.astype(np.float64) / 2, axis=0)
    losses = CLASSES.find_losses(Drawn(logits, np.stack([true == 1, true == 2])), 2)
    assert losses == pytest.approx(-np.log(likely[true, np.arange(50)]))
    # Interior and border of objects are one structure: what counts is that it is one of both.
    inside = OBJECTS.find_losses(Drawn(logits, np.ones((1, 50), bool)), 2)
    assert inside == pytest.approx(-np.log(likely[1] + likely[2]))
    outside = OBJECTS.find_losses(Drawn(logits, np.zeros((1, 50), bool)), 2)
    assert outside == pytest.approx(-np.log(likely[0]))
    assert OBJECTS.find_probabilities(logits, 2)[0] == pytest.approx(likely[1] + likely[2])
    assert REGIONS.find_probabilities(logits[:2], 2) == pytest.approx(expit(logits[:2].astype(np.float64) / 2))


def test_logits_that_are_sure_have_losses_that_are_numbers() -> None:
    logits = np.array([[-900.0, 900.0], [900.0, -900.0], [0.0, 0.0]], np.float32)
    drawn = Drawn(logits, np.array([[False, True], [False, False]]))
    assert CLASSES.find_losses(drawn, 1) == pytest.approx([1800, 1800])
    regions = REGIONS.find_losses(Drawn(logits[:2], np.array([[True, True], [False, False]])), 1)
    assert regions == pytest.approx([1800, 0])


def test_a_mask_is_the_same_by_any_temperature() -> None:
    logits = np.random.default_rng(1).normal(0, 4, (2, 5000)).astype(np.float32)
    scale = Scale({"a": (1,)}, exclusive=True)
    for temperature in (0.3, 1.4, 6.0):
        assert ((scale.find_probabilities(logits, temperature)[0] > 0.5) == (logits[1] > logits[0])).all()
        assert ((REGIONS.find_probabilities(logits, temperature) > 0.5) == (logits > 0)).all()


def test_the_error_is_that_of_a_known_curve() -> None:
    likely = np.array([0.05] * 20 + [0.95] * 10 + [1.0] * 10)
    true = np.array([True] * 4 + [False] * 16 + [True] * 8 + [False] * 2 + [True] * 5 + [False] * 5)
    curve = measure_curve(likely, true)
    assert curve.count == 40
    assert [(item.count, item.share) for item in curve.bins] == [(20, 0.2), (20, 0.65)]
    assert [item.probability for item in curve.bins] == pytest.approx([0.05, 0.975])
    assert curve.ece == pytest.approx((20 * 0.15 + 20 * 0.325) / 40)
    assert measure_curve(np.array([]), np.array([], bool)).ece is None


def test_what_a_temperature_does_is_measured_on_cases_that_it_was_not_fitted_on() -> None:
    cases = [draw_classes(2.0, 4000, seed, group=seed % 2) for seed in range(4)]
    record = calibrate(cases, CLASSES, ["b", "a"])
    assert record.weights == ("a", "b")
    assert (record.cases, record.voxels, len(record.others)) == (4, 16_000, 2)
    for group, found in enumerate(record.others):
        assert found == fit_temperature([case for case in cases if case.group != group], CLASSES)
    assert record.likelihood_after < record.likelihood_before
    for item in record.structures.values():
        assert (item.voxels_after.ece or 1) < 0.02
        assert (item.voxels_before.ece or 0) > 0.06
        assert item.lesions_before.ece is None
    assert calibrate(cases[:1], CLASSES, ["a"]).others == (fit_temperature(cases[:1], CLASSES),)
    assert "4 held-out cases" in record.describe()


def test_a_part_has_the_mean_probability_of_its_voxels() -> None:
    sure, unsure = np.array([[0.0, 0.0], [8.0, 8.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 3.0], [0.0, 0.0]])
    parts = (Part("a", True, sure.astype(np.float32)), Part("a", False, unsure.astype(np.float32)))
    drawn = draw_classes(1.0, 100, 0)
    record = calibrate([CaseDrawn(0, drawn.voxels, parts)], CLASSES, ["w"])
    curve = record.structures["a"].lesions_before
    assert [(item.count, item.share) for item in curve.bins] == [(1, 0.0), (1, 1.0)]
    assert curve.bins[0].probability == pytest.approx(softmax(unsure, axis=0)[1].mean(), abs=1e-4)
    assert record.structures["b"].lesions_before.count == 0
