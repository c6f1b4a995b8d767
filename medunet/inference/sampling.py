"""Take the logits of chosen voxels of a scan, as they come from interpolation, and let the others go."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from medunet.geometry import Grid
from medunet.preparation.resample import Box as Part


class LogitSamples:
    """Logits of voxels on the grid of a scan, in the place of `ProbabilityMaps`.

    Attributes:
        logits: (outputs, N) float32, NaN where none came yet.
    """

    logits: npt.NDArray[np.float32]

    def __init__(self, places: npt.NDArray[np.integer[Any]], outputs: int) -> None:
        """Choose the voxels.

        Args:
            places: (N, 3) their indices I, J, K.
            outputs: of the network.
        """
        self._places = places
        self._shape: tuple[int, ...] = ()
        self.logits = np.full((outputs, len(places)), np.nan, dtype=np.float32)

    def open(self, grid: Grid) -> Self:
        """Begin with a grid, that of the scan."""
        self._shape = grid.shape
        return self

    def __call__(self, scores: torch.Tensor, box: Part) -> None:
        """Take what is wanted of the scores (outputs, I, J, K) of a box of the grid."""
        ranges = [side.indices(length)[:2] for side, length in zip(box, self._shape, strict=True)]
        low, high = np.array(ranges).T
        here = np.flatnonzero(((self._places >= low) & (self._places < high)).all(axis=1))
        if len(here):
            i, j, k = (torch.from_numpy(index) for index in (self._places[here] - low).T)
            self.logits[:, here] = scores[:, i, j, k].numpy()
