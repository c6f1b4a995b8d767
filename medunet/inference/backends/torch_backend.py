"""The plain backend: torch, in the best precision of the device."""

from contextlib import suppress
from copy import copy
from typing import Literal, Self

import torch
from torch import nn

from medunet.geometry import Shape
from medunet.inference.backends.interface import EXACT_BOUND, Backend, Precision, Traits
from medunet.networks import AutocastInferer, foresee_forward

TOGETHER = 2
"""Patches in one call: on a CPU with AVX2 torch takes 2 to 15 times longer for one 3D patch than for two together."""
HALF_BOUND = 0.05
"""Of logits in bfloat16 under autocast: twice the most of 150 small U-Nets of random weights. float16 is nearer."""
MAPS = 10
"""Feature maps as large as those of the first convolution that exist together: skips, joined ones, kernels' copies."""


class TorchBackend(Backend):
    """Runs a network by torch.

    Args:
        device: where it runs.
        precision: what it computes in, under autocast; None takes the best of the device.
    """

    def __init__(self, device: torch.device, precision: torch.dtype | None = None) -> None:
        self._device = device
        self._inferer = AutocastInferer(precision=precision)
        self._network: nn.Module | None = None
        self._dims: Literal[2, 3] = 3
        self._inputs = 1
        self._together = TOGETHER
        self._peaks: dict[tuple[int, ...], int] = {}

    @property
    def traits(self) -> Traits:
        """See `Backend.traits`."""
        dtype = self._inferer.find_precision(self._device)
        precision: Precision = str(dtype).removeprefix("torch.")  # type: ignore[assignment]
        return Traits(
            name="torch",
            device=str(self._device),
            precision=precision,
            bound=EXACT_BOUND if dtype == torch.float32 else HALF_BOUND,
            preferred_batch=self._together,
            largest_batch=None,
            peak_bytes=self._foresee_peak,
            narrow=self._narrow,
        )

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """See `Backend.open`; patches of other sizes are taken, too."""
        self._network = network.to(self._device).eval()
        self._dims, self._inputs = dims, patch[0]
        return self

    def _narrow(self) -> Backend:
        """The same network, for one patch at a time: slower, in half of the memory."""
        narrow = copy(self)
        narrow._together = 1
        return narrow

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        network, count = self._find_network(), len(patches)
        if (computed := self._count_computed(count, patches.shape[4])) > count:
            patches = patches.expand(computed, -1, -1, -1, -1)
        inputs = patches[..., 0] if self._dims == 2 else patches
        with torch.inference_mode():
            logits: torch.Tensor = self._inferer(inputs.to(self._device), network)[:count].cpu()
        return logits[..., None] if self._dims == 2 else logits

    def close(self) -> None:
        """See `Backend.close`."""
        self._network = None

    def _find_network(self) -> nn.Module:
        if self._network is None:
            raise RuntimeError("the torch backend isn't open")
        return self._network

    def _count_computed(self, batch: int, depth: int) -> int:
        """Patches that are computed of those that are given: a lone 3D patch twice rather than alone."""
        return self._together if batch == 1 and depth > 1 and self._device.type == "cpu" else batch

    def _foresee_peak(self, patch: Shape, batch: int) -> int:
        """Bytes of what exists together, with logits; by the first convolution where the network can't be followed."""
        network, computed = self._find_network(), self._count_computed(batch, patch[2])
        shape = (computed, self._inputs, *patch[: self._dims])
        if self._device.type == "cpu" and shape not in self._peaks:
            # Some networks look at values, which aren't there.
            with suppress(Exception):
                self._peaks[shape] = foresee_forward(network, shape)
        if shape in self._peaks:
            return self._peaks[shape]
        kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
        widths = (part.out_channels for part in network.modules() if isinstance(part, kinds))
        voxels = patch[0] * patch[1] * patch[2] * computed
        return MAPS * self._inferer.find_precision(self._device).itemsize * next(widths, 1) * voxels
