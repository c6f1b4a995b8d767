"""Random changes of training patches: a `Warp`, and a list of MONAI `_target_` dictionaries."""

import math
from itertools import accumulate
from typing import Any

import torch
from monai.bundle import ConfigComponent
from monai.transforms import MapTransform

from medunet.errors import BundleError, name_fault
from medunet.planning import Plan, list_mirrored
from medunet.preparation.chain import find_transform
from medunet.preparation.warp import Warp
from medunet.sides import describe_sides
from medunet.task import Task

PLANE_ONLY_FROM = 3.0
"""From this anisotropy of the patch's spacing on, patches are rotated within the fine plane only (Isensee 2021)."""
SCALES = (0.7, 1.4)
SHAPE_CHANGES = (0.2, 0.2, 0.2)
"""Probabilities of a turn, another size, bending: Isensee's, who doesn't bend."""
LONG_RUN = 10_000
"""Steps from which on patches are blurred and seen at a lower resolution as well. In 400 steps of the demo's patients
that cost a tenth of the Dice; Isensee's networks have 250,000. Where it begins to pay wasn't measured."""
LEFT_OUT = 0.25
"""Probability that a patch lacks one of several channels. Beside 0.05, with 1,680 steps on each of five folds of
sarcomas in PET/CT: Dice 0.784 for 0.775, better in 26 of 38 patients (docs/concepts/training.md)."""
FLIPS = ("RandFlipd", "Flipd", "RandFlipD", "FlipD", "RandFlipDict", "FlipDict")
MIRRORING = FLIPS + tuple(f"Rand{name}{end}" for name in ("AxisFlip", "Rotate90") for end in ("d", "D", "Dict"))
"""MONAI's transforms that mirror or, together with a flip, may: those of an axis, of any axis, and by quarter turns."""
MISALIGNED_MM = 3.0
"""Largest shift, in mm, of one channel against the others: what two scanners' beds or a breath may cause."""


def make_warp(plan: Plan) -> dict[str, Any]:
    """Size of patches and changes of their shape, with Isensee's ranges."""
    angle = math.radians(30)
    angles = [angle] * 3
    spacing = plan.grid.spacing_mm
    # Half a turn and a flip from back to front are a flip from left to right.
    widest = angle if plan.task.sides else math.pi
    if plan.network.dims == 2:
        angles = [0.0, 0.0, widest]
    elif max(spacing) > PLANE_ONLY_FROM * min(spacing):
        coarse = spacing.index(max(spacing))
        angles = [widest if axis == coarse else 0.0 for axis in range(3)]
    starts = _find_starts(plan.task)
    several = len(starts) > 1 and plan.task.unit == "mm"
    return {
        "_target_": "medunet.preparation.Warp",
        "patch": list(plan.window.patch),
        "spacing_mm": list(spacing),
        "angles": angles,
        "scales": list(SCALES),
        "probabilities": [*SHAPE_CHANGES, 0.1 if several else 0.0],
        "channels": starts,
        "shift_mm": MISALIGNED_MM,
    }


def _find_starts(task: Task) -> list[int]:
    """Input of the network at which each channel begins."""
    return list(accumulate(map(task.count_components, task.channels[:-1]), initial=0))


def make_augmentation(plan: Plan) -> list[dict[str, Any]]:
    """What follows the warp, for `image` (C, …) and `label` (1, …) of a patch: flips and changes of intensity.

    Isensee's probabilities and ranges, and in a `LONG_RUN` all his kinds. Around bodies that were cut out of their CTs
    something is drawn first. Pictures have no upright, so quarter turns come along. Where labels have sides nothing is
    mirrored across the midline, nor turned so.
    """
    both: dict[str, Any] = {"keys": ["image", "label"], "prob": 0.5}
    image = {"keys": ["image"]}
    axes, patch = range(plan.network.dims), plan.window.patch
    steps = _make_surroundings(plan)
    steps += [{"_target_": "RandFlipd", **both, "spatial_axis": axis} for axis in list_mirrored(plan)]
    if plan.task.unit == "px" and patch[0] == patch[1] and not plan.task.sides:
        steps.append({"_target_": "RandRotate90d", **both, "max_k": 1})
    steps.append({"_target_": "RandGaussianNoised", **image, "prob": 0.1, "std": 0.3})
    if plan.count_steps() >= LONG_RUN:
        zoom = {"zoom_range": [0.5, 1.0], "upsample_mode": "bilinear" if len(axes) == 2 else "trilinear"}
        blur = {f"sigma_{axis}": [0.5, 1.0] for axis in "xyz"[: len(axes)]}
        steps += [
            {"_target_": "RandGaussianSmoothd", **image, "prob": 0.2, **blur},
            {"_target_": "RandSimulateLowResolutiond", **image, "prob": 0.25, **zoom},
        ]
    steps += [
        {"_target_": "RandScaleIntensityd", **image, "prob": 0.15, "factors": 0.25, "channel_wise": True},
        {"_target_": "RandShiftIntensityd", **image, "prob": 0.15, "offsets": 0.2, "channel_wise": True},
        {"_target_": "RandAdjustContrastd", **image, "prob": 0.15, "gamma": [0.7, 1.5], "retain_stats": True},
    ]
    starts = _find_starts(plan.task)
    if len(starts) > 1:
        drop = "medunet.preparation.RandDropChanneld"
        steps.append({"_target_": drop, **image, "channels": starts, "prob": LEFT_OUT})
    return [*steps, *plan.training.augmentation]


