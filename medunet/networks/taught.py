"""The loss of a network that learns from labels and from the probabilities of another one."""

import torch
from torch import nn
from torch.nn import functional


class TaughtLoss(nn.Module):
    """A loss of labels, and how far the network's probabilities are from a teacher's (Hinton 2015).

    The second is the Kullback-Leibler divergence, a mean over voxels, of classes (softmax) or the sum over regions
    (sigmoid). Where the labels of a voxel are ignored or unknown, the teacher alone tells of it.

    Args:
        loss: of logits (B, C, …) and labels.
        count: probabilities of a voxel that come with the label.
        exclusive: they are of classes, of which the background has what the others leave; else of regions.
        weight: of the second part, where the first has 1.

    Arguments of a call:
        logits: (B, C, …), a channel a region, or one a class with the background first.
        label: (B, 1 + count + N, …): label values, the teacher's probabilities, and N channels that `loss` knows.
    """

    def __init__(self, loss: nn.Module, count: int, exclusive: bool, weight: float = 1.0) -> None:
        super().__init__()
        self._loss = loss
        self._count = count
        self._exclusive = exclusive
        self._weight = weight

    def forward(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """See the class."""
        first, told, further = label.split([1, self._count, label.shape[1] - 1 - self._count], 1)
        loss: torch.Tensor = self._loss(logits, torch.cat([first, further], 1))
        return loss + self._weight * self._diverge(logits, told.to(logits.dtype))

    def _diverge(self, logits: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        told = told.clamp(0, 1)  # interpolation rounds beyond
        if self._exclusive:
            told = torch.cat([(1 - told.sum(1, True)).clamp(min=0), told], 1)
            return (torch.xlogy(told, told) - told * logits.log_softmax(1)).sum(1).mean()
        known = torch.xlogy(told, told) + torch.xlogy(1 - told, 1 - told)
        wrong = functional.binary_cross_entropy_with_logits(logits, told, reduction="none")
        return (known + wrong).sum(1).mean()
