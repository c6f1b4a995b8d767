"""The loss where label maps hold voxels to be ignored, or regions that may overlap."""

from collections.abc import Sequence

import torch
from monai.losses import MaskedDiceLoss
from torch import nn
from torch.nn import functional


class LabelLoss(nn.Module):
    """Dice plus cross-entropy over known voxels, of classes (softmax) or of regions (sigmoid).

    Made of MONAI's parts, since its DiceCELoss can't ignore, takes a softmax in the cross-entropy of several regions,
    and an `ignore_index` of its DiceLoss with regions would ignore the background.

    Args:
        regions: label values of each region; none for classes.
        ignore: label value of voxels that don't count, if there is one.

    Arguments of a call:
        logits: (B, C, …), a channel a region, or one a class with the background first.
        label: (B, 1, …) label values as float.

    Returns of a call: a scalar, 0 without a gradient where no voxel is known.
    """

    def __init__(self, regions: Sequence[Sequence[int]] = (), ignore: int | None = None) -> None:
        super().__init__()
        self._regions = [list(values) for values in regions]
        self._ignore = -1 if ignore is None else ignore
        activation = {"sigmoid": True} if regions else {"softmax": True, "to_onehot_y": True}
        self._dice = MaskedDiceLoss(include_background=bool(regions), batch=True, **activation)

    def forward(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """See the class."""
        known = (label != self._ignore).to(logits.dtype)
        if self._regions:
            target = split_regions(label, self._regions).to(logits.dtype)
            entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1, True)
        else:
            target = label * known
            entropy = functional.cross_entropy(logits, target[:, 0].long(), reduction="none")[:, None]
        # torch's own mean over what isn't ignored is 0 / 0 where all is.
        mean = (entropy * known).sum() / known.sum().clamp(min=1)
        dice: torch.Tensor = self._dice(logits, target, known)
        return dice + mean


def split_regions(label: torch.Tensor, regions: Sequence[Sequence[int]]) -> torch.Tensor:
    """Regions of label values, bool (B, R, …), of a label map (B, 1, …)."""
    return torch.cat([torch.isin(label, torch.tensor(values, device=label.device)) for values in regions], dim=1)
