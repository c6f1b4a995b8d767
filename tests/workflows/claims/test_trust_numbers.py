import numpy as np
from trust_numbers import find_interval, measure_auroc


def test_auroc_counts_pairs() -> None:
    assert measure_auroc([0.1, 0.9, 0.2, 0.8], [True, False, True, False]) == 1.0
    assert measure_auroc([0.1, 0.1, 0.5], [True, False, False]) == 0.75
    assert np.isnan(measure_auroc([0.1, 0.2], [False, False]))


def test_intervals_hold_their_value_and_narrow_with_cases() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (20, 200):
        bad = np.arange(count) % 4 == 0
        values = rng.normal(0, 1, count) - 0.5 * bad
        low, high = find_interval(values, bad)
        assert low < measure_auroc(values, bad) < high
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]
