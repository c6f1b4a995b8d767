"""From logits on the network's grid to labels on the source grid."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import torch

from medunet.bundle import Decision
from medunet.geometry import Grid
from medunet.labels import Mask
from medunet.objects import separate_objects
from medunet.preparation import Keep, paint_regions, resample_planes, take_largest, take_likely
from medunet.scratch import IN_MEMORY, Room
from medunet.task import Task


def restore_mask(
    planes: Iterable[torch.Tensor],
    network: Grid,
    source: Grid,
    task: Task,
    decision: Decision,
    keep: Keep | None = None,
    room: Room = IN_MEMORY,
) -> Mask:
    """Interpolate logits linearly on the source grid and decide there, a plane at a time.

    Args:
        planes: of `assemble_planes`: (classes or regions, J, K) float32 for each i of `network`, in order.
        network: grid of the logits.
        source: grid of the first channel as it was read.
        task: the labels, and how objects are told apart where the classes are their interior and border.
        decision: from logits to label values.
        keep: is given the logits of each plane of `source`, too.
        room: where labels lie.

    Returns:
        Classes, or instances where labels number objects.
    """
    voxels = resample_planes(planes, network, source, choose_labels(decision), keep, room)
    return number_objects(Mask(kind="classes", voxels=voxels, grid=source, table=task.labels), task)


def number_objects(mask: Mask, task: Task) -> Mask:
    """A mask of classes as it is, or where labels number objects one of these, of their interior and border."""
    if not task.labels.objects:
        return mask
    smallest = task.objects.smallest / mask.voxel_volume if task.objects else 0.0
    return replace(mask, kind="instances", voxels=separate_objects(mask.voxels, smallest))


def choose_labels(decision: Decision) -> Callable[[torch.Tensor], torch.Tensor]:
    """Choose the function from logits (outputs, I, J, K) to label values (I, J, K) uint8.

    Of a single output with a threshold these are what is compared with it, unless another probability is asked for.
    """
    if decision.kind == "threshold":
        (likely,) = decision.thresholds or (None,)
        least = decision.threshold if likely is None else math.log(likely / (1 - likely))
        return lambda scores: (scores[0] >= least).to(torch.uint8)
    if decision.temperature != 1 and decision.thresholds:
        choose = choose_labels(replace(decision, temperature=1.0))
        return lambda scores: choose(decision.temper(scores))
    # Without thresholds masks are those of the logits as they are, bit for bit.
    if decision.kind == "regions":
        return partial(paint_regions, values=decision.values, thresholds=decision.thresholds)
    take = partial(take_likely, thresholds=decision.thresholds) if decision.thresholds else take_largest
    if decision.values == tuple(range(len(decision.values))):
        return take
    values = torch.tensor(decision.values, dtype=torch.uint8)
    return lambda scores: values[take(scores).long()]
