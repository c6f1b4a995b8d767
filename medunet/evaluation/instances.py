"""Average precision of objects: which of the truth are matched by a predicted one, at several degrees of overlap.

A predicted object *matches* one of the truth where their intersection over union (IoU) is above a threshold of at
least 0.5, so that no object has two matches. At a threshold the precision is TP / (TP + FP + FN): matched pairs over
these and all objects left alone on either side. The average is over the thresholds 0.50, 0.55, … 0.95, of a cohort
then over its images, as in the 2018 Data Science Bowl (Caicedo et al. 2019, doi 10.1038/s41592-019-0612-7).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
ROUNDING = 1e-9
"""An IoU of exactly the threshold is not above it, whatever the rounding."""

Numbers = npt.NDArray[np.unsignedinteger]
"""One number an object, 0 outside of them, (I, J, K)."""


@dataclass(frozen=True, slots=True)
class InstanceScore:
    """Objects of one case.

    Attributes:
        precision: average over the thresholds; None where neither truth nor prediction holds an object.
        precisions: at each threshold, or none.
        found: objects of the truth that are matched at an IoU of 0.5.
        missed: the other objects of the truth.
        false_found: predicted objects that match none.
        false_voxels: voxels of these together.
    """

    precision: float | None
    precisions: tuple[float, ...]
    found: int
    missed: int
    false_found: int
    false_voxels: int


def match_objects(predicted: Numbers, truth: Numbers) -> InstanceScore:
    """Match objects by their overlap; time and memory follow the voxels and the pairs that overlap.

    Args:
        predicted: (I, J, K), one number an object, 0 outside of them.
        truth: likewise.
    """
    (theirs, sizes), (ours, true_sizes) = _count(predicted), _count(truth)
    guess, ious = _overlap(theirs, sizes, ours, true_sizes)
    guesses, objects = len(sizes) - 1, len(true_sizes) - 1
    precisions: tuple[float, ...] = ()
    if guesses + objects:
        pairs = [int(np.count_nonzero(ious > threshold + ROUNDING)) for threshold in THRESHOLDS]
        precisions = tuple(count / (guesses + objects - count) for count in pairs)
    matched = ious > THRESHOLDS[0] + ROUNDING
    alone = np.ones(len(sizes), dtype=np.bool_)
    alone[0] = False
    alone[guess[matched]] = False
    found = int(np.count_nonzero(matched))
    return InstanceScore(
        precision=float(np.mean(precisions)) if precisions else None,
        precisions=precisions,
        found=found,
        missed=objects - found,
        false_found=int(np.count_nonzero(alone)),
        false_voxels=int(sizes[alone].sum()),
    )


def _count(numbers: Numbers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers without a gap, flat, and the voxels of each; 0 stays 0."""
    flat = np.append(numbers.ravel().astype(np.int64), 0)  # so that there is a 0
    _, compact = np.unique(flat, return_inverse=True)
    compact = compact[:-1]
    return compact, np.bincount(compact, minlength=int(compact.max(initial=0)) + 1)


def _overlap(
    theirs: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    ours: npt.NDArray[np.int64],
    true_sizes: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pairs of objects that overlap: the predicted one and their IoU."""
    both = (theirs > 0) & (ours > 0)
    pairs, common = np.unique(ours[both] * len(sizes) + theirs[both], return_counts=True)
    true, guess = np.divmod(pairs, len(sizes))
    return guess, common / (sizes[guess] + true_sizes[true] - common)
