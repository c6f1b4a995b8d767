"""Several networks as one: the mean of their logits."""

from collections.abc import Sequence

import torch
from torch import nn


class MeanNetwork(nn.Module):
    """Computes the mean of the logits of several networks, one after the other.

    Logits and not probabilities, since logits are what is assembled from patches and brought back to the source
    grid: all three are linear, so the order doesn't matter, and MONAI's MeanEnsembled does the same afterwards.

    Args:
        networks: of the same task.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Mean of the logits in float32, whatever the networks compute in."""
        first, *others = self.networks
        total: torch.Tensor = first(image).float()
        for network in others:
            total = total + network(image).float()
        return total / len(self.networks)
