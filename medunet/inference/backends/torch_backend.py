"""The plain backend: torch, in the best precision of the device."""

import torch
from torch import nn

from medunet.networks import AutocastInferer


class TorchBackend:
    """Runs a network by torch.

    Args:
        network: in evaluation mode from now on.
        device: where it runs.
        dims: spatial axes of the network.
    """

    name = "torch"

    def __init__(self, network: nn.Module, device: torch.device, dims: int) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._dims = dims
        self._inferer = AutocastInferer()

    def run(self, patch: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        inputs = patch[..., 0] if self._dims == 2 else patch
        with torch.inference_mode():
            logits: torch.Tensor = self._inferer(inputs.to(self._device), self._network).cpu()
        return logits[..., None] if self._dims == 2 else logits
