"""What a voxel teaches where not all labels are known: it may be background or any label that nobody looked for."""

import torch

from medunet.partial import BITS


def split_codes(label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take a label map apart from the channels that say what is unknown, as `medunet.partial` packs it.

    Args:
        label: (B, 1 + N, …) as float.

    Returns:
        Label values (B, 1, …), and bool (B, 16 N): whether the label of the value 1, 2, … is unknown in a sample.
    """
    codes = label[:, 1:].flatten(2)[..., 0].long()
    bits = codes[..., None] >> torch.arange(BITS, device=label.device)
    return label[:, :1], (bits & 1).flatten(1).bool()


def find_marginal_entropy(logits: torch.Tensor, values: torch.Tensor, unknown: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of classes, in which a voxel of no known label is background or of any unknown one.

    Its probability is the sum of theirs, so that the loss is silent about which of them it is.

    Args:
        logits: (B, C, …), background first.
        values: (B, …) label values, integers.
        unknown: bool (B, C - 1), of the labels 1, 2, ….

    Returns:
        (B, …), minus the logarithm of the probability.
    """
    possible = torch.cat([torch.ones_like(unknown[:, :1]), unknown], 1)
    spread = possible.reshape(*possible.shape, *(1,) * (logits.ndim - 2))
    unnamed = logits.masked_fill(~spread, -torch.inf).logsumexp(1)
    named = logits.gather(1, values[:, None])[:, 0]
    return logits.logsumexp(1) - torch.where(values == 0, unnamed, named)
