"""Lesion counts: which connected components of the truth were found, and which predicted ones are false.

A *lesion* is a component of the truth in the 26-neighbourhood. It is *found* when the prediction covers at least
a tenth of its voxels, else *missed*. A predicted component is *falsely found* when it shares no voxel with any
lesion; one that touches a lesion without covering enough of it is neither. Nothing is too small to count.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medunet.parts import CONNECTED, Voxels, find_extent

FOUND_SHARE = 0.1
"""Share of a lesion's voxels that the prediction must cover."""


@dataclass(frozen=True, slots=True)
class LesionScore:
    """Lesions of one label in one case.

    Attributes:
        found: lesions of the truth that the prediction covers sufficiently.
        missed: the other lesions of the truth.
        false_found: predicted components that overlap no lesion.
        false_voxels: voxels of these components together.
    """

    found: int
    missed: int
    false_found: int
    false_voxels: int


def count_lesions(predicted: Voxels, truth: Voxels, found_share: float = FOUND_SHARE) -> LesionScore:
    """Count lesions that were found, missed and falsely found.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        found_share: share of a lesion's voxels, above 0, from which on it is found.
    """
    box = find_extent(predicted, truth)
    if box is None:
        return LesionScore(0, 0, 0, 0)
    predicted, truth = predicted[box], truth[box]
    lesions, lesion_count = ndimage.label(truth, CONNECTED)
    parts, part_count = ndimage.label(predicted, CONNECTED)
    sizes = np.bincount(lesions.ravel(), minlength=lesion_count + 1)[1:]
    covered = np.bincount(lesions[predicted], minlength=lesion_count + 1)[1:]
    found = int(np.count_nonzero(covered >= found_share * sizes))
    part_sizes = np.bincount(parts.ravel(), minlength=part_count + 1)[1:]
    false = np.bincount(parts[truth], minlength=part_count + 1)[1:] == 0
    return LesionScore(found, lesion_count - found, int(np.count_nonzero(false)), int(part_sizes[false].sum()))
