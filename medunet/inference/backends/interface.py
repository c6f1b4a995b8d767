"""The contract of backends: what runs a network on patches, and what it says of itself.

`medunet.testing.BackendSuite` tests any backend by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self, runtime_checkable

import torch
from torch import nn

from medunet.geometry import Shape

Precision = Literal["float32", "bfloat16", "float16", "int8"]
"""What a network is computed in."""
EXACT_BOUND = 1e-3
"""A backend is exact whose logits differ from those of torch in float32 by no more than rounding makes of them."""


class ConversionError(ValueError):
    """A backend can't run this network: its library doesn't know a part of it, or the processor lacks the precision."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a backend is like, so that one can be chosen and its memory foreseen.

    Attributes:
        name: of the backend, like "torch".
        device: where it computes, as its library names it, like "cpu" or "cuda:0".
        precision: what it computes in.
        bound: largest difference of a logit from that of torch in float32, as a share of the patch's largest logit by
            amount (of 1 where that is smaller).
        preferred_batch: patches at once with which it is fastest for a patch.
        largest_batch: patches at once that it takes at most; None where memory alone limits them.
        peak_bytes: of a patch's voxels (I, J, K) and a number of patches, the bytes of its device that a `run` takes
            beside the weights: an estimate. Only of an open backend.
        narrow: gives the same open backend for patches that come one by one, in less memory; None where there is none.
    """

    name: str
    device: str
    precision: Precision
    bound: float
    preferred_batch: int
    largest_batch: int | None
    peak_bytes: Callable[[Shape, int], int]
    narrow: "Callable[[], Backend] | None" = None

    @property
    def exact(self) -> bool:
        """Whether logits are those of torch in float32 but for rounding."""
        return self.bound <= EXACT_BOUND


@runtime_checkable
class Backend(Protocol):
    """Runs a network on patches.

    A backend is made without work, opened once with a network, run, and closed. Who inherits from this class gets it as
    a context manager that closes at its end: `with SomeBackend().open(network, patch, dims) as backend`.

    Between `open` and `close`, `run` may be called from several threads at once. It keeps nothing of a call: equal
    patches give equal logits. Its quirks are its own: one that is slow with a lone patch, or was compiled for a fixed
    number of them, adds patches to what it is given and drops their logits.
    """

    @property
    def traits(self) -> Traits:
        """What it is like."""

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """Take, and where needed convert, compile and warm up, a network; return the backend itself.

        Args:
            network: with its weights. It belongs to the backend from now on, which may move it to a device and puts it
                in evaluation mode.
            patch: channels and voxels (C, I, J, K) of every patch that will be run.
            dims: spatial axes of the network. One of 2 takes (B, C, I, J), and K of the patch is 1.

        Raises:
            ConversionError: the backend can't run this network.
        """

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        """Logits of patches.

        Args:
            patches: (B, C, I, J, K) float32 on the CPU, in any memory layout, B from 1 to `traits.largest_batch`. They
                stay as they are.

        Returns:
            (B, classes, I, J, K) float32 on the CPU, which stay what they are whatever is run afterwards.

        Raises:
            RuntimeError: the backend isn't open.
        """

    def release(self) -> None:
        """Give back what computing took beside the weights; the next `run` takes it again. Not while one runs."""
        return None  # noqa: RET501 - else it would be abstract

    def close(self) -> None:
        """Give up the network and what was made of it; a closed backend may be closed again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
