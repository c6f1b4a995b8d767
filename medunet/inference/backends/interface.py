"""The interface of a backend."""

from typing import Protocol

import torch


class Backend(Protocol):
    """Computes logits of patches."""

    name: str

    def run(self, patch: torch.Tensor) -> torch.Tensor:
        """Logits of patches.

        Args:
            patch: (B, C, I, J, K) float32 on the CPU; K is 1 for a 2D network.

        Returns:
            (B, classes, I, J, K) float32 on the CPU.
        """
