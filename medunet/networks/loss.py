"""The loss: MONAI's where it does, ours where voxels are ignored, regions overlap or labels are small."""

import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import monai.losses
import torch
from monai.bundle import ConfigParser
from monai.losses import MaskedLoss, TverskyLoss
from torch import nn
from torch.nn import functional

from medunet.errors import BundleError, name_fault
from medunet.networks.marginal import find_marginal_entropy, measure_overlap, split_codes
from medunet.planning import Plan
from medunet.records import suggest

FOCUS = 2.0
"""Exponent of the focal loss (Lin 2017)."""
TVERSKY = (0.3, 0.7)
"""Weights of what is too much and of what is missed (Salehi 2017)."""
OF_CLASSES = {"to_onehot_y": True, "softmax": True}
"""What a loss of MONAI's needs for labels that exclude each other, of which each voxel has one value."""
OF_REGIONS = {"to_onehot_y": False, "softmax": False, "sigmoid": True}
"""What it needs for regions, which overlap."""
SUBJECT = "training.loss"
OWN = "take dice_ce, dice_focal or tversky_ce"


def make_loss(plan: Plan) -> dict[str, Any]:
    """`_target_` dictionary of the loss of one level of the network."""
    teacher = plan.training.teacher
    if teacher is None:
        return _make_own(plan)
    return {
        "_target_": "medunet.networks.TaughtLoss",
        "loss": _make_own(plan),
        "count": plan.count_taught(),
        "exclusive": not plan.task.labels.regions,
        "weight": teacher.weight,
    }


def _make_own(plan: Plan) -> dict[str, Any]:
    """The loss of the labels."""
    table, kind = plan.task.labels, plan.training.loss
    regions = [list(region.values) for region in table.regions]
    if isinstance(kind, dict):
        return {"_target_": "medunet.networks.RegionLoss", "loss": kind, "regions": regions} if regions else kind
    if table.is_plain and kind == "dice_ce" and not plan.training.partial:
        return {
            "_target_": "DiceCELoss",
            "include_background": False,
            "to_onehot_y": True,
            "softmax": True,
            "batch": True,
        }
    loss: dict[str, Any] = {"_target_": "medunet.networks.LabelLoss", "regions": regions, "ignore": table.ignore}
    if kind == "dice_focal":
        loss["focus"] = FOCUS
    elif kind == "tversky_ce":
        loss["weights"] = list(TVERSKY)
    return loss


def build_loss(plan: Plan) -> nn.Module:
    """Build the loss of a plan, of one level of the network.

    Raises:
        BundleError: it is another one than `state_loss` gives.
    """
    if isinstance(plan.training.loss, dict):
        state_loss(plan.training.loss, plan)
    loss: nn.Module = ConfigParser({"loss": make_loss(plan)}).get_parsed_content("loss")
    return loss


def find_loss(config: Mapping[str, Any]) -> type[nn.Module] | None:
    """The class of MONAI's losses that a `_target_` dictionary names, None where it names none."""
    kind = getattr(monai.losses, str(config.get("_target_")), None)
    return kind if isinstance(kind, type) and issubclass(kind, nn.Module) else None


