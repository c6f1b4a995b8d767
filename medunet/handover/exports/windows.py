"""Patches of a prepared scan in two sizes and two numbers, on which an exported network is compared with PyTorch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from medunet.records import Record

BATCHES = (1, 3)
"""Patches at once."""


class Compared(Record):
    """What a comparison of an exported network with PyTorch came to."""

    batch: int
    """Patches at once."""
    patch: tuple[int, ...]
    """Voxels along each axis."""
    difference: float
    """Largest difference of a logit."""
    share: float
    """The same as a share of the largest logit by amount, or of 1 where that is smaller."""
    decided_otherwise: int
    """Voxels of which another output is the largest."""
    voxels: int
    """Voxels that were compared."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Cuts patches out of a prepared scan.

    Attributes:
        voxels: (C, I, J, K) of the scan; filled up by repeating it where a patch is larger.
        dims: spatial axes of the network; of 2 a patch is (C, I, J).
        sizes: two sizes of patches, voxels along each axis.
    """

    voxels: torch.Tensor
    dims: int
    sizes: tuple[tuple[int, ...], ...]

    def cut(self) -> Iterator[torch.Tensor]:
        """Patches (B, C, …) of each number and size."""
        for size in self.sizes:
            for batch in BATCHES:
                yield torch.stack([self._take(size, number, batch) for number in range(batch)])

    def _take(self, size: Sequence[int], number: int, batch: int) -> torch.Tensor:
        """A patch; several lie along the diagonal of the scan, from its middle on."""
        shape = self.voxels.shape[1:]
        wanted = [*size, *[1] * (3 - self.dims)]
        places = []
        for length, edge in zip(shape, wanted, strict=True):
            free = max(length - edge, 0)
            start = free // 2 if batch == 1 else free * number // (batch - 1)
            places.append((start + np.arange(edge)) % length)
        patch = self.voxels[:, places[0]][:, :, places[1]][:, :, :, places[2]]
        return (patch if self.dims == 3 else patch[..., 0]).contiguous().float()


def choose_sizes(patch: Sequence[int], shape: Sequence[int], smallest: int, dims: int) -> tuple[tuple[int, ...], ...]:
    """The patch of a bundle, and another one that its network takes too.

    Args:
        patch: voxels along each axis of the bundle's window; 0 where it takes whole scans.
        shape: of the prepared scan.
        smallest: edge in voxels from which on the network runs; half of it divides what it takes.
        dims: spatial axes of the network.
    """
    step = max(smallest // 2, 1)
    edges = [edge or length for edge, length in zip(patch, shape, strict=True)][:dims]
    first = tuple(max(edge // step, 2) * step if not patch[axis] else edge for axis, edge in enumerate(edges))
    second = tuple(edge - step if edge - step >= smallest and axis else edge + step for axis, edge in enumerate(first))
    return first, second


def compare(run: nn.Module, exported: object, patches: torch.Tensor) -> Compared:
    """Compare an exported network with PyTorch on the same patches.

    Args:
        run: the network.
        exported: function of patches.
        patches: (B, C, …).
    """
    with torch.inference_mode():
        wanted = run(patches)
        found: torch.Tensor = exported(patches)  # type: ignore[operator]
    difference = float((found - wanted).abs().max()) if found.shape == wanted.shape else float("inf")
    same_shape = found.shape == wanted.shape
    return Compared(
        batch=len(patches),
        patch=tuple(patches.shape[2:]),
        difference=difference,
        share=difference / max(float(wanted.abs().max()), 1.0),
        decided_otherwise=int((found.argmax(1) != wanted.argmax(1)).sum()) if same_shape else patches[:, 0].numel(),
        voxels=patches[:, 0].numel(),
    )
