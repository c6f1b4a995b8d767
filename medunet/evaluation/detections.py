"""What was predicted one by one, parts of a structure or objects, and which of them are right."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.evaluation.lesions import FOUND_SHARE
from medunet.parts import CONNECTED, Voxels

Numbers = npt.NDArray[np.integer]
MATCHED = 0.5
"""Intersection over union above which an object is one of the truth's."""


def find_detections(predicted: Voxels, truth: Voxels) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Number the connected parts of a prediction, and tell which are right: those that share voxels with a lesion that
    was found, by the rule of `lesions`.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.

    Returns:
        Numbers (I, J, K) from 1 on, 0 outside; and for each number, the first in order, whether it is right.
    """
    lesions, lesion_count = ndimage.label(truth, CONNECTED)
    parts, part_count = ndimage.label(predicted, CONNECTED)
    sizes = np.bincount(lesions.ravel(), minlength=lesion_count + 1)
    covered = np.bincount(lesions[predicted], minlength=lesion_count + 1)
    found = covered >= FOUND_SHARE * sizes
    found[0] = False
    right = np.zeros(part_count + 1, dtype=np.bool_)
    right[parts[predicted & found[lesions]]] = True
    return parts, right[1:]


def match_detections(predicted: Numbers, truth: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """The same of objects: right are those that match one of the truth at an intersection over union above 0.5.

    Args:
        predicted: (I, J, K), one number an object, 0 outside of them.
        truth: likewise.

    Returns:
        Numbers as of `find_detections`, without gaps.
    """
    (_, ours), (_, theirs) = (np.unique(item, return_inverse=True) for item in (predicted, truth))
    # A map without background begins with an object.
    ours = ours.reshape(predicted.shape) + int(predicted.min(initial=1) > 0)
    theirs = theirs.reshape(truth.shape) + int(truth.min(initial=1) > 0)
    own, other = np.bincount(ours.ravel()), np.bincount(theirs.ravel())
    pairs, counts = np.unique(ours.ravel().astype(np.int64) * len(other) + theirs.ravel(), return_counts=True)
    first, second = np.divmod(pairs, len(other))
    matched = (counts / (own[first] + other[second] - counts) > MATCHED) & (first > 0) & (second > 0)
    right = np.zeros(len(own), dtype=np.bool_)
    right[first[matched]] = True
    return ours, right[1:]