def _make_surroundings(plan: Plan) -> list[dict[str, Any]]:
    """What draws around a body that was cut out, before anything is mirrored: a couch lies behind it."""
    steps = []
    for name in plan.training.surroundings:
        how = plan.grid.normalization[name]
        steps.append(
            {
                "_target_": "medunet.preparation.RandSurroundingsd",
                "keys": ["image"],
                "channel": _find_starts(plan.task)[plan.task.channels.index(name)],
                "scale": [how.low, how.high, how.mean, how.sd],
                "spacing_mm": list(plan.grid.spacing_mm),
                "axes": plan.grid.axes,
            }
        )
    return steps


def build_augmentation(plan: Plan) -> tuple[Warp, list[Any]]:
    """Both parts, as a `PatchDataset` takes them.

    Raises:
        BundleError: a step of the plan's own `augmentation` is no data or not of MONAI, or changes the size of patches
            or the values of labels.
    """
    count = len(plan.training.augmentation)
    made = make_augmentation(plan)
    parts = [make_warp(plan), *made[: len(made) - count]]
    warp, *steps = (ConfigComponent(config=part).instantiate() for part in parts)
    return warp, [*steps, *(_build_step(plan, number) for number in range(count))]


def _build_step(plan: Plan, number: int) -> Any:
    """A step that somebody added, after it was tried on a patch."""
    part = plan.training.augmentation[number]
    subject, name = f"training.augmentation.{number}", part.get("_target_")
    kind = find_transform(part)
    if kind is None or not issubclass(kind, MapTransform):
        found = f"{name!r} is no dictionary transform of MONAI's, or holds more than data"
        raise BundleError(subject, found, "name one like RandGaussianSmoothd", code="bundle-untrusted")
    _check_sides(plan, part, subject)
    shape = plan.window.patch[: plan.network.dims]
    inputs = torch.rand(plan.task.count_inputs(), *shape, generator=torch.Generator().manual_seed(0))
    patch = {"image": inputs, "label": (inputs[:1] > 0.5).float()}
    try:
        step = ConfigComponent(config=part).instantiate()
        tried = step(dict(patch))
    except Exception as error:
        raise BundleError(
            subject, f"{name} fails on a patch ({name_fault(error.__cause__ or error)})", "correct it"
        ) from error
    for key, before in patch.items():
        if tuple(tried[key].shape) != tuple(before.shape):
            found = f"{name} makes {tuple(tried[key].shape)} of an {key} of {tuple(before.shape)}"
            raise BundleError(subject, found, "take a transform that keeps the size")
    if not torch.isin(torch.as_tensor(tried["label"]), patch["label"].unique()).all():
        raise BundleError(subject, f"{name} makes values between those of labels", "give label the mode nearest")
    return step


def _check_sides(plan: Plan, part: dict[str, Any], subject: str) -> None:
    """Refuse a step that mirrors across the midline, or may, where labels have sides."""
    name = str(part.get("_target_")).rpartition(".")[2]
    if not plan.task.sides or name not in MIRRORING:
        return
    allowed, axis = set(list_mirrored(plan)), part.get("spatial_axis")
    axes: list[int] = [*axis] if isinstance(axis, list | tuple) else [] if axis is None else [axis]
    if not axes or name not in FLIPS or not {at % plan.network.dims for at in axes} <= allowed:
        found = f"{name} mirrors across the midline, but {describe_sides(plan.task.sides)} have sides"
        listed = ", ".join(map(str, sorted(allowed)))
        raise BundleError(subject, found, f"flip along spatial_axis {listed} only" if listed else "leave it out")
