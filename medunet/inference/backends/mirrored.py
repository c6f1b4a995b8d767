"""A backend that asks another one about all mirror images of a patch, and takes the mean."""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from itertools import chain, combinations
from typing import Literal, Self

import torch
from torch import nn

from medunet.inference.backends.interface import Backend, Traits


class MirroredBackend(Backend):
    """Means of the logits of a patch and of its mirror images, each mirrored back.

    Args:
        backend: runs the network.
        axes: of a patch (I, J, K) that are mirrored, alone and together: three make 8 images.
    """

    def __init__(self, backend: Backend, axes: Iterable[int]) -> None:
        self._backend = backend
        places = [axis + 2 for axis in axes]
        self._flips = list(chain.from_iterable(combinations(places, count) for count in range(len(places) + 1)))

    @property
    def traits(self) -> Traits:
        """Those of the backend that runs the network."""
        own = self._backend.traits
        return replace(own, narrow=own.narrow and self._narrow)

    def _narrow(self) -> Backend:
        lean, narrow = copy(self), self._backend.traits.narrow
        lean._backend = narrow() if narrow else self._backend
        return lean

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """See `Backend.open`."""
        self._backend.open(network, patch, dims)
        return self

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        total = self._backend.run(patches)
        for flips in self._flips[1:]:
            total = total + self._backend.run(patches.flip(flips)).flip(flips)
        return total / len(self._flips)

    def release(self) -> None:
        """See `Backend.release`."""
        self._backend.release()

    def close(self) -> None:
        """See `Backend.close`."""
        self._backend.close()
