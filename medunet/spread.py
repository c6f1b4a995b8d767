"""Mean, spread and percentiles of more values than fit the memory, in two passes over pieces of them.

Percentiles are exact for numbers that 32-bit floats hold: a first pass counts the upper half of their bits, a second
one the lower half of those among which a percentile lies.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

HALF = 1 << 16
Pieces = Callable[[], Iterable[npt.NDArray[np.generic]]]
"""Gives the values anew, some at a time."""


def describe_pieces(pieces: Pieces, percentiles: Sequence[float]) -> tuple[int, float, float, list[float]]:
    """Number, mean, standard deviation and percentiles of the finite values of pieces.

    Args:
        pieces: called twice.
        percentiles: from 0 to 100, interpolated linearly as numpy does.

    Returns:
        0 and NaN where there are no values.
    """
    count, mean, squares = 0, 0.0, 0.0
    upper = np.zeros(HALF, dtype=np.int64)
    for piece in pieces():
        known = piece[np.isfinite(piece)].astype(np.float64)
        if not len(known):
            continue
        upper += np.bincount(_order(known) >> 16, minlength=HALF)
        own, total = float(known.mean()), count + len(known)
        apart = own - mean
        squares += float(((known - own) ** 2).sum()) + apart**2 * count * len(known) / total
        mean += apart * len(known) / total
        count = total
    if not count:
        return 0, np.nan, np.nan, [np.nan] * len(percentiles)
    places = np.array(percentiles, dtype=np.float64) / 100 * (count - 1)
    lows = np.floor(places).astype(np.int64)
    ranks = np.unique(np.concatenate([lows, np.minimum(lows + 1, count - 1)]))
    values = dict(zip(ranks.tolist(), _find_ranks(pieces, ranks, upper), strict=True))
    found = []
    for place, low in zip(places.tolist(), lows.tolist(), strict=True):
        first, second = values[low], values[min(low + 1, count - 1)]
        found.append(first + (second - first) * (place - low))
    return count, mean, float(np.sqrt(squares / count)), found


def _order(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Whole numbers in the order of the values as 32-bit floats."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.int64)
    return np.where(bits >> 31 == 1, 0xFFFFFFFF - bits, bits + (1 << 31))


def _find_ranks(pieces: Pieces, ranks: npt.NDArray[np.int64], upper: npt.NDArray[np.int64]) -> list[float]:
    """The values of these ranks, from 0 on."""
    ends = np.cumsum(upper)
    bins = np.searchsorted(ends, ranks, side="right")
    lower = {int(one): np.zeros(HALF, dtype=np.int64) for one in bins}
    for piece in pieces():
        order = _order(piece[np.isfinite(piece)].astype(np.float64))
        for one in lower:
            lower[one] += np.bincount(order[order >> 16 == one] & (HALF - 1), minlength=HALF)
    found = []
    for rank, one in zip(ranks.tolist(), bins.tolist(), strict=True):
        within = rank - (int(ends[one - 1]) if one else 0)
        order = (one << 16) + int(np.searchsorted(np.cumsum(lower[one]), within, side="right"))
        bits = order - (1 << 31) if order >> 31 else 0xFFFFFFFF - order
        found.append(float(np.array(bits, dtype=np.uint32).view(np.float32)))
    return found
