"""What a page holds of a case for its viewer: images and both masks as compressed NIfTI, in a box and as a whole.

The *box* around truth and prediction (where the truth isn't known, around the prediction) has the grid of the scan, the
*whole* scan is coarser, each voxel the mean of several (of masks the largest label that any of them has). Channels that
lie on a grid of their own keep it. What is too large for a page is rounded first and made coarser then, and says so.
"""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, inf, prod
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from medunet.geometry import Grid, Shape, measure_displacement
from medunet.labels import Mask
from medunet.measures import Channel
from medunet.parts import Crop, Voxels, find_extent, widen_box
from medunet.report.drawings import part_objects
from medunet.windows import SOFT_TISSUE, find_window

MARGIN_MM, MARGIN_PX = 10.0, 16
"""Around truth and prediction, at least; in pixels where images have no physical size."""
ROOM_BYTES = 620_000
"""Compressed, of the box of a case: eight cases, their pictures and niivue come to less than 12 MB."""
WHOLE_VOXELS, FULL_VOXELS = 120_000, 40_000_000
"""Voxels of the whole scan, as it is embedded and with `full`."""
LEVELS = 100
"""Grey values within the window that rounding leaves."""
WINDOWS = {"HU": SOFT_TISSUE}
"""Level and width by the unit of values; of others 0.5th to 99.5th percentile."""


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """An image of a part.

    Attributes:
        name: of the channel.
        unit: of its values, "" where it isn't known.
        window: values shown black and white.
        nifti: a compressed NIfTI.
    """

    name: str
    unit: str
    window: tuple[float, float]
    nifti: bytes


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A case, in a box or as a whole.

    Attributes:
        name: "box" or "whole scan".
        text: which voxels they are, in words.
        start: voxel of the scan (3,) where it begins.
        step: voxels of the scan (3,) in each of its own.
        channels: images; each has a grid of its own.
        truth: a compressed NIfTI, where it is known.
        prediction: a compressed NIfTI.
    """

    name: str
    text: str
    start: tuple[int, ...]
    step: tuple[int, ...]
    channels: tuple[ShownChannel, ...]
    truth: bytes | None
    prediction: bytes


@dataclass(frozen=True, slots=True)
class _Wish:
    """How much of a part is kept.

    Attributes:
        step: voxels of the scan in each of its own, along each axis.
        rounded: values are rounded.
        room: bytes that its images may take; they are rounded, then made coarser until they fit.
    """

    step: Shape = (1, 1, 1)
    rounded: bool = False
    room: float = inf


@dataclass(frozen=True, slots=True)
class ShownCase:
    """A case in the viewer.

    Attributes:
        name: of the case.
        unit: "mm", or "px" where the image has no physical size.
        labels: names of the values of both masks.
        place: world position (3,) that is shown first, within the truth where there is any.
        parts: what is there of it.
    """

    name: str
    unit: str
    labels: Mapping[int, str]
    place: tuple[float, ...]
    parts: tuple[ShownPart, ...]


def embed_case(
    name: str, channels: Sequence[Channel], truth: Mask | None, mask: Mask, *, full: bool = False
) -> ShownCase:
    """Make what the viewer needs of a case.

    Args:
        name: of the case.
        channels: images, on any grids.
        truth: on the grid of the mask, where it is known.
        mask: what was predicted; gives the grid.
        full: leave nothing out to save room: the whole scan on its own grid, and every value as it is.
    """
    masks = tuple(_separate(one) for one in (truth, mask) if one is not None)
    grid = mask.grid
    images = [replace(image, name=said, voxels=one[None]) for image in channels for said, one in _split(image)]
    box, whole = _find_box(*masks), (slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2]))
    wish = _Wish() if full else _Wish(rounded=True, step=_find_step(grid, WHOLE_VOXELS))
    if full or box == whole:
        parts = [_make_part("whole scan", whole, images, masks, _Wish() if full else _Wish(room=ROOM_BYTES))]
    else:
        parts = [
            _make_part("box", box, images, masks, _Wish(room=ROOM_BYTES)),
            _make_part("whole scan", whole, images, masks, wish),
        ]
    place = grid.to_world(_find_place(*masks)[None])[0]
    labels = {label.value: label.name for label in masks[0].table.labels}
    return ShownCase(name, grid.unit, labels, tuple(map(float, place)), tuple(parts))


def _separate(mask: Mask) -> Mask:
    """The mask itself, or of numbered objects one label without a line of voxels where they touch."""
    if mask.kind != "instances":
        return mask
    return replace(mask, kind="classes", voxels=part_objects(mask).astype(np.uint8))


def _split(image: Channel) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    return zip(image.name_components(), image.voxels, strict=True)


def _find_box(*masks: Mask) -> Crop:
    """Around all that any mask holds; the whole image where they hold nothing."""
    grid = masks[0].grid
    found = find_extent(*(mask.is_labelled() for mask in masks))
    if found is None:
        return slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2])
    margins = [MARGIN_PX if grid.unit == "px" else ceil(MARGIN_MM / size) for size in grid.spacing]
    return widen_box(found, margins, grid.shape)


def _find_place(*masks: Mask) -> npt.NDArray[Any]:
    """The voxel of the truth (else of the prediction) that is nearest to its middle."""
    grid = masks[0].grid
    for inside in (mask.is_labelled() for mask in masks):
        if inside.any():
            return _find_middle(inside, grid)
    return np.array([(n - 1) // 2 for n in grid.shape])


def _find_middle(inside: Voxels, grid: Grid) -> npt.NDArray[Any]:
    """The voxel of some that is nearest to their middle, plane by plane."""
    counts = [np.count_nonzero(inside, axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    middle = np.array([np.arange(len(count)) @ count / count.sum() for count in counts])
    least, nearest = inf, np.zeros(3, np.intp)
    for i in np.flatnonzero(counts[0]):
        held = np.argwhere(inside[i])
        apart = np.square((held - middle[1:]) * grid.spacing[1:]).sum(axis=1)
        apart += ((i - middle[0]) * grid.spacing[0]) ** 2
        best = int(apart.argmin())
        if apart[best] < least:
            least, nearest = float(apart[best]), np.array([i, *held[best]])
    return nearest


def _find_step(grid: Grid, most: int) -> Shape:
    """Steps along the axes that leave no more than so many voxels, as alike in all directions as can be."""
    step = (1, 1, 1)
    while prod(-(-n // s) for n, s in zip(grid.shape, step, strict=True)) > most:
        step = _lengthen(step, grid)
    return step


def _lengthen(step: Shape, grid: Grid) -> Shape:
    """One voxel more along the axis on which they are closest."""
    apart = [s * mm if s < n else inf for s, mm, n in zip(step, grid.spacing, grid.shape, strict=True)]
    axis = apart.index(min(apart))
    longer = [s + (n == axis) for n, s in enumerate(step)]
    return longer[0], longer[1], longer[2]


def _make_part(name: str, box: Crop, images: Sequence[Channel], masks: tuple[Mask, ...], wish: _Wish) -> ShownPart:
    grid = masks[0].grid
    cut = [_cut(image, grid, box) for image in images]
    windows = [find_window(image.voxels, WINDOWS.get(image.unit)) for image in cut]
    size = tuple(side.stop - side.start for side in box)
    while True:
        units = [(high - low) / LEVELS if wish.rounded else 0.0 for low, high in windows]
        coarse = [_shrink(image, _match(wish.step, grid, image.grid)) for image in cut]
        packed = [pack_volume(one.voxels[0], one.grid, unit) for one, unit in zip(coarse, units, strict=True)]
        if sum(map(len, packed)) <= wish.room or all(s >= n for s, n in zip(wish.step, size, strict=True)):
            break
        wish = replace(wish, rounded=True, step=_lengthen(wish.step, grid) if wish.rounded else wish.step)
    shown = [
        ShownChannel(image.name, image.unit, window, nifti)
        for image, window, nifti in zip(cut, windows, packed, strict=True)
    ]
    said = _describe(wish, [(image, unit) for image, unit in zip(cut, units, strict=True)], grid)
    *truth, prediction = (_pack_mask(mask, box, wish.step) for mask in masks)
    known, start = truth[0] if truth else None, tuple(side.start for side in box)
    return ShownPart(name, said, start, wish.step, tuple(shown), known, prediction)


def _match(step: Shape, grid: Grid, own: Grid) -> Shape:
    """Steps of a channel's own grid that make it as coarse as those of the masks' make theirs."""
    if measure_displacement(own, grid) <= grid.limits.recorded:
        return step
    wanted = max(s * mm for s, mm in zip(step, grid.spacing, strict=True)) if step != (1, 1, 1) else 0.0
    found = [max(1, int(wanted / mm)) for mm in own.spacing]
    return found[0], found[1], found[2]


def _cut(image: Channel, grid: Grid, box: Crop) -> Channel:
    """What of a channel lies in a box of the masks' grid."""
    if measure_displacement(image.grid, grid) > grid.limits.recorded:
        corners = grid.to_world(list(product(*((side.start - 0.5, side.stop - 0.5) for side in box))))
        reach = image.grid.to_voxel(corners)
        ends = zip(np.floor(reach.min(axis=0)), np.ceil(reach.max(axis=0)), image.grid.shape, strict=True)
        sides = [slice(int(np.clip(low, 0, n - 1)), int(np.clip(high, 0, n - 1)) + 1) for low, high, n in ends]
        box = sides[0], sides[1], sides[2]
    return replace(image, voxels=image.voxels[(slice(None), *box)], grid=_cut_grid(image.grid, box))


