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


def find_marginal_entropy(likely: torch.Tensor, values: torch.Tensor, unknown: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of classes, in which a voxel of no known label is background or of any unknown one.

    Its probability is the sum of theirs, so that the loss is silent about which of them it is.

    Args:
        likely: (B, C, …), logarithms of the probabilities, background first.
        values: (B, …) label values, integers.
        unknown: bool (B, C - 1), of the labels 1, 2, ….

    Returns:
        (B, …), minus the logarithm of the probability.
    """
    unnamed = torch.stack([_join(sample, own) for sample, own in zip(likely, unknown, strict=True)])
    return -torch.where(values == 0, unnamed, likely.gather(1, values[:, None])[:, 0])


def _join(likely: torch.Tensor, unknown: torch.Tensor) -> torch.Tensor:
    """Logarithm of the probability of background or any unknown label, of one sample."""
    if not unknown.any():
        return likely[0]
    return likely[[0, *(unknown.nonzero()[:, 0] + 1).tolist()]].logsumexp(0)


def measure_overlap(
    shares: torch.Tensor, values: torch.Tensor, known: torch.Tensor, whole: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Volumes of classes over the samples of a batch in which each is known, as of soft Dice.

    Sums of what lies at each voxel's own label take a fraction of the time of products with one channel a label.

    Args:
        shares: (B, C, …) probabilities, background first.
        values: (B, …) label values, integers.
        known: (B, 1, …) 1 where a voxel counts, else 0.
        whole: bool (B, C - 1), whether the label of the value 1, 2, … is known in a sample.

    Returns:
        (C - 1) each: what prediction and truth share, what was predicted, and the truth.
    """
    flat = values.flatten(1)
    own = shares.gather(1, values[:, None]) * known
    zeros = torch.zeros(shares.shape[:2], dtype=shares.dtype, device=shares.device)
    common, truth = (zeros.scatter_add(1, flat, part.flatten(1)) for part in (own, known))
    predicted = (shares * known).flatten(2).sum(2)
    counted = whole.to(shares.dtype)
    common, predicted, truth = ((part[:, 1:] * counted).sum(0) for part in (common, predicted, truth))
    return common, predicted, truth
