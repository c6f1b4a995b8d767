"""From logits on the network's grid to labels on the source grid."""

import torch

from medunet.geometry import Affine, Grid
from medunet.labels import LabelTable, Mask
from medunet.preparation import resample_labels


def restore_mask(logits: torch.Tensor, affine: Affine, source: Grid, table: LabelTable) -> Mask:
    """Interpolate logits linearly on the source grid and take the largest, a few planes at a time.

    Args:
        logits: (classes, I, J, K) float32.
        affine: (4, 4) voxel index to RAS mm of `logits`.
        source: grid of the first channel as it was read.
        table: the labels.
    """
    return Mask(kind="classes", voxels=resample_labels(logits, affine, source), grid=source, table=table)
