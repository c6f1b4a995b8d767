import numpy as np
import pytest
from scipy import stats

from medunet.evaluation.intervals import (
    MANY,
    Distribution,
    describe_values,
    find_bca,
    find_share_interval,
    find_t,
    is_short,
)


def describe(values: np.ndarray, patients: dict[str, str] | None = None, high: float = 1.0) -> Distribution | None:
    return describe_values(dict(zip(map(str, range(len(values))), values, strict=True)), patients or {}, (0.0, high))


@pytest.mark.parametrize("count", [10, 20, 60])
def test_both_bounds_are_those_of_others(count: int) -> None:
    values = np.random.default_rng(count).beta(6, 2, count)
    expected = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert find_t(values) == pytest.approx(expected)
    theirs = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=20000, rng=1).confidence_interval
    assert find_bca(values, draws=20000) == pytest.approx(tuple(theirs), abs=0.02 * float(np.ptp(values)))
    found = describe(values)
    assert found.low == min(expected[0], find_bca(values)[0])
    assert found.high == min(1, max(expected[1], find_bca(values)[1]))
    assert found.method == "t and BCa"
    assert (found.median, found.mean) == (pytest.approx(np.median(values)), pytest.approx(values.mean()))
    assert found.lower_quartile <= found.median <= found.upper_quartile


def test_cases_of_a_patient_count_once() -> None:
    found = describe(np.array([0.2, 0.4, 0.9]), {"0": "a", "1": "a", "2": "b"})
    assert (found.patients, found.mean) == (2, pytest.approx(0.6))


def test_many_patients_need_no_bootstrap() -> None:
    values = np.random.default_rng(0).beta(6, 2, MANY)
    assert describe(values).method == "t"
    assert (describe(values).low, describe(values).high) == pytest.approx(find_t(values))


def test_one_patient_or_one_value_has_no_interval() -> None:
    for values in (np.array([0.5]), np.array([1.0, 1.0, 1.0])):
        found = describe(values)
        assert (found.low, found.high, found.method) == (None, None, "none")
        assert not is_short([found])
    assert describe(np.array([])) is None


def test_bounds_stay_within_what_a_measure_can_be() -> None:
    found = describe(np.array([1.0, 0.99, 1.0, 0.6]))
    assert found.high == 1
    assert describe(np.array([0.0, 0.0, 30.0]), high=np.inf).low == 0
    assert is_short([found])


def test_the_same_scores_have_the_same_interval() -> None:
    values = np.random.default_rng(0).beta(6, 2, 12)
    assert describe(values) == describe(values)


@pytest.mark.parametrize(("patients", "least"), [(20, 0.91), (50, 0.92)])
def test_skewed_scores_are_covered(patients: int, least: float) -> None:
    """Of 400 cohorts, whose share is known to 0.011; the workflow has more of them and more kinds."""
    random, mean = np.random.default_rng(4), 0.8
    found = [describe(random.beta(4, 1, patients)) for _ in range(400)]
    assert np.mean([item.low <= mean <= item.high for item in found]) >= least


def test_shares_by_wilson() -> None:
    # Of 5 in 50: 4.3 % to 21.4 %.
    assert find_share_interval(5, 50) == pytest.approx((0.0435, 0.2136), abs=1e-3)
    assert find_share_interval(0, 38)[1] == pytest.approx(0.0918, abs=1e-3)
