"""From the outputs of a bundle from elsewhere to labels on the source grid, in the order of its own steps.

MONAI undoes a chain step by step. Here what was cropped or padded last is undone on the planes as they arrive, and all
that lies before it in one resampling between the two grids, whose places MONAI tracks through every step.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data import MetaTensor

from medunet.bundle import Decision, Recipe
from medunet.errors import BundleError, InputError, MedunetError, name_fault
from medunet.geometry import Affine, Grid
from medunet.inference.box import find_beyond
from medunet.inference.cleaning import clean_labels
from medunet.inference.probabilities import ProbabilityMaps
from medunet.inference.restore import choose_labels, number_objects
from medunet.labels import Mask
from medunet.large_parts import cut_slabs
from medunet.parts import Voxels
from medunet.preparation import find_source_grid, resample_numbers, resample_planes
from medunet.scratch import IN_MEMORY, Room

Planes = Iterable[torch.Tensor]
AT_ONCE = 1 << 22
"""Voxels of labels that are looked at together."""
MOST = 255
"""The largest label value of 8 bits."""
TRACES = 1e-6
"""Sum of probabilities below which a voxel lies where the chain has cropped."""
LEAST = 1e-12
"""A probability below which none is told from 0."""
EPSILON = float(torch.finfo(torch.float32).eps)
NEAR = 1e-3
"""Share of a voxel by which rounding may move a place."""


def lay_slices(voxels: torch.Tensor, affine: Affine, axis: int) -> tuple[torch.Tensor, Affine]:
    """A prepared image (C, I, J, K) and its affine, turned so that slices across an axis lie along the last."""
    order = [*(n for n in range(3) if n != axis), axis]
    return voxels.permute(0, *(n + 1 for n in order)), affine[:, [*order, 3]]


def restore_foreign(
    planes: Planes,
    network: Grid,
    image: MetaTensor,
    recipe: Recipe,
    subject: str,
    keep: ProbabilityMaps | None = None,
    room: Room = IN_MEMORY,
) -> Mask:
    """Labels on the grid on which a scan was read.

    Args:
        planes: of `assemble_planes`: (outputs, J, K) float32 for each i of `network`, in order.
        network: their grid.
        image: as it was prepared, (C, I, J, K), with what MONAI noted of its chain.
        recipe: of the bundle.
        subject: name of the scan, for messages.
        keep: gets the probabilities, where the recipe knows them.
        room: where labels lie.

    Raises:
        BundleError: MONAI's postprocessing fails, or gives no label map.
        InputError: that would be of a box of the scan only.
    """
    source, planes = find_source_grid(image), _name_faults(planes, recipe)
    if recipe.evaluated is not None and recipe.evaluated.postprocessing is not None:
        if sorted(network.shape) != sorted(image.shape[1:]):
            found = "MONAI's postprocessing of this bundle takes whole scans"
            raise InputError("--box", found, "leave it out", code="option-wrong")
        voxels = _let_monai_restore(recipe.evaluated.postprocessing, _stack(planes), image, recipe, subject)
    else:
        outer = _find_outer(image, recipe.window.axis)
        restore = _restore_linearly if recipe.restoring == "linear" else _restore_labels
        voxels = restore(planes, network, outer, source, recipe.decision, keep, room)
        for part, outside in _find_outside(outer.grid, source) if outer.cropped else ():
            voxels[part][outside] = 0
            if keep is not None:
                keep.clear(outside, part)
            room.settle()
    largest, value = len(recipe.task.labels.labels), 0
    for part in cut_slabs(voxels.shape, AT_ONCE):
        value = max(value, int(voxels[part].max(initial=0)))
        room.settle()
    if value > largest:
        found = f"it gives the label value {value} of {subject}, but names {largest} labels at most"
        raise BundleError(recipe.name, found, "correct its postprocessing or channel_def")
    mask = Mask(kind="classes", voxels=voxels, grid=source, table=recipe.task.labels)
    return number_objects(mask, recipe.task)


def _name_faults(planes: Planes, recipe: Recipe) -> Iterator[torch.Tensor]:
    """Planes, or one sentence where a network takes no patches of this size or gives no tensor."""
    try:
        yield from planes
    except MedunetError:
        raise
    except Exception as error:
        said = name_fault(error)
        found = f"its network fails on patches of its inferer ({said})"
        raise BundleError(recipe.name, found, "correct the bundle, or run it with monai.bundle") from error


@dataclass(frozen=True, slots=True, eq=False)
class _Outer:
    """A prepared image before the crops and pads that ended its chain.

    Attributes:
        grid: its grid then.
        kept: voxels along each axis that were in the image all the while; the others MONAI fills up with 0.
        cropped: whether the chain crops before that, too.
    """

    grid: Grid
    kept: tuple[range, range, range]
    cropped: bool


def _restore_linearly(
    planes: Planes,
    network: Grid,
    outer: _Outer,
    source: Grid,
    decision: Decision,
    keep: ProbabilityMaps | None,
    room: Room,
) -> Any:
    activated = (_activate(plane, decision) for plane in planes)
    handed = None if keep is None else lambda scores, box: keep(_score(scores, decision), box)
    labels = resample_planes(_embed(activated, network, outer), outer.grid, source, _choose(decision), handed, room)
    return _clean(labels, decision)


def _restore_labels(
    planes: Planes,
    network: Grid,
    outer: _Outer,
    source: Grid,
    decision: Decision,
    keep: ProbabilityMaps | None,
    room: Room,
) -> Any:
    decided = []
    with nullcontext() if keep is None else keep.make_others().open(outer.grid) as others:
        for i, plane in enumerate(_embed(_decide_planes(planes, decision, others), network, outer)):
            decided.append(plane[-1:])
            if others is not None:
                others.store(plane[:-1, None].numpy(), (slice(i, i + 1), slice(None), slice(None)))
        if keep is not None and others is not None:
            keep.take_nearest(others, outer.grid.affine)
    labels = torch.cat(decided).numpy()
    if decision.cleaned == "before":
        labels = _clean(labels, decision)
    labels = resample_numbers(labels, outer.grid.affine, source, np.uint8, room)
    return labels if decision.cleaned == "before" else _clean(labels, decision)


def _decide_planes(planes: Planes, decision: Decision, maps: ProbabilityMaps | None) -> Iterator[torch.Tensor]:
    """Labels (1, J, K) of each plane; after its probabilities as `maps` keep them, where they are kept."""
    decide = _choose(decision)
    for plane in planes:
        activated = _activate(plane, decision)[:, None]
        labels = decide(activated)
        if maps is None:
            yield labels
        else:
            yield torch.cat([torch.from_numpy(maps.quantize(_score(activated, decision)))[:, 0], labels])


def _activate(outputs: torch.Tensor, decision: Decision) -> torch.Tensor:
    if decision.activation == "softmax":
        return outputs.softmax(0)
    return outputs.sigmoid() if decision.activation == "sigmoid" else outputs


def _choose(decision: Decision) -> Callable[[torch.Tensor], torch.Tensor]:
    """Choose the function from activated outputs (C, I, J, K) to label values (I, J, K) uint8."""
    if decision.kind == "threshold" and not decision.thresholds:
        return partial(_compare, threshold=decision.threshold)
    choose = choose_labels(decision)
    if decision.thresholds:
        return lambda outputs: choose(_score(outputs, decision))
    return partial(_take_certain, choose=choose) if decision.activation == "softmax" else choose


def _score(outputs: torch.Tensor, decision: Decision) -> torch.Tensor:
    """Scores whose softmax, or sigmoid, are the probabilities: of activated outputs, which lost their scale."""
    if decision.activation == "softmax":
        scores = outputs.clamp(min=LEAST).log()
        scores[0] += torch.where(outputs.sum(0) > TRACES, 0.0, -2 * math.log(LEAST))
        return scores
    return outputs.clamp(LEAST, 1 - EPSILON).logit() if decision.activation == "sigmoid" else outputs


def _take_certain(outputs: torch.Tensor, choose: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """The largest of probabilities; 0 where rounding left mere traces of them beside a crop."""
    return choose(outputs) * (outputs.sum(0) > TRACES)


def _compare(outputs: torch.Tensor, threshold: float) -> torch.Tensor:
    return (outputs[0] >= threshold).to(torch.uint8)


def _clean(labels: Any, decision: Decision) -> Any:
    """Run the bundle's steps from a label map to a label map."""
    if not decision.steps:
        return labels
    return _take_labels(torch.from_numpy(clean_labels(labels, decision.steps)), "postprocessing")


