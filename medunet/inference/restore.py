"""From logits on the network's grid to labels on the source grid."""

from dataclasses import replace
from functools import partial

import torch

from medunet.geometry import Affine, Grid
from medunet.labels import LabelTable, Mask
from medunet.objects import separate_objects
from medunet.planning import ObjectsPlan
from medunet.preparation import paint_regions, resample_labels, take_largest


def restore_mask(
    logits: torch.Tensor, affine: Affine, source: Grid, table: LabelTable, objects: ObjectsPlan | None = None
) -> Mask:
    """Interpolate logits linearly on the source grid and take the largest, a few planes at a time.

    Of regions the last one counts whose logit is above 0.

    Args:
        logits: (classes or regions, I, J, K) float32.
        affine: (4, 4) voxel index to RAS mm of `logits`.
        source: grid of the first channel as it was read.
        table: the labels.
        objects: of the plan, where the classes are interior and border of objects.

    Returns:
        Classes, or instances where labels number objects.
    """
    values = [region.value for region in table.regions]
    decide = partial(paint_regions, values=values) if values else take_largest
    mask = Mask(kind="classes", voxels=resample_labels(logits, affine, source, decide), grid=source, table=table)
    if not table.objects:
        return mask
    smallest = objects.smallest / mask.voxel_volume if objects else 0.0
    return replace(mask, kind="instances", voxels=separate_objects(mask.voxels, smallest))
