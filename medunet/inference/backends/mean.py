"""The networks of several folds, each in a backend of its own: the mean of their logits, and a look at each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, Self

import torch
from torch import nn

from medunet.geometry import Shape
from medunet.inference.backends.interface import Backend, Traits
from medunet.networks import MeanNetwork

Look = Callable[[Sequence[torch.Tensor]], None]
"""Gets the logits (B, classes, I, J, K) of each fold for the same patches."""


class MeanBackend(Backend):
    """Runs the networks of a `MeanNetwork` one by one, so that their logits can be looked at before they are averaged.

    The mean is that of `MeanNetwork`, bit for bit where the backends compute as it does.

    Args:
        make: a backend for each network, not opened yet.
        outputs: of each network.
    """

    def __init__(self, make: Callable[[], Backend], outputs: int) -> None:
        self._make, self._outputs = make, outputs
        self._members: tuple[Backend, ...] = ()
        self._look: Look | None = None

    @property
    def traits(self) -> Traits:
        """See `Backend.traits`; those of a member, whose peak has the logits of all beside it."""
        if not self._members:
            return self._make().traits
        own = self._members[0].traits
        if len(self._members) == 1:
            return own
        return replace(own, peak_bytes=self._foresee_peak, narrow=own.narrow and self._narrow)

    def _foresee_peak(self, patch: Shape, batch: int) -> int:
        logits = 4 * self._outputs * batch * patch[0] * patch[1] * patch[2]
        return self._members[0].traits.peak_bytes(patch, batch) + len(self._members) * logits

    def _narrow(self) -> Backend:
        """The same members, each for one patch at a time."""
        lean = self._again()
        lean._members = tuple(narrow() if (narrow := member.traits.narrow) else member for member in self._members)
        return lean

    def _again(self) -> "MeanBackend":
        again = MeanBackend(self._make, self._outputs)
        again._members, again._look = self._members, self._look
        return again

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """See `Backend.open`; a network that is no `MeanNetwork` is the only one."""
        networks = list(network.networks) if isinstance(network, MeanNetwork) else [network]
        self._members = tuple(self._make().open(item, patch, dims) for item in networks)
        return self

    def watched(self, look: Look) -> "MeanBackend":
        """This backend, showing the logits of each fold to somebody as they come; it is closed with this one."""
        shown = self._again()
        shown._look = look
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

    def release(self) -> None:
        """See `Backend.release`."""
        for member in self._members:
            member.release()

    def close(self) -> None:
        """See `Backend.close`."""
        for member in self._members:
            member.close()
        self._members = ()
