"""Keep the probabilities of a prediction in a file of their own, a plane at a time, as its labels are made.

One byte a voxel and output lies on the disk, beside the masks and without a name, so that it is gone with the process;
in memory are the scores of one plane, once more than without it.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from medunet.bundle import Decision
from medunet.errors import ResourceError
from medunet.geometry import Affine, Grid, Shape
from medunet.preparation import resample_numbers, take_largest
from medunet.preparation.resample import Box as Part
from medunet.writing import Probabilities
from medunet.writing.probabilities import STEPS

LOGGER = logging.getLogger(__name__)


class ProbabilityMaps:
    """Maps of all outputs on the grid of a scan, in a scratch file; a context manager that drops it.

    Attributes:
        maps: (outputs, I, J, K) uint8 in the file, 255 for a probability of 1; of classes 255 in all, the largest that
            of the voxel's class; of regions above 127 where the probability is above one half.
    """

    maps: npt.NDArray[np.uint8]

    def __init__(self, folder: Path, names: Sequence[str], decision: Decision) -> None:
        """Take a folder for the scratch file, and what the outputs are.

        Args:
            folder: on whose disk it lies.
            names: of the outputs.
            decision: how they become labels.
        """
        self._folder, self._names, self._exclusive = folder, tuple(names), decision.kind == "largest"
        self._decision = decision
        # A map of each label value in turn, so that the largest of them is the mask.
        values = np.array(decision.values)
        self._order = np.argsort(values) if len(set(decision.values)) == len(values) else np.arange(len(values))
        self._stream: Any = None
        self._grid: Grid | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._stream is not None:
            del self.maps
            self._stream.close()

    def open(self, grid: Grid) -> Self:
        """Begin the maps of a grid."""
        self._grid = grid
        return self

    def __call__(self, scores: torch.Tensor, box: Part) -> None:
        """Keep the scores (outputs, I, J, K) of a box of the grid, as they come from interpolation."""
        self.store(self.quantize(scores), box)

    def quantize(self, scores: torch.Tensor) -> npt.NDArray[np.uint8]:
        """Probabilities (outputs, I, J, K) as they are kept, of such scores."""
        quantize = quantize_classes if self._exclusive else quantize_regions
        return quantize(scores, self._decision.temperature)[self._order]

    def store(self, steps: npt.NDArray[np.uint8], box: Part) -> None:
        """Keep what `quantize` made of a box of the grid."""
        if self._grid is None:
            raise ValueError("the maps have no grid yet")
        if self._stream is None:
            self._make(self._grid.shape, _find_thin(steps.shape[1:], self._grid.shape))
        self.maps[(slice(None), *box)] = steps

    def _make(self, shape: Shape, axis: int) -> None:
        """A scratch file in which the planes across an axis lie together: they arrive along it."""
        count = len(self._order)
        size = count * int(np.prod(shape))
        LOGGER.info("probabilities of %d outputs take %.2f GiB of scratch in %s", count, size / 2**30, self._folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._stream = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed at the exit
            self._stream.truncate(size)
        except OSError as error:
            found = f"it can't hold {size / 2**30:.2f} GiB of probabilities ({error.strerror or error})"
            raise ResourceError(self._folder, found, "make room or choose another folder") from error
        moved = (shape[axis], *(n for m, n in enumerate(shape) if m != axis))
        self.maps = np.moveaxis(np.memmap(self._stream, np.uint8, "r+", shape=(count, *moved)), 1, axis + 1)

    def make_others(self) -> "ProbabilityMaps":
        """Maps of the same outputs for another grid, on the same disk."""
        return ProbabilityMaps(self._folder, self._names, self._decision)

    def take_nearest(self, others: "ProbabilityMaps", affine: Affine) -> None:
        """Take the maps of another grid, which has this affine, from the nearest voxel; one is in memory at a time."""
        if self._grid is None:
            raise ValueError("the maps have no grid yet")
        self._make(self._grid.shape, 0)
        nothing = np.ones(self._grid.shape, dtype=np.bool_)
        for n, one in enumerate(others.maps):
            self.maps[n] = resample_numbers(np.ascontiguousarray(one), affine, self._grid, np.uint8)
            nothing &= self.maps[n] == 0
        self.clear(nothing)

    def clear(self, outside: npt.NDArray[np.bool_], planes: slice = slice(None)) -> None:
        """Make voxels (I, J, K) of some planes along the first axis certain background."""
        for n, one in enumerate(self.maps):
            one[planes][outside] = STEPS if self._exclusive and n == 0 else 0

    def finish(self) -> Probabilities:
        """What is there when all planes have come."""
        return Probabilities(self.maps, tuple(self._names[n] for n in self._order), self._exclusive)


def quantize_classes(scores: torch.Tensor, temperature: float = 1.0) -> npt.NDArray[np.uint8]:
    """Softmax of scores (classes, I, J, K) in 255 steps, which they sum to; the largest class has the largest number.

    Sums over the first classes are rounded, and a class gets the difference of two of them: within one step of its own.

    Args:
        scores: as they come from interpolation.
        temperature: by which they are divided first.
    """
    likely = torch.softmax(scores if temperature == 1 else scores / temperature, dim=0)
    sums = (likely.cumsum(dim=0) * STEPS).round()
    sums[-1] = STEPS
    steps = sums.diff(dim=0, prepend=torch.zeros_like(sums[:1]))
    # Rounding may have turned classes round, or made them alike: a step at a time tells which it is.
    best = take_largest(scores)[None].long()
    while True:
        most, rival = steps.scatter(0, best, -1.0).max(dim=0, keepdim=True)
        wrong = (most >= steps.gather(0, best)).float()
        if not wrong.any():
            break
        steps.scatter_add_(0, best, wrong)
        steps.scatter_add_(0, rival, -wrong)
    return steps.to(torch.uint8).numpy()


def quantize_regions(scores: torch.Tensor, temperature: float = 1.0) -> npt.NDArray[np.uint8]:
    """Sigmoid of scores (regions, I, J, K) in 255 steps: above 127 where a score is above 0, as the mask is made.

    Arguments as of `quantize_classes`.
    """
    steps = (torch.sigmoid(scores if temperature == 1 else scores / temperature) * STEPS).round()
    half = (STEPS + 1) // 2
    return torch.where(scores > 0, steps.clamp(min=half), steps.clamp(max=half - 1)).to(torch.uint8).numpy()


def _find_thin(part: Sequence[int], whole: Shape) -> int:
    """The axis along which parts of a whole arrive."""
    return next((n for n in range(3) if part[n] < whole[n]), 0)
