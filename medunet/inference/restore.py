"""From logits on the network's grid to labels on the source grid."""

from dataclasses import replace

import torch

from medunet.geometry import Affine, Grid
from medunet.labels import Mask
from medunet.planning import Plan
from medunet.preparation import resample_labels, separate_objects


def restore_mask(logits: torch.Tensor, affine: Affine, source: Grid, plan: Plan) -> Mask:
    """Interpolate logits linearly on the source grid and take the largest, a few planes at a time.

    Args:
        logits: (classes, I, J, K) float32.
        affine: (4, 4) voxel index to RAS mm of `logits`.
        source: grid of the first channel as it was read.
        plan: says what the classes are.

    Returns:
        Classes, or instances where labels number objects.
    """
    mask = Mask(kind="classes", voxels=resample_labels(logits, affine, source), grid=source, table=plan.labels)
    if not plan.labels.objects:
        return mask
    smallest = plan.objects.smallest / mask.voxel_volume if plan.objects else 0.0
    return replace(mask, kind="instances", voxels=separate_objects(mask.voxels, smallest))