def _cut_grid(grid: Grid, box: Crop) -> Grid:
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_world([[side.start for side in box]])[0]
    sizes = [side.stop - side.start for side in box]
    return Grid((sizes[0], sizes[1], sizes[2]), affine, grid.unit)


def _coarsen(grid: Grid, step: Shape) -> Grid:
    affine = np.array(grid.affine)
    affine[:3, 3] = grid.to_world([[(s - 1) / 2 for s in step]])[0]
    affine[:3, :3] *= step
    sizes = [-(-n // s) for n, s in zip(grid.shape, step, strict=True)]
    return Grid((sizes[0], sizes[1], sizes[2]), affine, grid.unit)


def _shrink(image: Channel, step: Shape) -> Channel:
    """Means of blocks of voxels."""
    if step == (1, 1, 1):
        return image
    blocks = _fold(image.voxels[0], step).mean(axis=(1, 3, 5), dtype=np.float32)
    return replace(image, voxels=blocks[None], grid=_coarsen(image.grid, step))


def _fold(voxels: npt.NDArray[Any], step: Shape) -> npt.NDArray[Any]:
    """Blocks as axes 1, 3 and 5; the last ones repeat the rim."""
    ends = [(0, -n % s) for n, s in zip(voxels.shape, step, strict=True)]
    whole = np.pad(voxels, ends, mode="edge")
    return whole.reshape([size for n, s in zip(whole.shape, step, strict=True) for size in (n // s, s)])


def _pack_mask(mask: Mask, box: Crop, step: Shape) -> bytes:
    """A mask of which each block has its largest label."""
    blocks = _fold(np.where(mask.is_labelled()[box], mask.voxels[box], 0), step).max(axis=(1, 3, 5))
    return pack_volume(blocks, _coarsen(_cut_grid(mask.grid, box), step))


def pack_volume(voxels: npt.NDArray[Any], grid: Grid, unit: float = 0.0) -> bytes:
    """Make a compressed NIfTI that is the same whenever it is made.

    Args:
        voxels: (I, J, K).
        grid: where they lie.
        unit: what values are rounded to multiples of; 0 keeps them.
    """
    header = nib.Nifti1Header()
    if voxels.dtype.kind == "f":
        voxels = np.nan_to_num(voxels.astype(np.float32), nan=float(np.nanmin(voxels, initial=0)))
    if unit and voxels.size:
        unit = max(unit, float(np.abs(voxels).max()) / np.iinfo(np.int16).max)
        voxels = np.rint(voxels / unit).astype(np.int16)
        header.set_slope_inter(unit, 0)
    if voxels.dtype.kind in "bui":
        low, high = int(voxels.min(initial=0)), int(voxels.max(initial=0))
        kinds = (np.uint8, np.int16, np.uint16, np.int32)
        fitting = [kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max]
        voxels = voxels.astype(fitting[0] if fitting else np.float32)
    header.set_data_shape(voxels.shape)
    header.set_data_dtype(voxels.dtype)
    header.set_sform(grid.affine, code=1)
    header.set_xyzt_units("mm")
    header["pixdim"][1:4] = grid.spacing
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return gzip.compress(header.binaryblock + bytes(4) + voxels.tobytes(order="F"), 6, mtime=0)


def _describe(wish: _Wish, rounded: Sequence[tuple[Channel, float]], grid: Grid) -> str:
    """Which voxels of the scan are shown, in words."""
    if wish.step == (1, 1, 1):
        said = "the grid of the scan"
    else:
        blocks = " × ".join(map(str, wish.step[: 2 if grid.unit == "px" else 3]))
        said = f"coarser than the scan: means of {blocks} voxels, of masks the largest label"
    units = [f"{image.name} to {unit:.2g} {image.unit}".strip() for image, unit in rounded if unit]
    return f"{said}; values rounded, {', '.join(units)}" if units else said
