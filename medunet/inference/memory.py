"""The memory of a prediction: its peak is found before it starts, and what doesn't fit streams through scratch files.

All processes of the job count, and what this one held before. Where everything fits, nothing streams. Else images, the
prepared volume and, where these don't fit either, labels and sums of logits lie in scratch files, and patches are
computed one by one; labels are the same. What can't be kept is refused before the network runs.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from medunet.errors import ResourceError
from medunet.geometry import Grid, Shape
from medunet.inference.assemble import count_assembling
from medunet.inference.backends import Backend, Traits
from medunet.inference.box import Box
from medunet.inference.ledger import Ledger
from medunet.inference.restore_foreign import lay_slices
from medunet.inference.scans import Scan
from medunet.machine import find_free_memory, measure_memory
from medunet.postprocessing import NOTHING
from medunet.preparation import BOX_BYTES, Foreseen, count_resampling, foresee_chain
from medunet.reading import ImageSize, Volume, measure_image
from medunet.scratch import IN_MEMORY, Room, Scratch, measure_free

LOGGER = logging.getLogger(__name__)
KERNELS = 96 << 20
"""What libraries load and compile when a network first computes."""
DECODER = 72 << 20
"""A child process that unpacks slices."""
DECODERS = 4
PIECES, PLANE = 160 << 20, 160
"""Of what is measured, written and read back piece by piece, and for each voxel of the largest plane."""
RESAMPLED, READ, PREPARED = 24, 10, 16
"""Bytes for a voxel of an image that is read and resampled whole, or not resampled; and for one that comes of it."""
MEASURED = 16
"""Bytes for a voxel of a scan that is measured whole: as stored, labels, truth, numbers and counts of these."""
CLEANED = 14
"""Bytes for a voxel of labels of which parts are numbered, in memory."""
PART = 20
"""Bytes of what is known of one part of a mask, where parts are numbered in scratch files."""
SEG, PAGE = 10, 16
"""Bytes for a voxel of a mask that becomes a DICOM SEG, and of one that comes into a page; one is written at a time."""
SLACK = 1.03
"""A peak is stated a little higher than it was counted."""
WHOLE_SLACK = 1.05
"""The same where nothing streams: noise in 25 classes took a hundredth more than with the other."""


@dataclass(slots=True, eq=False)
class Provision:
    """How a scan is predicted within the memory.

    Attributes:
        peak: bytes that all processes hold at most, with what scans beside it take, stated before it starts; 0 where
            nothing could be foreseen.
        limit: bytes that they may hold.
        room: what streams through scratch files; None where nothing does.
        lone: patches are computed one by one.
        held: classes whose sums of logits are in memory; all if None.
        labels_held: labels are in memory, too.
        scratch: bytes on the disk.
        volumes: images as they were read, by key, where they stay in the room.
    """

    peak: int
    limit: int
    room: Scratch | None = None
    lone: bool = False
    held: int | None = None
    labels_held: bool = True
    scratch: int = 0
    volumes: dict[str, Volume] = field(default_factory=dict)

    @property
    def sums(self) -> Room:
        """Where sums of logits lie, but for those that are held."""
        return self.room or IN_MEMORY

    @property
    def labels(self) -> Room:
        """Where labels lie, and what else the way back holds."""
        if self.room is None:
            return IN_MEMORY
        return _LabelRoom(self.room) if self.labels_held else self.room

    def settling(self) -> AbstractContextManager[None]:
        """Within it arrays of the room may be read as a whole."""
        return nullcontext() if self.room is None else self.room.settling()

    def lead(self, backend: Backend) -> Backend:
        """The backend as this way takes it."""
        if self.room is None:
            return backend
        return _LeanBackend(_narrow(backend) if self.lone else backend, self.room)


class _LabelRoom:
    """Keeps labels in memory, and all else in scratch files."""

    def __init__(self, room: Scratch) -> None:
        self._room = room

    def make(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See `Room.make`."""
        return (IN_MEMORY if np.dtype(dtype) == np.uint8 else self._room).make(shape, dtype)

    def settle(self) -> None:
        """See `Room.settle`."""
        self._room.settle()


class _LeanBackend(Backend):
    """Runs another backend, and gives back before each run what the patches of the last have brought to memory."""

    def __init__(self, backend: Backend, room: Scratch) -> None:
        self._backend, self._room = backend, room

    @property
    def traits(self) -> Traits:
        """See `Backend.traits`."""
        return self._backend.traits

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        """See `Backend.open`."""
        self._backend.open(network, patch, dims)
        return self

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        self._room.settle()
        return self._backend.run(patches)

    def release(self) -> None:
        """See `Backend.release`."""
        self._backend.release()

    def close(self) -> None:
        """See `Backend.close`."""
        self._backend.close()


