"""Average precision and panoptic quality of objects: which of the truth are matched by a predicted one.

A predicted object *matches* one of the truth where their intersection over union (IoU) is above a threshold of at
least 0.5, so that no object has two matches. At a threshold the precision is TP / (TP + FP + FN): matched pairs over
these and all objects left alone on either side. The average is over the thresholds 0.50, 0.55, … 0.95, of a cohort
then over its images, as in the 2018 Data Science Bowl (Caicedo et al. 2019, doi 10.1038/s41592-019-0612-7).

Panoptic quality (Kirillov et al., CVPR 2019, arXiv:1801.00868) is of the threshold 0.5: the recognition quality
TP / (TP + FP / 2 + FN / 2), which is F1, times the segmentation quality, the mean IoU of matched pairs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medunet.evaluation.lesions import LesionScore, find_f1, list_sizes

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
ROUNDING = 1e-9
"""An IoU of exactly the threshold is not above it, whatever the rounding."""
MATCHED = THRESHOLDS[0] + ROUNDING
"""Intersection over union above which an object is one of the truth's."""

Numbers = npt.NDArray[np.integer]
"""One number an object, 0 outside of them, (I, J, K)."""


@dataclass(frozen=True, slots=True)
class InstanceScore(LesionScore):
    """Objects of one case in place of lesions: found is what is matched at an IoU of 0.5, missed and false all others.

    Attributes:
        precisions: at each threshold; none where neither truth nor prediction holds an object.
        quality: mean IoU of matched pairs, None where there are none.
    """

    precisions: tuple[float, ...] = ()
    quality: float | None = None

    @property
    def precision(self) -> float | None:
        """Average over the thresholds; None where neither truth nor prediction holds an object."""
        return float(np.mean(self.precisions)) if self.precisions else None

    @property
    def recognition(self) -> float | None:
        """Recognition quality, which is F1; None as `precision`."""
        return find_f1(self.found, self.missed, self.false_found)

    @property
    def panoptic(self) -> float | None:
        """Panoptic quality; None as `precision`."""
        return None if self.recognition is None else self.recognition * (self.quality or 0.0)


def match_objects(predicted: Numbers, truth: Numbers) -> InstanceScore:
    """Match objects by their overlap; time and memory follow the voxels and the pairs that overlap.

    Args:
        predicted: (I, J, K), one number an object, 0 outside of them.
        truth: likewise.
    """
    (theirs, sizes), (ours, true_sizes) = count_objects(predicted), count_objects(truth)
    guess, true, ious = overlap_objects(theirs, sizes, ours, true_sizes)
    guesses, objects = len(sizes) - 1, len(true_sizes) - 1
    precisions: tuple[float, ...] = ()
    if guesses + objects:
        pairs = [int(np.count_nonzero(ious > threshold + ROUNDING)) for threshold in THRESHOLDS]
        precisions = tuple(count / (guesses + objects - count) for count in pairs)
    matched = ious > MATCHED
    false, missed = np.ones(len(sizes), dtype=np.bool_), np.ones(len(true_sizes), dtype=np.bool_)
    false[0] = missed[0] = False
    false[guess[matched]] = missed[true[matched]] = False
    return InstanceScore(
        precisions=precisions,
        found_sizes=list_sizes(true_sizes[true[matched]]),
        missed_sizes=list_sizes(true_sizes[missed]),
        false_sizes=list_sizes(sizes[false]),
        quality=float(ious[matched].mean()) if matched.any() else None,
    )


def count_objects(numbers: Numbers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers without a gap, flat, and the voxels of each; 0 stays 0."""
    flat = np.append(numbers.ravel().astype(np.int64), 0)  # so that there is a 0
    _, compact = np.unique(flat, return_inverse=True)
    compact = compact[:-1]
    return compact, np.bincount(compact, minlength=int(compact.max(initial=0)) + 1)


def overlap_objects(
    theirs: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    ours: npt.NDArray[np.int64],
    true_sizes: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pairs of objects that overlap: the predicted one, that of the truth, and their IoU."""
    both = (theirs > 0) & (ours > 0)
    pairs, common = np.unique(ours[both] * len(sizes) + theirs[both], return_counts=True)
    true, guess = np.divmod(pairs, len(sizes))
    return guess, true, common / (sizes[guess] + true_sizes[true] - common)
