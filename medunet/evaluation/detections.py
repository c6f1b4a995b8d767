"""What was predicted one by one, parts of a structure or objects, and which of them are right."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.evaluation.instances import MATCHED, count_objects, overlap_objects
from medunet.evaluation.lesions import find_lesions
from medunet.parts import CONNECTED, Voxels

Numbers = npt.NDArray[np.integer]


def find_detections(predicted: Voxels, truth: Voxels) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Number the connected parts of a prediction, and tell which are right: those that share voxels with a lesion that
    was found, by the rule of `lesions`.

    Args:
        predicted: (I, J, K) bool.
        truth: (I, J, K) bool.

    Returns:
        Numbers (I, J, K) from 1 on, 0 outside; and for each number, the first in order, whether it is right.
    """
    lesions, _, found = find_lesions(predicted, truth)
    parts, part_count = ndimage.label(predicted, CONNECTED)
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
    (own, own_sizes), (other, other_sizes) = count_objects(predicted), count_objects(truth)
    guess, _, ious = overlap_objects(own, own_sizes, other, other_sizes)
    right = np.zeros(len(own_sizes), dtype=np.bool_)
    right[guess[ious > MATCHED]] = True
    return own.reshape(predicted.shape), right[1:]
