"""Combines two faults in one scan, and draws such pairs by chance."""

from collections.abc import Sequence

import numpy as np

from medunet.testing.faults.catalogue import (
    BITS,
    EXACT,
    FAULTS,
    FRAMES,
    GEOMETRY,
    LOSSY,
    RECORDED,
    REFUSED,
    VALUES,
    Fault,
)
from medunet.testing.faults.edits import combine


def combine_faults(first: Fault, second: Fault) -> Fault:
    """Make one fault of two.

    Args:
        first: a fault.
        second: another one; that of the lower stage is made first.

    Returns:
        A fault that is expected to come to the worse of what either comes to, which is too strict where one undoes
        the other: then all that holds is that it is never read wrong without a word.
    """
    pair = sorted((first, second), key=lambda fault: fault.stage)
    worst = max((fault.expected for fault in pair), key=(EXACT, RECORDED, REFUSED).index)
    return Fault(
        code=f"{pair[0].code}+{pair[1].code}",
        name=f"{pair[0].name}; {pair[1].name}",
        edit=combine(pair[0].edit, pair[1].edit),
        expected=worst,
        stage=pair[1].stage,
        tolerance=max(fault.tolerance for fault in pair),
    )


def draw_pairs(count: int, seed: int = 0, faults: Sequence[Fault] = FAULTS) -> list[Fault]:
    """Draw different pairs of faults, of which neither replaces the other.

    Args:
        count: how many.
        seed: of the choice; equal ones give equal pairs.
        faults: to choose from.
    """
    rng = np.random.default_rng(seed)
    pairs: dict[str, Fault] = {}
    while len(pairs) < count:
        first, second = (faults[int(n)] for n in rng.choice(len(faults), 2, replace=False))
        if _fit(first, second):
            pair = combine_faults(first, second)
            pairs[pair.code] = pair
    return list(pairs.values())


def _fit(first: Fault, second: Fault) -> bool:
    both = {first, second}
    stages = sorted(fault.stage for fault in both)
    if "00" in (first.code, second.code) or (stages[0] >= 3 and stages != [4, 5]):
        return False  # nothing to combine, or two ways of coding
    if both & {*FRAMES, *LOSSY}:
        # One object keeps no tags of single slices but those of geometry, and a loss grows with the slope.
        return bool(both & {*GEOMETRY})
    return not both <= {*VALUES, *BITS}  # which compute the stored numbers anew
