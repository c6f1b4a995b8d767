"""Steps from a label map to a label map: the largest part of each label, holes, other numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.transforms import Compose
from scipy import ndimage

from medunet.preparation import instantiate

Labels = npt.NDArray[np.uint8]
LARGEST = "KeepLargestConnectedComponentd"


def clean_labels(labels: Labels, steps: Sequence[Mapping[str, Any]]) -> npt.NDArray[Any]:
    """Run steps over a label map.

    Args:
        labels: (I, J, K).
        steps: `_target_` dictionaries of MONAI's transforms with the key `pred`.

    Returns:
        (I, J, K), as the last step makes it.

    Raises:
        BundleError: a step can't be built.
    """
    values: npt.NDArray[Any] = labels
    for step in steps:
        if step["_target_"] == LARGEST:
            values = _keep_largest(values, step)
        else:
            result = Compose(instantiate([dict(step)]))({"pred": torch.from_numpy(values)[None]})["pred"]
            values = torch.as_tensor(result)[0].numpy()
    return values


def _keep_largest(labels: npt.NDArray[Any], step: Mapping[str, Any]) -> npt.NDArray[Any]:
    """MONAI's step of this name by scipy, since MONAI's needs a package more."""
    applied = step.get("applied_labels")
    values = [int(n) for n in np.unique(labels) if n] if applied is None else np.atleast_1d(applied).tolist()
    kept = labels.copy()
    for group in [[value] for value in values] if step.get("independent", True) else [values]:
        part = np.isin(labels, group)
        largest = _find_largest(part, step.get("connectivity"), step.get("num_components", 1))
        kept[part & ~largest] = 0
    return kept


def _find_largest(part: npt.NDArray[np.bool_], connectivity: int | None, count: int) -> npt.NDArray[np.bool_]:
    structure = ndimage.generate_binary_structure(part.ndim, connectivity or part.ndim)
    numbers, found = ndimage.label(part, structure)
    sizes = np.bincount(numbers.ravel(), minlength=found + 1)
    sizes[0] = 0
    # Of equal parts MONAI keeps the first, or where it keeps several the last.
    chosen = [sizes.argmax()] if count == 1 else np.argsort(sizes)[::-1][:count]
    inside: npt.NDArray[np.bool_] = np.isin(numbers, chosen) & part
    return inside
