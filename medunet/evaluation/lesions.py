"""Lesion counts: which connected components of the truth were found, and which predicted ones are false.

A *lesion* is a component of the truth in the 26-neighbourhood. It is *found* when the prediction covers at least
a tenth of its voxels, else *missed*. A predicted component is *falsely found* when it shares no voxel with any
lesion; one that touches a lesion without covering enough of it is neither. Nothing is too small to count.

So one predicted component over two lesions finds both, several fragments within one lesion find it once, and found and
missed lesions are all there are. Nothing depends on numbers of components or on the direction of axes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.parts import CONNECTED, Voxels, find_extent

FOUND_SHARE = 0.1
"""Share of a lesion's voxels that the prediction must cover."""


@dataclass(frozen=True, slots=True)
class LesionScore:
    """Lesions of one label in one case, by their voxels, in ascending order.

    Attributes:
        found_sizes: of lesions of the truth that the prediction covers sufficiently.
        missed_sizes: of the other lesions of the truth.
        false_sizes: of predicted components that overlap no lesion.
    """

    found_sizes: tuple[int, ...] = ()
    missed_sizes: tuple[int, ...] = ()
    false_sizes: tuple[int, ...] = ()

    @property
    def found(self) -> int:
        """How many were found."""
        return len(self.found_sizes)

    @property
    def missed(self) -> int:
        """How many were missed."""
        return len(self.missed_sizes)

    @property
    def false_found(self) -> int:
        """How many were falsely found."""
        return len(self.false_sizes)

    @property
    def false_voxels(self) -> int:
        """Voxels of these together."""
        return sum(self.false_sizes)


def count_lesions(predicted: Voxels, truth: Voxels, found_share: float = FOUND_SHARE) -> LesionScore:
    """Count lesions that were found, missed and falsely found.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.
        found_share: share of a lesion's voxels, above 0, from which on it is found.
    """
    box = find_extent(predicted, truth)
    if box is None:
        return LesionScore()
    predicted, truth = predicted[box], truth[box]
    _, sizes, found = find_lesions(predicted, truth, found_share)
    sizes, found = sizes[1:], found[1:]
    parts, part_count = ndimage.label(predicted, CONNECTED)
    part_sizes = np.bincount(parts.ravel(), minlength=part_count + 1)[1:]
    false = np.bincount(parts[truth], minlength=part_count + 1)[1:] == 0
    return LesionScore(list_sizes(sizes[found]), list_sizes(sizes[~found]), list_sizes(part_sizes[false]))


def find_lesions(
    predicted: Voxels, truth: Voxels, found_share: float = FOUND_SHARE
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer], npt.NDArray[np.bool_]]:
    """Number the lesions of a truth from 1 on (I, J, K); voxels of each number, and whether it was found, 0 never.

    Arguments as of `count_lesions`.
    """
    lesions, count = ndimage.label(truth, CONNECTED)
    sizes = np.bincount(lesions.ravel(), minlength=count + 1)
    found = np.bincount(lesions[predicted], minlength=count + 1) >= found_share * sizes
    found[0] = False
    return lesions, sizes, found


def list_sizes(sizes: npt.NDArray[np.integer]) -> tuple[int, ...]:
    """Sizes in ascending order."""
    return tuple(int(size) for size in np.sort(sizes))


def find_f1(found: int, missed: int, false_found: int) -> float | None:
    """F1 of lesions or objects, 2 found / (2 found + missed + falsely found); None where there are none at all."""
    every = 2 * found + missed + false_found
    return 2 * found / every if every else None
