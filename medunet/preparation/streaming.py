"""Run a chain through scratch files, a box at a time, with the very values that MONAI makes of the whole in memory.

MONAI's own transforms say where voxels come to lie: they run lazily over images without voxels. Values are taken from
an address space as large as the image, of which only what a box needs is filled; so `grid_sample` gets the positions
that it gets in the whole. Steps that don't stream run at the end, in memory, on what the steps before them have made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.config import USE_COMPILED
from monai.data import MetaTensor
from monai.data.utils import AFFINE_TOL
from monai.transforms import Compose
from monai.transforms.utils_pytorch_numpy_unification import allclose
from torch.nn.functional import grid_sample

from medunet.errors import raise_ours
from medunet.geometry import Grid
from medunet.large_parts import cut_boxes
from medunet.preparation.boxes import Part, Positions, Window, cut_result
from medunet.preparation.chain import check_kind, list_steps
from medunet.reading import Image, ImageSize, Source, read_image
from medunet.scratch import Scratch
from medunet.task import Task

Array = npt.NDArray[Any]
Change = Callable[[torch.Tensor], torch.Tensor]
"""What a step makes of each value by itself."""
IDLE = ("EnsureChannelFirstd", "EnsureTyped", "Identityd", "ToTensord")
"""Steps that leave a float32 image with its channels first what it is."""
RESAMPLING = ("ResampleToMatchd", "Spacingd")
SINGLE = (None, "float32", np.float32, torch.float32)
BOX_BYTES = 96 << 20
"""Of all that is computed with the values of a box."""
VALUE_BYTES, PLACE_BYTES = 20, 140
"""For a value of an image in a box: as stored, in float32 and float64; for a voxel of the result, with its position."""
TAIL_BYTES = 24
"""For a voxel and component of an image on which steps run in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """An image on its way through the chain.

    Attributes:
        shape: components and voxels (C, I, J, K).
        affine: (4, 4) float64, voxel index to RAS mm.
        voxels: of any number type; None where only places are of interest.
        changes: of its values, which wait until they are needed.
        own: its voxels are float32 and of nobody else.
    """

    shape: tuple[int, int, int, int]
    affine: torch.Tensor
    voxels: Array | None = None
    changes: tuple[Change, ...] = ()
    own: bool = False

    @property
    def size(self) -> int:
        """Bytes of its values in float32."""
        return 4 * int(np.prod(self.shape))

    @property
    def array(self) -> Array:
        """Its voxels, which must be there."""
        if self.voxels is None:
            raise ValueError("this image has no voxels")
        return self.voxels

    def stand_in(self) -> MetaTensor:
        """An image of this size and place for MONAI, which takes no memory."""
        return MetaTensor(torch.zeros(1).expand(self.shape), affine=self.affine.clone())

    def take(self, part: Part) -> torch.Tensor:
        """Values (C, I, J, K) of a box, float32."""
        values = torch.from_numpy(np.array(self.array[(slice(None), *part)], dtype=np.float32, order="C"))
        for change in self.changes:
            values = change(values)
        return values

    def list_axes(self) -> list[int]:
        """Axes of its voxels as they do lie in memory, slowest first."""
        steps = [abs(step) for step in self.array.strides[1:]]
        return sorted(range(3), key=lambda axis: -steps[axis])


Layers = dict[str, Layer]


@dataclass(frozen=True, slots=True, eq=False)
class Foreseen:
    """What a chain will make of images, found without reading them.

    Attributes:
        shape: components and voxels (C, I, J, K) of the prepared image, or of that on which `tail` runs.
        affine: its place.
        tail: names of the steps that run in memory.
        tail_bytes: that they take.
        scratch_bytes: that arrays take on the disk beside the images as they are read.
    """

    shape: tuple[int, int, int, int]
    affine: npt.NDArray[np.float64]
    tail: tuple[str, ...]
    tail_bytes: int
    scratch_bytes: int


