"""From the logits of patches to the logits of the whole prepared volume, plane by plane."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from monai.data.utils import compute_importance_map
from torch.nn.functional import pad

from medunet.errors import BundleError
from medunet.geometry import Shape
from medunet.inference.backends import Backend
from medunet.inference.sums import Sums, count_sums
from medunet.preparation import Start, place_patches
from medunet.progress import track
from medunet.scratch import IN_MEMORY, Room


@dataclass(frozen=True, slots=True)
class Assembly:
    """How patches become a whole.

    Attributes:
        mode: weights of a patch's voxels: "gaussian" around its centre, or "constant".
        padding: with what the image is filled up, as `torch.nn.functional.pad` calls it; "constant" is 0.
        room: where sums of logits lie, but for those of the first classes.
        held: classes of which they are in memory; all if None.
    """

    mode: str = "gaussian"
    padding: str = "constant"
    room: Room = IN_MEMORY
    held: int | None = None


PLAIN = Assembly()


def assemble_planes(
    image: torch.Tensor, backend: Backend, patch: Shape, overlap: float, what: str, how: Assembly = PLAIN
) -> Iterator[torch.Tensor]:
    """Run a backend over all patches and add their logits up, weighted as MONAI does.

    A plane is handed on as soon as no patch will touch it again. Patches are run along the first axis slowest, and
    planes come along it: another axis would add the patches of a voxel in another order and so round otherwise.

    Args:
        image: (C, I, J, K) float32; filled up where it is smaller than the patch, as MONAI does.
        backend: computes logits; gets as many patches at once as it prefers, and those that are left.
        patch: voxels (I, J, K).
        overlap: of neighbouring patches.
        what: name of the work for the progress.
        how: patches become a whole.

    Yields:
        (classes, J, K) float32 for each i of the image, in order.

    Raises:
        BundleError: logits are no finite numbers, as of damaged weights.
    """
    padded, offset = _pad(image, patch, how.padding)
    weight = compute_importance_map(patch, mode=how.mode, sigma_scale=0.125)
    weight = weight.clamp(min=max(float(weight.min()), 1e-3)).float()
    starts = place_patches(tuple(padded.shape[1:]), patch, overlap)
    inner = tuple(slice(o, o + n) for o, n in zip(offset, image.shape[1:], strict=True))
    patches = _run_patches(padded, backend, patch, starts, what)
    for i, plane in enumerate(_sum_patches(patches, (*padded.shape,), weight, how)):
        if inner[0].start <= i < inner[0].stop:
            yield plane[:, inner[1], inner[2]]


def count_assembling(
    shape: Shape, patch: Shape, channels: int, classes: int, batch: int, held: int | None = None
) -> int:
    """Bytes that `assemble_planes` holds at most beside the image, and beside the backend while that runs.

    Args:
        shape: voxels (I, J, K) of the image.
        patch: voxels (I, J, K).
        channels: of the image.
        classes: logits of a voxel.
        batch: patches at once; 0 where the backend's own count has them and their logits.
        held: classes whose sums are in memory; all if not given.
    """
    padded = [max(pair) for pair in zip(shape, patch, strict=True)]
    copy = channels * int(np.prod(padded)) if tuple(padded) != tuple(shape) else 0
    sums = count_sums((classes, patch[0], padded[1], padded[2]), classes if held is None else held)
    # Patches, their logits, those of a constant one, a class times its weight, and the weights.
    voxels = int(np.prod(patch)) * (batch * (channels + classes) + classes + 2)
    return 4 * (copy + voxels) + sums


def _sum_patches(
    patches: Iterable[tuple[Start, torch.Tensor]],
    shape: tuple[int, int, int, int],
    weight: torch.Tensor,
    how: Assembly,
) -> Iterator[torch.Tensor]:
    """Weighted means of the logits of patches, plane by plane.

    Args:
        patches: first voxel and logits (classes, I, J, K) of each, those that begin with a lower plane first.
        shape: (C, I, J, K) of the padded image.
        weight: (I, J, K) of each voxel of a patch.
        how: tells where sums lie.

    Yields:
        (classes, J, K) for each i of the padded image, in order.
    """
    sums: Sums | None = None
    first = 0
    for start, logits in patches:
        if sums is None:
            sums = Sums((len(logits), len(weight), *shape[2:]), how.room, how.held)
        yield from sums.hand_on(start[0] - first)
        first = start[0]
        j, k = (slice(s, s + n) for s, n in zip(start[1:], weight.shape[1:], strict=True))
        sums.add((j, k), logits, weight)
        del logits  # the next ones come before this name is taken again
    if sums is None:
        raise ValueError("a volume has at least one patch")
    yield from sums.hand_on(len(weight))


def _run_patches(
    padded: torch.Tensor, backend: Backend, patch: Shape, starts: list[Start], what: str
) -> Iterator[tuple[Start, torch.Tensor]]:
    """First voxel and logits (classes, I, J, K) of each patch, in the order of `starts`.

    Patches whose channels have one value each, as in air, are computed once as long as they follow with the same
    values. The others are put together as the backend prefers, and those that would be left at the end are computed
    as they would without: so logits are the same to the last bit.
    """
    size = backend.traits.preferred_batch
    whole = len(starts) - len(starts) % size
    waiting: list[tuple[Start, _Patch]] = []
    known: _Patch | None = None
    for number, start in enumerate(track(starts, what, len(starts)), start=1):
        box = tuple(slice(s, s + n) for s, n in zip(start, patch, strict=True))
        item = _Patch(padded[(slice(None), *box)])
        if item.values and number <= whole:
            known = item = known if known is not None and known.values == item.values else item
        waiting.append((start, item))
        missing = list(dict.fromkeys(item for _, item in waiting if item.logits is None))
        if len(missing) in (0, size) or number in (whole, len(starts)):
            _compute(missing, backend, size if number <= whole else len(missing), what)
            # Nothing here may keep logits while the next ones are computed, but for those of a constant patch.
            del missing, item
            yield from _take(waiting)


def _take(waiting: "list[tuple[Start, _Patch]]") -> Iterator[tuple[Start, torch.Tensor]]:
    """Hand on the first voxels and logits of patches, and forget them."""
    while waiting:
        start, item = waiting.pop(0)
        if item.logits is not None:
            yield start, item.logits


class _Patch:
    """A patch that is to be computed.

    Attributes:
        voxels: (C, I, J, K).
        values: of each channel where it has only one; empty where it has more.
        logits: (classes, I, J, K), None until they are computed.
    """

    __slots__ = ("logits", "values", "voxels")

    def __init__(self, voxels: torch.Tensor) -> None:
        first = voxels[:, :1, :1, :1]
        self.voxels = voxels
        self.values = tuple(first.flatten().tolist()) if bool((voxels == first).all()) else ()
        self.logits: torch.Tensor | None = None


def _compute(patches: list[_Patch], backend: Backend, size: int, what: str) -> None:
    """Compute patches together, the last one as often as they are fewer than `size`."""
    if not patches:
        return
    filled = [*patches, *[patches[-1]] * (size - len(patches))]
    logits = backend.run(torch.stack([item.voxels for item in filled]))
    if not torch.isfinite(logits.sum()):
        remedy = "restore the weights from a copy, or train the bundle anew"
        raise BundleError(what, "the logits of the network are not finite", remedy, code="weights-wrong")
    for item, own in zip(patches, logits, strict=False):
        # What is kept for longer doesn't keep the others of its call.
        item.logits = own.clone() if item.values else own


def _pad(image: torch.Tensor, patch: Shape, mode: str) -> tuple[torch.Tensor, list[int]]:
    missing = [max(size - n, 0) for size, n in zip(patch, image.shape[1:], strict=True)]
    if not any(missing):
        return image, [0, 0, 0]
    before = [m // 2 for m in missing]
    ends = [end for m in reversed(missing) for end in (m // 2, m - m // 2)]
    return pad(image[None], ends, mode=mode)[0], before