def _take_labels(values: torch.Tensor, subject: str) -> Any:
    """Label values as 8 bits.

    Raises:
        BundleError: some are no whole numbers from 0 to 255.
    """
    if values.is_floating_point() and not torch.equal(values, values.round()):
        found = "its postprocessing gives values that are no integers"
        raise BundleError(subject, found, "add a step that decides, such as AsDiscreted")
    if values.numel() and not 0 <= values.min() <= values.max() <= MOST:
        found = f"its postprocessing gives label values from {values.min():g} to {values.max():g}"
        raise BundleError(subject, found, f"map them to 0 to {MOST}")
    return values.to(torch.uint8).numpy()


def _stack(planes: Planes) -> torch.Tensor:
    return torch.stack(list(planes), dim=1)


def _let_monai_restore(
    postprocessing: Any, outputs: torch.Tensor, image: MetaTensor, recipe: Recipe, subject: str
) -> Any:
    """Labels on the source grid by MONAI's own postprocessing, which the bundle's user trusts."""
    outputs = outputs.movedim(3, recipe.window.axis + 1)
    flat = recipe.task.unit == "px"
    shown = image[..., 0] if flat else image
    given = MetaTensor(outputs[..., 0] if flat else outputs, meta=dict(image.meta))
    given.applied_operations = list(image.applied_operations)
    shown.applied_operations = list(image.applied_operations)
    try:
        result = torch.as_tensor(postprocessing({"image": shown, "pred": given}))
    except Exception as error:
        said = name_fault(error)
        raise BundleError(recipe.name, f"MONAI's postprocessing of {subject} fails ({said})", "correct it") from error
    source = find_source_grid(image)
    result = result[..., None] if flat else result
    wanted = source.shape if postprocessing.restores else tuple(image.shape[1:])
    if tuple(result.shape) != (1, *wanted):
        shape = " × ".join(map(str, result.shape))
        remedy = "add a step that joins its channels, or Invertd"
        raise BundleError(recipe.name, f"its postprocessing of {subject} gives {shape} values, no label map", remedy)
    labels = _take_labels(result[0].as_tensor() if isinstance(result, MetaTensor) else result[0], recipe.name)
    if postprocessing.restores:
        return labels
    return resample_numbers(labels, np.asarray(image.affine), source, np.uint8)