def state_loss(config: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The dictionary of a loss of MONAI's with what the labels of a plan need written out.

    Args:
        config: `_target_` and arguments; what the labels decide may be left away.
        plan: whose labels count.

    Raises:
        BundleError: MONAI has no such loss or argument, or it doesn't suit the labels.
    """
    name = str(config.get("_target_"))
    kind = find_loss(config)
    if kind is None:
        known = [name for name in vars(monai.losses) if find_loss({"_target_": name})]
        raise BundleError(SUBJECT, f"{name!r} is no loss of MONAI's", suggest(name, known))
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    signature = inspect.signature(kind).parameters
    for key in arguments.keys() - signature.keys():
        raise BundleError(
            SUBJECT, f"{name} of MONAI {version('monai')} has no argument '{key}'", suggest(key, list(signature))
        )
    table = plan.task.labels
    if table.ignore is not None:
        found = f"{name} counts every voxel, but the value {table.ignore} of labels shall not count"
        raise BundleError(SUBJECT, found, OWN)
    if plan.training.partial:
        found = f"{name} takes what isn't a label for background, but some cases don't tell of all labels"
        raise BundleError(SUBJECT, found, OWN)
    wanted = {key: value for key, value in (OF_REGIONS if table.regions else OF_CLASSES).items() if key in signature}
    for key, value in wanted.items():
        if arguments.get(key, value) is not value:
            whose = "labels overlap" if table.regions else "labels exclude each other"
            found = f"{key} of {name} is {arguments[key]!r}, which doesn't suit the cohort, whose {whose}"
            raise BundleError(SUBJECT, found, f"write {value}, or leave {key} away")
    try:
        kind(**arguments, **{key: value for key, value in wanted.items() if key not in arguments})
    except Exception as error:
        raise BundleError(SUBJECT, f"{name} can't be built ({name_fault(error)})", "correct its arguments") from error
    return {"_target_": name, **arguments, **wanted}


class RegionLoss(nn.Module):
    """A loss of MONAI's over regions, which may overlap.

    Args:
        loss: of logits (B, R, …), a channel a region, and truth values (B, R, …) as float.
        regions: label values of each region.

    Arguments of a call:
        logits: (B, R, …).
        label: (B, 1, …) label values as float.
    """

    def __init__(self, loss: nn.Module, regions: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self._loss = loss
        self._regions = [list(values) for values in regions]

    def forward(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """See the class."""
        loss: torch.Tensor = self._loss(logits, split_regions(label, self._regions).to(logits.dtype))
        return loss


class LabelLoss(nn.Module):
    """Dice or Tversky plus cross-entropy or focal loss over known voxels, of classes (softmax) or regions (sigmoid).

    Made of MONAI's parts, since its DiceCELoss can't ignore, takes a softmax in the cross-entropy of several regions,
    and an `ignore_index` of its DiceLoss with regions would ignore the background; and the focal part of its
    DiceFocalLoss without background doesn't see what is found outside of labels.

    Where labels of a sample are unknown, a voxel of no known label has the sum of the probabilities of background and
    of those (marginal softmax), and the overlap of each label is that of the samples in which it is known. A region
    with an unknown label is known only where a known label of its own is.

    Args:
        regions: label values of each region; none for classes.
        ignore: label value of voxels that don't count, if there is one.
        focus: exponent of 1 - p, with p the probability of what is true there; 0 is cross-entropy.
        weights: of what is too much and what is missed; halves are Dice.

    Arguments of a call:
        logits: (B, C, …), a channel a region, or one a class with the background first.
        label: (B, 1, …) label values as float; further channels as `medunet.partial` packs them.

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
        how: dict[str, Any] = {"alpha": too_much, "beta": missed, "batch": True, "smooth_nr": 5e-6, "smooth_dr": 5e-6}
        self._overlap = MaskedLoss(TverskyLoss, **how)
        self._overlaps = TverskyLoss(**how, reduction="none")

    def forward(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """See the class."""
        if label.shape[1] > 1:
            return self._weigh_known(logits, *split_codes(label))
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
        entropy = self._focus_on(entropy)
        # torch's own mean over what isn't ignored is 0 / 0 where all is.
        mean = (entropy.mean(1, True) * known).sum() / known.sum().clamp(min=1)
        overlap: torch.Tensor = self._overlap(shares, wanted, known)
        return overlap + mean

    def _focus_on(self, entropy: torch.Tensor) -> torch.Tensor:
        return entropy * (1 - torch.exp(-entropy)) ** self._focus if self._focus else entropy

    def _weigh_known(self, logits: torch.Tensor, label: torch.Tensor, unknown: torch.Tensor) -> torch.Tensor:
        """The loss where labels are unknown: bool (B, N) of the labels 1, 2, …, those that no sample lacks left out."""
        known = (label != self._ignore).to(logits.dtype)
        if self._regions:
            wanted = split_regions(label, self._regions).to(logits.dtype)
            whole = torch.stack([~_pick(unknown, values).any(1) for values in self._regions], 1)
            entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
            spread = _spread(whole, logits)
            counted, seen = known * torch.maximum(wanted, spread), known * spread
            overlaps = self._overlaps(logits.sigmoid() * seen, wanted * seen)
        else:
            values, likely = (label * known)[:, 0].long(), logits.log_softmax(1)
            whole = ~_pick(unknown, range(1, logits.shape[1]))
            entropy, counted = find_marginal_entropy(likely, values, ~whole)[:, None], known
            overlaps = self._rate(*measure_overlap(likely.exp(), values, known, whole))
        mean = (self._focus_on(entropy) * counted).sum() / counted.sum().clamp(min=1)
        held = whole.any(0).to(logits.dtype)
        return (overlaps * held).sum() / held.sum().clamp(min=1) + mean

    def _rate(self, common: torch.Tensor, predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """As MONAI's TverskyLoss, from volumes."""
        how = self._overlaps
        wrong = how.alpha * (predicted - common) + how.beta * (truth - common)
        rated: torch.Tensor = 1 - (common + how.smooth_nr) / (common + wrong + how.smooth_dr)
        return rated


def _pick(unknown: torch.Tensor, values: Sequence[int]) -> torch.Tensor:
    """Columns of some labels of (B, N), of whose labels beyond N nothing is unknown."""
    missing = max(0, max(values) - unknown.shape[1])
    return functional.pad(unknown, (0, missing))[:, [value - 1 for value in values]]


def _spread(whole: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """(B, C) of the samples for every voxel."""
    return whole.to(logits.dtype).reshape(*whole.shape, *(1,) * (logits.ndim - 2))


def split_regions(label: torch.Tensor, regions: Sequence[Sequence[int]]) -> torch.Tensor:
    """Regions of label values, bool (B, R, …), of a label map (B, 1, …)."""
    return torch.cat([torch.isin(label, torch.tensor(values, device=label.device)) for values in regions], dim=1)
