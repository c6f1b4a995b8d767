"""Labels that lie like mirror images of each other on both sides of the midline, whatever they are called."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from medunet.cohort.facts import CaseFacts
from medunet.sides import Sides

LEAST = 5
"""Cases that must hold both labels."""
ALWAYS = 0.95
"""Part of them in which the same one must lie on the left."""
ALONG = 0.25
"""Most that the two may lie apart from back to front or from foot to head, of what they do from left to right."""
LARGER = 1.5
"""Most that the median of one volume may be of the other."""


def find_opposite(cases: Sequence[CaseFacts]) -> Sides:
    """Pairs of labels, the left one first, that only their side tells apart; none of pictures, which have no midline.

    Args:
        cases: what was measured of them.
    """
    volumes = [case for case in cases if case.labels and next(iter(case.images.values())).unit == "mm"]
    names = dict.fromkeys(name for case in volumes for name in case.labels or {})
    return tuple(pair for one, other in combinations(names, 2) for pair in _order(volumes, one, other))


def _order(cases: Sequence[CaseFacts], one: str, other: str) -> Iterator[tuple[str, str]]:
    """The two with the left one first, if they are a pair."""
    both = [(case, labels) for case in cases if one in (labels := case.labels or {}) and other in labels]
    if len(both) < LEAST:
        return
    centres = np.array([[labels[name].centre for name in (one, other)] for _, labels in both])
    images = [next(iter(case.images.values())) for case, _ in both]
    apart = (centres[:, 1] - centres[:, 0]) / 2 * [np.multiply(image.shape, image.spacing) for image in images]
    x, y, z = np.median(np.abs(apart), axis=0)
    sizes = np.median([[labels[one].voxels, labels[other].voxels] for _, labels in both], axis=0)
    right = apart[:, 0] > 0
    opposite = np.prod(centres[:, :, 0], axis=1) < 0
    alike = max(y, z) <= ALONG * x and sizes.max() <= LARGER * sizes.min()
    if alike and opposite.mean() >= ALWAYS and max(right.mean(), 1 - right.mean()) >= ALWAYS:
        # RAS: the right of the patient has the higher x.
        yield (one, other) if right.mean() > 0.5 else (other, one)
