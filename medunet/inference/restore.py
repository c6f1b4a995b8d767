"""From logits on the network's grid to labels on the source grid."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import torch

from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.objects import separate_objects
from medunet.planning import ObjectsPlan
from medunet.preparation import paint_regions, resample_planes, take_largest


def restore_mask(
    planes: Iterable[torch.Tensor], network: Grid, source: Grid, table: LabelTable, objects: ObjectsPlan | None = None
) -> Mask:
    """Interpolate logits linearly on the source grid and take the largest, a plane at a time.

    Of regions the last one counts whose logit is above 0.

    Args:
        planes: of `assemble_planes`: (classes or regions, J, K) float32 for each i of `network`, in order.
        network: grid of the logits.
        source: grid of the first channel as it was read.
        table: the labels.
        objects: of the plan, where the classes are interior and border of objects.

    Returns:
        Classes, or instances where labels number objects.
    """
    values = [region.value for region in table.regions]
    decide = partial(paint_regions, values=values) if values else take_largest
    mask = Mask(kind="classes", voxels=resample_planes(planes, network, source, decide), grid=source, table=table)
    if not table.objects:
        return mask
    smallest = objects.smallest / mask.voxel_volume if objects else 0.0
    return replace(mask, kind="instances", voxels=separate_objects(mask.voxels, smallest))