def _narrow(backend: Backend) -> Backend:
    """The backend for one patch at a time; as it is where it takes no less memory for that."""
    narrow = backend.traits.narrow
    return backend if narrow is None else narrow()


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What a prediction has to do, as its memory sees it.

    Attributes:
        sizes: of the images, by key.
        chain: what comes of them.
        network: grid of the logits.
        source: grid of the labels.
        patch: voxels of a patch.
        classes: outputs of the network.
        resampled: the images come to lie on another grid.
        formats: names of those that are written.
        cleaned: parts are left out of the labels.
    """

    sizes: dict[str, ImageSize]
    chain: Foreseen
    network: Grid
    source: Grid
    patch: Shape
    classes: int
    resampled: bool
    formats: tuple[str, ...] = ()
    cleaned: bool = False

    @property
    def voxels(self) -> int:
        """Of the scan."""
        return int(np.prod(self.source.shape))

    @property
    def stored(self) -> int:
        """Bytes of the images as they are stored."""
        return sum(int(np.prod(one.grid.shape)) * one.components * one.value_bytes for one in self.sizes.values())

    @property
    def prepared(self) -> int:
        """Bytes of the prepared image."""
        return 4 * int(np.prod(self.chain.shape))


@dataclass(frozen=True, slots=True)
class Means:
    """Of what a prediction is made.

    Attributes:
        ram: bytes that all processes of a job may hold; what is free if None.
        scratch: folder of scratch files; that of the system if None.
        formats: names of those that are written.
    """

    ram: int | None = None
    scratch: Path | None = None
    formats: tuple[str, ...] = ()


NOTHING_SAID = Means()


@contextmanager
def provide(
    predictor: Any, scan: Scan, box: Box | None, means: Means, ledger: Ledger | None = None
) -> Iterator[Provision]:
    """Find how a scan can be predicted within the memory, and state its peak.

    Args:
        predictor: from `open_predictor`.
        scan: what is read.
        box: to which the prediction is restricted.
        means: that there are.
        ledger: of the scans that are under way at once; beside others one begins only where nothing needs to stream.

    Raises:
        ResourceError: it can't be kept.
        MedunetError: a header is refused.
    """
    load = _take_load(predictor, scan, box, means.formats)

    def choose(base: int, others: int) -> Provision | None:
        limit = find_free_memory() + measure_memory() if means.ram is None else means.ram
        if others == 0:
            return Provision(0, limit) if load is None else _choose(load, predictor.backend, base, limit, scan.id)
        whole = 0 if load is None else _foresee_whole(load, predictor.backend, base) + others
        return Provision(whole, limit) if 0 < whole <= limit else None

    with ExitStack() as stack:
        found = stack.enter_context((ledger or Ledger()).join(choose))
        if found.scratch:
            found.room = stack.enter_context(Scratch(means.scratch))
            _check_disk(found.room.folder, found.scratch, scan.id)
        if found.peak:
            LOGGER.info("%s: %s", scan.id, _describe(found))
        yield found


def _describe(way: Provision) -> str:
    words = f"{way.peak / 2**30:.2f} GiB of memory at most, of {way.limit / 2**30:.2f}"
    return words if way.room is None else f"{words}; {way.scratch / 2**30:.2f} GiB of scratch in {way.room.folder}"


def _check_disk(folder: Path, size: int, what: str) -> None:
    free = measure_free(folder)
    if free is not None and free < size:
        found = f"it needs {size / 2**30:.2f} GiB of scratch in {folder}, where {free / 2**30:.2f} are free"
        raise ResourceError(what, found, "make room there, or choose another folder with --scratch")


def _take_load(predictor: Any, scan: Scan, box: Box | None, formats: tuple[str, ...]) -> Load | None:
    """What is to be done; None where only reading the images tells how large they are."""
    recipe = predictor.recipe
    if recipe.task.unit == "px":
        return None
    sizes = {key: size for key in recipe.inputs if (size := measure_image(scan.images[key])) is not None}
    if len(sizes) < len(recipe.inputs):
        return None
    load = take_load(recipe.preprocessing, sizes, len(recipe.decision.values), recipe.window.fit)
    voxels, affine = torch.zeros(1).expand(load.chain.shape), load.chain.affine
    if box is not None:
        voxels, affine = box.crop(voxels, affine, scan.id)
    if recipe.window.axis != 2:
        voxels, affine = lay_slices(voxels, affine, recipe.window.axis)
    i, j, k = voxels.shape[1:]
    network = Grid((i, j, k), affine)
    cleaned = recipe.cleaning != NOTHING or bool(recipe.decision.steps) or recipe.task.labels.objects
    patch = recipe.window.fit(network.shape)
    return replace(load, network=network, patch=patch, formats=formats, cleaned=cleaned)


def take_load(steps: Sequence[Any], sizes: dict[str, ImageSize], classes: int, fit: Callable[[Shape], Shape]) -> Load:
    """What there is to do for a whole scan that is written as NIfTI.

    Args:
        steps: of the chain.
        sizes: of the images, by key; the first is the reference.
        classes: outputs of the network.
        fit: gives the patch for a prepared image of some shape.
    """
    chain = foresee_chain(steps, sizes)
    _, i, j, k = chain.shape
    return Load(
        sizes=sizes,
        chain=chain,
        network=Grid((i, j, k), chain.affine),
        source=next(iter(sizes.values())).grid,
        patch=fit((i, j, k)),
        classes=classes,
        resampled=any(sorted(one.grid.shape) != sorted((i, j, k)) for one in sizes.values()),
    )


def _choose(load: Load, backend: Backend, base: int, limit: int, what: str) -> Provision:
    """As `choose_way`.

    Raises:
        ResourceError: no way fits.
    """
    way = choose_way(load, backend, base, limit)
    if way.peak <= limit:
        return way
    found = f"it takes {way.peak / 2**30:.2f} GiB of memory, and {limit / 2**30:.2f} are there"
    found += f"; {load.chain.tail[0]} of its chain can't be streamed" if load.chain.tail else ""
    remedy = "predict it with more memory (--ram), or by boxes (--box)"
    raise ResourceError(what, found, remedy, code="memory-short")


def choose_way(load: Load, backend: Backend, base: int, limit: int) -> Provision:
    """The first way that fits, or where none does that which takes the least memory.

    Args:
        load: what is to be done.
        backend: computes it.
        base: bytes that are held before it begins, with the weights.
        limit: bytes that may be held.
    """
    whole = Provision(_foresee_whole(load, backend, base), limit)
    if whole.peak <= limit:
        return whole
    ways = [Provision(0, limit, labels_held=labels, lone=lone) for lone in (False, True) for labels in (True, False)]
    ways += [replace(ways[-1], held=held) for held in _list_held(load.classes)]
    for way in ways:
        way.peak, way.scratch = _foresee_streams(load, backend, base, way), _count_scratch(load, way)
        if way.peak <= limit:
            return way
    return min([whole, *ways], key=lambda way: way.peak)


def _list_held(classes: int) -> list[int]:
    """How many classes may stay in memory, from nearly all to none."""
    return sorted({classes * n // 8 for n in range(8)}, reverse=True)


def _foresee_whole(load: Load, backend: Backend, base: int) -> int:
    """Bytes where nothing streams."""
    values = sum(int(np.prod(one.grid.shape)) * one.components for one in load.sizes.values())
    preparing = values * (RESAMPLED if load.resampled else READ) + PREPARED * load.prepared // 4
    preparing += DECODER * DECODERS * any(one.packed for one in load.sizes.values())
    batch = backend.traits.preferred_batch
    network = load.prepared + _count_network(load, backend, batch, load.classes)
    network += count_resampling(load.network, load.source, load.classes)
    after = load.voxels * (MEASURED + CLEANED * load.cleaned) + load.stored + _count_formats(load)
    return int(WHOLE_SLACK * (base + max(preparing, network, after)))


def _foresee_streams(load: Load, backend: Backend, base: int, way: Provision) -> int:
    """Bytes where images and the prepared volume stream."""
    preparing = BOX_BYTES * 5 // 4 + load.chain.tail_bytes
    preparing += DECODER * DECODERS * any(one.packed for one in load.sizes.values())
    labels = load.voxels * way.labels_held
    backend = _narrow(backend) if way.lone else backend
    batch = backend.traits.preferred_batch
    held = load.classes if way.held is None else way.held
    network = _count_network(load, backend, batch, held) + (load.prepared if load.chain.tail else 0)
    network += labels + count_resampling(load.network, load.source, load.classes, held=False)
    pieces = PIECES + PLANE * load.voxels // min(load.source.shape)
    after = labels + pieces + CLEANED * load.voxels * load.cleaned + _count_formats(load)
    return int(SLACK * (base + max(preparing, network, after)))


def _count_network(load: Load, backend: Backend, batch: int, held: int) -> int:
    """Bytes while patches are computed: in the network, and of the sums of their logits."""
    traits = backend.traits
    inside = KERNELS
    if traits.device == "cpu":
        # Patches and their logits are among what the backend takes.
        inside, batch = inside + traits.peak_bytes(load.patch, batch), 0
    return inside + count_assembling(load.network.shape, load.patch, load.chain.shape[0], load.classes, batch, held)


def _count_formats(load: Load) -> int:
    return load.voxels * max(SEG * any(one.startswith("seg") for one in load.formats), PAGE * ("page" in load.formats))


def _count_scratch(load: Load, way: Provision) -> int:
    """Bytes on the disk."""
    _, j, k = load.network.shape
    sums = 4 * (load.classes - (load.classes if way.held is None else way.held)) * load.patch[0] * j * k
    # The mask, its copy in the order of its file, and as it is read back; for each structure its voxels, their numbers
    # and what is known of its parts, which one voxel in eight can be.
    masks = load.voxels * (2 + (not way.labels_held) + (5 + PART // 8) * min(load.classes, 2))
    return load.stored + load.chain.scratch_bytes + sums + masks
