"""From logits on the network's grid to labels on the source grid."""

from dataclasses import replace

import torch

from medunet.geometry import Affine, Grid
from medunet.labels import LabelTable, Mask
from medunet.planning import ObjectsPlan
from medunet.preparation import resample_labels, separate_objects


def restore_mask(
    logits: torch.Tensor, affine: Affine, source: Grid, table: LabelTable, objects: ObjectsPlan | None = None
) -> Mask:
    """Interpolate logits linearly on the source grid and take the largest, a few planes at a time.

    Args:
        logits: (classes, I, J, K) float32.
        affine: (4, 4) voxel index to RAS mm of `logits`.
        source: grid of the first channel as it was read.
        table: the labels.
        objects: of the plan, where the classes are interior and border of objects.

    Returns:
        Classes, or instances where labels number objects.
    """
    mask = Mask(kind="classes", voxels=resample_labels(logits, affine, source), grid=source, table=table)
    if not table.objects:
        return mask
    smallest = objects.smallest / mask.voxel_volume if objects else 0.0
    return replace(mask, kind="instances", voxels=separate_objects(mask.voxels, smallest))
