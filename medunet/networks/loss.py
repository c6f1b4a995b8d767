"""The loss: MONAI's where it does, ours where voxels are ignored, regions overlap or labels are small."""

from collections.abc import Sequence
from typing import Any

import torch
from monai.losses import MaskedLoss, TverskyLoss
from torch import nn
from torch.nn import functional

from medunet.planning import Plan

FOCUS = 2.0
"""Exponent of the focal loss (Lin 2017)."""
TVERSKY = (0.3, 0.7)
"""Weights of what is too much and of what is missed (Salehi 2017)."""


def make_loss(plan: Plan) -> dict[str, Any]:
    """`_target_` dictionary of the loss of one level of the network."""
    table, kind = plan.task.labels, plan.training.loss
    if table.is_plain and kind == "dice_ce":
        return {
            "_target_": "DiceCELoss",
            "include_background": False,
            "to_onehot_y": True,
            "softmax": True,
            "batch": True,
        }
    regions = [list(region.values) for region in table.regions]
    loss: dict[str, Any] = {"_target_": "medunet.networks.LabelLoss", "regions": regions, "ignore": table.ignore}
    if kind == "dice_focal":
        loss["focus"] = FOCUS
    elif kind == "tversky_ce":
        loss["weights"] = list(TVERSKY)
    return loss


class LabelLoss(nn.Module):
    """Dice or Tversky plus cross-entropy or focal loss over known voxels, of classes (softmax) or regions (sigmoid).

    Made of MONAI's parts, since its DiceCELoss can't ignore, takes a softmax in the cross-entropy of several regions,
    and an `ignore_index` of its DiceLoss with regions would ignore the background; and the focal part of its
    DiceFocalLoss without background doesn't see what is found outside of labels.

    Args:
        regions: label values of each region; none for classes.
        ignore: label value of voxels that don't count, if there is one.
        focus: exponent of 1 - p, with p the probability of what is true there; 0 is cross-entropy.
        weights: of what is too much and what is missed; halves are Dice.

    Arguments of a call:
        logits: (B, C, …), a channel a region, or one a class with the background first.
        label: (B, 1, …) label values as float.

    Returns of a call: a scalar, 0 without a gradient where no voxel is known.
    """

    def __init__(
        self,
        regions: Sequence[Sequence[int]] = (),
        ignore: int | None = None,
        focus: float = 0.0,
        weights: Sequence[float] = (0.5, 0.5),
    ) -> None:
        super().__init__()
        self._regions = [list(values) for values in regions]
        self._ignore = -1 if ignore is None else ignore
        self._focus = focus
        too_much, missed = weights
        # Halves of MONAI's smoothing make it its Dice exactly.
        self._overlap = MaskedLoss(TverskyLoss, alpha=too_much, beta=missed, batch=True, smooth_nr=5e-6, smooth_dr=5e-6)

    def forward(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """See the class."""
        known = (label != self._ignore).to(logits.dtype)
        if self._regions:
            target = split_regions(label, self._regions).to(logits.dtype)
            shares, wanted = logits.sigmoid(), target
            entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        else:
            values = (label * known)[:, 0].long()
            shares = logits.softmax(1)[:, 1:]
            wanted = torch.cat([(values == value)[:, None] for value in range(1, logits.shape[1])], 1).to(logits.dtype)
            entropy = functional.cross_entropy(logits, values, reduction="none")[:, None]
        if self._focus:
            entropy = entropy * (1 - torch.exp(-entropy)) ** self._focus
        # torch's own mean over what isn't ignored is 0 / 0 where all is.
        mean = (entropy.mean(1, True) * known).sum() / known.sum().clamp(min=1)
        overlap: torch.Tensor = self._overlap(shares, wanted, known)
        return overlap + mean


def split_regions(label: torch.Tensor, regions: Sequence[Sequence[int]]) -> torch.Tensor:
    """Regions of label values, bool (B, R, …), of a label map (B, 1, …)."""
    return torch.cat([torch.isin(label, torch.tensor(values, device=label.device)) for values in regions], dim=1)
