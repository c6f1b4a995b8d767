"""Random changes of training patches, as a list of MONAI `_target_` dictionaries."""

import math
from typing import Any

from medunet.planning import Plan

PLANE_ONLY_FROM = 3.0
"""From this anisotropy of the patch's spacing on, patches are rotated within the fine plane only (Isensee 2021)."""


def make_augmentation(plan: Plan) -> list[dict[str, Any]]:
    """Augmentation with Isensee's probabilities and ranges, for `image` (C, …) and `label` (1, …) of a patch.

    One resampling does rotation and scaling. Elastic deformation is left out: on a CPU it costs five times the
    rest together. Pictures have no upright, so quarter turns come along, and their colours change one by one.
    """
    both = ["image", "label"]
    angle = math.radians(30 if plan.dims == 3 else 180)
    rotation = [angle] if plan.dims == 2 else [angle] * 3
    if plan.dims == 3 and max(plan.spacing_mm) > PLANE_ONLY_FROM * min(plan.spacing_mm):
        # MONAI's angles turn about the array's axes I, J, K: keep the turn about the coarse one.
        coarse = plan.spacing_mm.index(max(plan.spacing_mm))
        rotation = [math.pi if axis == coarse else 0.0 for axis in range(3)]
    axes = range(2 if plan.dims == 2 else 3)
    steps: list[dict[str, Any]] = [
        {
            "_target_": "RandAffined",
            "keys": both,
            "prob": 0.35,
            "rotate_range": rotation,
            "scale_range": [[-0.3, 0.4]] * len(axes),
            "mode": ["bilinear", "nearest"],
            "padding_mode": "border",
        }
    ]
    steps += [{"_target_": "RandFlipd", "keys": both, "prob": 0.5, "spatial_axis": axis} for axis in axes]
    if plan.unit == "px" and plan.patch[0] == plan.patch[1]:
        steps.append({"_target_": "RandRotate90d", "keys": both, "prob": 0.5, "max_k": 1})
    colours = {"channel_wise": True} if max(plan.components.values(), default=1) > 1 else {}
    steps += [
        {"_target_": "RandGaussianNoised", "keys": ["image"], "prob": 0.1, "std": 0.3},
        {"_target_": "RandScaleIntensityd", "keys": ["image"], "prob": 0.15, "factors": 0.25, **colours},
        {"_target_": "RandShiftIntensityd", "keys": ["image"], "prob": 0.15, "offsets": 0.2, **colours},
        {"_target_": "RandAdjustContrastd", "keys": ["image"], "prob": 0.15, "gamma": [0.7, 1.5], "retain_stats": True},
    ]
    return steps
