"""The networks of several folds, each in a backend of its own: the mean of their logits, and a look at each."""

from collections.abc import Callable, Sequence
from typing import Literal, Self

import torch
from torch import nn

from medunet.inference.backends.interface import Backend, Traits
from medunet.networks import MeanNetwork

Look = Callable[[Sequence[torch.Tensor]], None]
"""Gets the logits (B, classes, I, J, K) of each fold for the same patches."""


class MeanBackend(Backend):
    """Runs the networks of a `MeanNetwork` one by one, so that their logits can be looked at before they are averaged.

    The mean is that of `MeanNetwork`, bit for bit where the backends compute as it does.

    Args:
        make: a backend for each network, not opened yet.
    """

    def __init__(self, make: Callable[[], Backend]) -> None:
        self._make = make
        self._members: tuple[Backend, ...] = ()
        self._look: Look | None = None

    @property
    def traits(self) -> Traits:
        """See `Backend.traits`; of a member, with the logits that the others leave."""
        return self._members[0].traits if self._members else self._make().traits

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """See `Backend.open`; a network that is no `MeanNetwork` is the only one."""
        networks = list(network.networks) if isinstance(network, MeanNetwork) else [network]
        self._members = tuple(self._make().open(item, patch, dims) for item in networks)
        return self

    def watched(self, look: Look) -> "MeanBackend":
        """This backend, showing the logits of each fold to somebody as they come; it is closed with this one."""
        shown = MeanBackend(self._make)
        shown._members, shown._look = self._members, look
        return shown

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        if not self._members:
            raise RuntimeError("the backend of several folds isn't open")
        if len(self._members) == 1:
            return self._members[0].run(patches)
        logits = [member.run(patches) for member in self._members]
        if self._look is not None:
            self._look(logits)
        total = logits[0]
        for other in logits[1:]:
            total = total + other
        return total / len(logits)

    def close(self) -> None:
        """See `Backend.close`."""
        for member in self._members:
            member.close()
        self._members = ()