def _find_outer(image: MetaTensor, axis: int) -> _Outer:
    """A prepared image (C, I, J, K) before its last crops and pads; `axis` as of `lay_slices`."""
    shape, shift = np.array(image.shape[1:]), np.zeros(3, dtype=int)
    kept = np.stack([np.zeros(3, dtype=int), shape])
    operations = list(image.applied_operations)
    while operations and (moved := _measure_shift(operations[-1])) is not None:
        size = operations.pop()["orig_size"]
        shift[: len(moved)] += moved
        shape[: len(moved)] = [int(n) for n in size]
        kept = np.stack([np.maximum(kept[0], -shift), np.minimum(kept[1], shape - shift)])
    affine = np.array(image.affine)
    affine[:3, 3] -= affine[:3, :3] @ shift
    order = [*(n for n in range(3) if n != axis), axis]
    i, j, k = shape[order].tolist()
    low, high = (kept + shift)[:, order].tolist()
    x, y, z = (range(first, max(first, end)) for first, end in zip(low, high, strict=True))
    cropped = any(any(each["extra_info"].get("cropped", ())) for each in operations)
    return _Outer(Grid((i, j, k), affine[:, [*order, 3]]), (x, y, z), cropped)


def _measure_shift(operation: dict[str, Any]) -> npt.NDArray[np.int_] | None:
    """Voxels that a crop or pad cut off before each axis; None of another step."""
    extra = operation["extra_info"]
    padded = extra.get("padded") or extra.get("pad_info", {}).get("extra_info", {}).get("padded")
    cropped = extra.get("cropped")
    if padded is None and cropped is None:
        return None
    axes = len(operation["orig_size"])
    shift = np.zeros(axes, dtype=int)
    if cropped is not None:
        shift += np.array(cropped[::2][:axes])
    if padded is not None:
        shift -= np.array([before for before, _ in padded[1 : axes + 1]])
    return shift


def _find_outside(outer: Grid, source: Grid) -> Iterator[tuple[slice, Voxels]]:
    """Voxels of the source grid beyond another grid, by half a voxel after its last; some planes at a time."""
    ends = [size - 0.5 for size in outer.shape]
    return find_beyond(source, np.asarray(np.linalg.inv(outer.affine), np.float64), [-NEAR] * 3, ends)


def _embed(planes: Planes, inner: Grid, outer: _Outer) -> Iterator[torch.Tensor]:
    """Planes of one grid as planes of the outer one, which is shifted by whole voxels; 0 where nothing was kept."""
    start = np.rint(outer.grid.to_voxel(inner.affine[:3, 3])).astype(int)
    if inner.shape == outer.grid.shape and not start.any() and all(map(len, outer.kept)):
        yield from planes
        return
    parts = [range(max(k.start, s), min(k.stop, s + n)) for k, s, n in zip(outer.kept, start, inner.shape, strict=True)]
    into = [slice(part.start, max(part.start, part.stop)) for part in parts]
    of = [slice(part.start - s, max(part.start, part.stop) - s) for part, s in zip(into, start, strict=True)]
    following, number = iter(planes), int(start[0])
    plane = next(following)
    for i in range(outer.grid.shape[0]):
        while number < i < start[0] + inner.shape[0]:
            plane, number = next(following), number + 1
        whole = plane.new_zeros((*plane.shape[:-2], *outer.grid.shape[1:]))
        if i in parts[0]:
            whole[..., into[1], into[2]] = plane[..., of[1], of[2]]
        yield whole
    # Whoever makes the planes says how far that is, to the last.
    for _ in following:
        pass
