"""How often the 95 % interval of a mean holds it: scores drawn from what is known, as skewed as those of segmentations.

    python workflows/claims/interval_coverage.py [--cohorts 2000] [--seed 0]

A line for each kind of scores and number of patients: the share of made-up cohorts whose interval holds the true mean,
for Student's t alone, the bootstrap's BCa alone, and what `medunet evaluate` prints, from the lowest bound of both to
the highest; last how wide that is. A share of 2000 cohorts is known to 0.01.
"""

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from medunet.evaluation.intervals import describe_values, find_bca, find_t

Values = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]
PATIENTS = (8, 20, 50)
TRUE_DRAWS = 4_000_000


def _miss(random: np.random.Generator, count: int, share: float) -> Values:
    """Good scores, but 0 where a patient is missed."""
    return np.where(random.random(count) < share, 0.0, random.beta(20, 4, count))


KINDS: dict[str, Draw] = {
    "normal, 0.80 ± 0.05": lambda random, count: random.normal(0.8, 0.05, count),
    "skewed, beta 8, 2": lambda random, count: random.beta(8, 2, count),
    "more skewed, beta 4, 1": lambda random, count: random.beta(4, 1, count),
    "a tail of bad ones, 1 - gamma 2": lambda random, count: np.clip(1 - random.gamma(2, 0.1, count), 0, 1),
    "three in ten bad": lambda random, count: np.where(
        random.random(count) < 0.3, random.beta(2, 5, count), random.beta(18, 3, count)
    ),
    "one in ten missed": lambda random, count: _miss(random, count, 0.1),
    "one in twenty missed": lambda random, count: _miss(random, count, 0.05),
}
"""How scores are drawn."""


def main() -> int:
    """Parse the command line, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=2000, help="that are drawn of each kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| scores | patients | t | BCa | both | width |\n|---|---|---|---|---|---|")
    for name, draw in KINDS.items():
        for patients in PATIENTS:
            shares = measure_coverage(draw, patients, arguments.cohorts, arguments.seed)
            print(f"| {name} | {patients} | {' | '.join(f'{share:.3f}' for share in shares)} |")
    return 0


def measure_coverage(draw: Draw, patients: int, cohorts: int, seed: int) -> tuple[float, float, float, float]:
    """Shares of cohorts whose interval holds the mean: t, BCa, what is printed; and how wide that is on average."""
    random = np.random.default_rng(seed)
    mean = float(draw(random, TRUE_DRAWS).mean())
    held, widths = np.zeros((cohorts, 3), dtype=np.bool_), []
    for number in range(cohorts):
        values = draw(random, patients)
        printed = describe_values(dict(zip(map(str, range(patients)), values, strict=True)), {}, (-9.0, 9.0))
        if printed is None or printed.low is None or printed.high is None:
            raise ValueError("all scores are alike")
        bounds = (find_t(values), find_bca(values), (printed.low, printed.high))
        held[number] = [low <= mean <= high for low, high in bounds]
        widths.append(printed.high - printed.low)
    t, bca, both = (float(share) for share in held.mean(axis=0))
    return t, bca, both, float(np.mean(widths))


if __name__ == "__main__":
    raise SystemExit(main())
