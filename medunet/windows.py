"""Which values of an image are shown black and which white."""

from typing import Any

import numpy as np
import numpy.typing as npt

SOFT_TISSUE = (40.0, 400.0)
"""Level and width of the usual window for soft tissue in CT, in HU."""


def find_window(image: npt.NDArray[Any], window: tuple[float, float] | None) -> tuple[float, float]:
    """Values shown black and white; never equal.

    Args:
        image: of any shape.
        window: level and width in the units of the image, or None for its 0.5th to 99.5th percentile.
    """
    if window is not None:
        level, width = window
        return level - max(width, 1e-6) / 2, level + max(width, 1e-6) / 2
    values = image.ravel()[:: max(1, image.size // 200_000)].astype(np.float64)
    values = values[np.isfinite(values)]
    low, high = map(float, np.percentile(values, (0.5, 99.5))) if len(values) else (0.0, 1.0)
    return low, high if high > low else low + 1
