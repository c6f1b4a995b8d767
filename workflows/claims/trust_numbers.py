"""How well a number tells bad masks from good ones, and how sure that is with few cases."""

import numpy as np
import numpy.typing as npt

SAMPLES = 2000
"""Bootstrap samples of an interval."""


def measure_auroc(values: npt.ArrayLike, bad: npt.ArrayLike) -> float:
    """Share of the pairs of a bad and a good case in which the bad one has the lower value; ties count half.

    Args:
        values: of each case.
        bad: whether it is one that should have a low value; NaN comes out where all or none are.
    """
    every, is_bad = np.asarray(values, float), np.asarray(bad, bool)
    low, high = every[is_bad], every[~is_bad]
    if not len(low) or not len(high):
        return float("nan")
    lower, equal = low[:, None] < high[None], low[:, None] == high[None]
    return float(lower.mean() + equal.mean() / 2)


def find_interval(values: npt.ArrayLike, bad: npt.ArrayLike, seed: int = 0) -> tuple[float, float]:
    """95 % interval of `measure_auroc` by the percentiles of samples of cases with replacement."""
    every, is_bad = np.asarray(values, float), np.asarray(bad, bool)
    rng, count = np.random.default_rng(seed), len(every)
    samples = (rng.integers(0, count, count) for _ in range(SAMPLES))
    found = [measure_auroc(every[own], is_bad[own]) for own in samples]
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return float(low), float(high)