def foresee_chain(steps: Sequence[Any], sizes: Mapping[str, ImageSize]) -> Foreseen:
    """What a chain will make of images of known sizes.

    Args:
        steps: as of `run_chain`.
        sizes: of the images, by key.
    """
    layers = {key: _begin(size.grid, size.components) for key, size in sizes.items()}
    head, tail = split_chain(list_steps(steps))
    scratch = sum(_run_step(transform, layers, None) for transform in head)
    scratch += sum(layer.size for key, layer in layers.items() if (tail or key == "image") and not layer.own)
    image = layers.get("image") or next(iter(layers.values()))
    voxels = sum(int(np.prod(layer.shape)) for layer in layers.values())
    names = tuple(type(transform).__name__ for transform in tail)
    return Foreseen(image.shape, image.affine.numpy(), names, TAIL_BYTES * voxels * bool(tail), scratch)


def split_chain(transforms: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The transforms that stream, and from the first that doesn't on all others."""
    count = next((n for n, transform in enumerate(transforms) if not _streams(transform)), len(transforms))
    return list(transforms[:count]), list(transforms[count:])


def _streams(transform: Any) -> bool:
    name = type(transform).__name__
    if name in RESAMPLING:
        plain = {*transform.mode} <= {"bilinear", "nearest"} and {*transform.padding_mode} <= {"border", "zeros"}
        # The affine would be another one.
        exact = name != "Spacingd" or not transform.spacing_transform.recompute_affine
        return plain and exact and not USE_COMPILED
    if name == "EnsureTyped":
        return all(kind in SINGLE for kind in transform.dtype) and transform.converter.device in (None, "cpu")
    if name == "NormalizeIntensityd":
        how = transform.normalizer
        return not how.nonzero and how.dtype in SINGLE and (how.subtrahend is None) == (how.divisor is None)
    if name == "ScaleIntensityRanged":
        return transform.scaler.dtype in SINGLE
    return name in (*IDLE, "Orientationd") or (name == "ConcatItemsd" and transform.dim == 0)


def stream_chain(
    steps: Sequence[Any],
    images: Mapping[str, Image],
    room: Scratch,
    task: Task | None = None,
    look: Callable[[Mapping[str, MetaTensor]], None] | None = None,
) -> Any:
    """As `run_chain`, with voxels in scratch files: of the images as they are read, and of the prepared one.

    Args:
        steps: see there.
        images: see there.
        room: holds the arrays.
        task: see there.
        look: see there; its images hold values in the type in which they are stored.

    Returns:
        The `image`: a MetaTensor (C, I, J, K) that lies in the room, unless its last steps ran in memory; with what
        `run_chain` says in its meta data, and as `volumes` the images by key as they were read.

    Raises:
        MedunetError: a file is refused, in the sentence of its reader.
    """
    head, tail = split_chain(list_steps(steps))
    volumes = {key: read_image(source, room) for key, source in images.items()}
    data = {key: _show(volume.voxels, volume.grid, volume.source) for key, volume in volumes.items()}
    if task is not None:
        check_kind(data, {key: found.path for key, found in images.items()}, task)
    with room.settling():
        if look is not None:
            look(data)
    layers: Layers = {
        key: replace(_begin(volume.grid, len(volume.voxels)), voxels=volume.voxels) for key, volume in volumes.items()
    }
    try:
        for transform in head:
            _run_step(transform, layers, room)
        image = _finish(layers, tail, data, room)
    except RuntimeError as error:
        raise_ours(error)
    image.meta["notes"] = tuple(f"{images[key].path}: {note}" for key in data if (note := data[key].meta["notes"]))
    image.meta["volumes"] = volumes
    return image if image.ndim == 4 else image[..., None]


def _begin(grid: Grid, components: int) -> Layer:
    return Layer((components, *grid.shape), torch.from_numpy(grid.affine.copy()))


def _show(voxels: Array, grid: Grid, source: Source) -> MetaTensor:
    """An image as `LoadImaged` gives it, but for the type of its values."""
    meta = {
        "original_affine": grid.affine.copy(),
        "spatial_shape": np.array(grid.shape),
        "units": source.units,
        "notes": "; ".join(map(str, source.notes)),
    }
    return MetaTensor(torch.from_numpy(voxels), affine=torch.from_numpy(grid.affine.copy()), meta=meta)


def _finish(layers: Layers, tail: list[Any], shown: Mapping[str, MetaTensor], room: Scratch) -> MetaTensor:
    """The prepared image, after the steps that run in memory."""
    first = dict(next(iter(shown.values())).meta)
    if not tail:
        layer = _materialize(layers["image"], room)
        return MetaTensor(torch.from_numpy(layer.array), affine=layer.affine, meta=first)
    data = {}
    for key, layer in layers.items():
        values = torch.from_numpy(np.array(_materialize(layer, room).array))
        data[key] = MetaTensor(values, affine=layer.affine, meta=dict(shown[key].meta if key in shown else first))
        room.settle()
    image: MetaTensor = Compose(tail)(data)["image"]
    return image


def _run_step(transform: Any, layers: Layers, room: Scratch | None) -> int:
    """Run one step over the layers; without a room only shapes and places follow it.

    Returns:
        Bytes of the arrays that it makes.
    """
    name, before = type(transform).__name__, dict(layers)
    keys = [key for key in transform.keys if key in layers]
    if name == "Orientationd":
        moved = transform({key: layer.stand_in() for key, layer in layers.items()}, lazy=True)
        layers |= {key: _turn(layers[key], moved[key].pending_operations[-1]["lazy_affine"]) for key in keys}
    elif name == "Spacingd":
        with _listening(transform.spacing_transform) as aims:
            moved = transform({key: layer.stand_in() for key, layer in layers.items()}, lazy=True)
        for key, aim in zip(keys, aims, strict=True):
            layers[key] = _resample(layers[key], moved[key].pending_operations[-1], aim, room)
    elif name == "ResampleToMatchd":
        moved = transform({key: layer.stand_in() for key, layer in layers.items()}, lazy=True)
        aim = layers[transform.key_dst].affine
        for key in keys:
            layers[key] = replace(_resample(layers[key], moved[key].pending_operations[-1], aim, room), affine=aim)
    elif name == "ScaleIntensityRanged":
        layers |= {key: _change(layers[key], transform.scaler) for key in keys}
    elif name == "NormalizeIntensityd":
        layers |= {key: _normalize(layers[key], transform.normalizer, room) for key in keys}
    elif name == "ConcatItemsd":
        layers[transform.name] = _join([layers[key] for key in keys], room)
    return sum(item.size for key, item in layers.items() if item.own and not (key in before and before[key].own))


def _change(layer: Layer, change: Change) -> Layer:
    return replace(layer, changes=(*layer.changes, change))


@contextmanager
def _listening(spacing: Any) -> Iterator[list[torch.Tensor]]:
    """Note down the affines that MONAI's `Spacing` asks its resampler for."""
    aims: list[torch.Tensor] = []
    resample = spacing.sp_resample

    def listen(image: Any, **how: Any) -> Any:
        aims.append(torch.as_tensor(how["dst_affine"], dtype=torch.float64))
        return resample(image, **how)

    spacing.sp_resample = listen
    try:
        yield aims
    finally:
        spacing.sp_resample = resample


def _turn(layer: Layer, turn: torch.Tensor) -> Layer:
    """A layer whose axes are exchanged and turned round; `turn` leads from new indices to those that were."""
    matrix = np.asarray(turn, dtype=np.float64)
    order = [int(np.abs(matrix[:3, axis]).argmax()) for axis in range(3)]
    against = tuple(axis + 1 for axis in range(3) if matrix[order[axis], axis] < 0)
    # numpy's product, as MONAI takes it here: that of torch may round otherwise.
    affine = torch.from_numpy(layer.affine.numpy() @ matrix)
    voxels = layer.voxels
    if voxels is not None:
        voxels = np.flip(voxels.transpose(0, *(n + 1 for n in order)), against)
    i, j, k = (layer.shape[1 + n] for n in order)
    return replace(layer, shape=(layer.shape[0], i, j, k), affine=affine, voxels=voxels)


def _resample(layer: Layer, operation: Mapping[str, Any], aim: torch.Tensor, room: Scratch | None) -> Layer:
    """A layer on another grid; as it is where MONAI takes that for the same.

    Args:
        layer: what is resampled.
        operation: as MONAI has noted it for later.
        aim: (4, 4) affine that was asked for.
        room: of the result.
    """
    i, j, k = (int(n) for n in operation["lazy_shape"])
    xform, info = operation["lazy_affine"].to(torch.float64), operation["extra_info"]
    same = allclose(layer.affine, aim, atol=AFFINE_TOL) or allclose(xform, np.eye(4), atol=AFFINE_TOL)
    if same and (i, j, k) == layer.shape[1:]:
        return layer
    made = Layer((layer.shape[0], i, j, k), layer.affine @ xform, own=True)
    if room is None:
        return made
    voxels, align = room.make(made.shape, np.float32), bool(info["align_corners"])
    positions = Positions(xform, layer.shape[1:], (i, j, k), align, getattr(torch, info["dtype"]))
    order = layer.list_axes()
    window = Window(layer.shape, order, positions.dtype)
    for part in cut_result(positions, order, partial(_count_box, layer.shape[0]), BOX_BYTES):
        places = positions.find(part)
        window.fill(positions.bound(places), layer.take)
        sampled = grid_sample(
            window.values[None], places, mode=info["mode"], padding_mode=info["padding_mode"], align_corners=align
        )
        voxels[(slice(None), *part)] = sampled[0].to(torch.float32).numpy()
        window.clear()
        room.settle()
    return replace(made, voxels=voxels)


def _count_box(components: int, source: int, made: int) -> int:
    """Bytes that a box takes."""
    return components * VALUE_BYTES * (source + made) + PLACE_BYTES * made


def _normalize(layer: Layer, normalizer: Any, room: Scratch | None) -> Layer:
    """Shift and scale by mean and standard deviation, which torch finds in the whole as it does in memory."""
    if normalizer.subtrahend is not None:
        return _change(layer, normalizer)
    if room is None:
        return replace(layer, own=True)
    layer = _materialize(layer, room)
    values = torch.from_numpy(layer.array)
    with room.settling():
        parts = list(values) if normalizer.channel_wise else [values]
        found = [(torch.mean(part).item(), torch.std(part, unbiased=False).item() or 1.0) for part in parts]

    def normalize(values: torch.Tensor) -> torch.Tensor:
        if not normalizer.channel_wise:
            return (values - found[0][0]) / found[0][1]
        return torch.stack([(one - mean) / sd for one, (mean, sd) in zip(values, found, strict=True)])

    return _change(layer, normalize)


def _join(layers: Sequence[Layer], room: Scratch | None) -> Layer:
    """One image of the components of several."""
    first = layers[0]
    made = Layer((sum(layer.shape[0] for layer in layers), *first.shape[1:]), first.affine, own=True)
    if room is None:
        return made
    voxels, start = room.make(made.shape, np.float32), 0
    for layer in layers:
        _copy(layer, voxels[start : start + layer.shape[0]], room)
        start += layer.shape[0]
    return replace(made, voxels=voxels)


def _materialize(layer: Layer, room: Scratch) -> Layer:
    """A layer whose values wait for nothing, in C order as MONAI has them."""
    if layer.own and not layer.changes:
        return layer
    voxels = layer.array if layer.own else room.make(layer.shape, np.float32)
    _copy(layer, voxels, room)
    return replace(layer, voxels=voxels, changes=(), own=True)


def _copy(layer: Layer, target: Array, room: Scratch) -> None:
    most = BOX_BYTES // (VALUE_BYTES * layer.shape[0])
    for part in cut_boxes(layer.shape[1:], most):
        target[(slice(None), *part)] = layer.take(part).numpy()
        room.settle()
