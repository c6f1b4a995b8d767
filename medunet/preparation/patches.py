"""Data sets of training patches and of whole prepared cases."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.transforms import Compose
from torch.utils.data import DataLoader, Dataset

from medunet.errors import InputError
from medunet.machine import find_shared_memory
from medunet.partial import count_codes, pack_unknown
from medunet.preparation.cache import PreparedCase
from medunet.preparation.warp import Warp, find_box

LOGGER = logging.getLogger(__name__)
FORKED = ("linux",)
"""Systems on which a fork is safe."""
LONGEST_START = 50.0
"""Seconds that a process may take to import the script that started it."""


class PatchDataset(Dataset[dict[str, torch.Tensor]]):
    """Patches drawn from prepared cases; what is drawn depends on (seed, epoch, index) alone.

    So a run that is resumed, or has another number of workers, sees the same patches (architecture, decision 4).
    No more of a case is read than its patch shows. Each holds a voxel that somebody looked at, where the case has one.

    Args:
        cases: where they come from; every case is drawn equally often. Where some are partial, every label is, in
            patches that hold one: else those that few have contoured would hardly be seen.
        warp: size and changes of shape of a patch; an axis of 1 gives 2D patches (C, I, J) of slices.
        batch: patches in a batch.
        steps: batches in an epoch.
        foreground_share: share of each batch, rounded up, whose patches hold a voxel of a label.
        augmentation: MONAI's random transforms for `image` and `label`, after the warp.
        seed: of everything random.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        warp: Warp,
        batch: int,
        steps: int,
        foreground_share: float,
        augmentation: Sequence[Any],
        seed: int,
    ) -> None:
        self._cases = list(cases)
        self._warp = warp
        self._patch = warp.patch
        self._batch = batch
        self._length = batch * steps
        self._forced = int(np.ceil(batch * foreground_share))
        self._augment = Compose(list(augmentation))
        self._seed = seed
        self._epoch = 0

    @cached_property
    def _centres(self) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]]:
        """For each case rows of `PreparedCase.centres`: those of labels, and those that somebody looked at."""
        rows = [case.centres() for case in self._cases]
        return [(found[found[:, 0] > 0], found[found[:, 0] == 0]) for found in rows]

    @cached_property
    def _codes(self) -> list[npt.NDArray[np.float32]]:
        """For each case the numbers of its unknown labels; none of any where all cases tell of all labels."""
        unknown = [case.unknown() for case in self._cases]
        count = count_codes(unknown)
        return [pack_unknown(values, count) for values in unknown]

    @cached_property
    def _with_labels(self) -> list[int]:
        """Numbers of the cases that hold a label."""
        return [number for number, (labelled, _) in enumerate(self._centres) if len(labelled)]

    @property
    def _partial(self) -> bool:
        """Whether some case doesn't tell of all labels."""
        return bool(self._cases) and len(self._codes[0]) > 0

    @cached_property
    def _holders(self) -> dict[int, list[int]]:
        """Numbers of the cases that hold a label, by its value."""
        held = [(int(value), n) for n, (found, _) in enumerate(self._centres) for value in np.unique(found[:, 0])]
        return {value: [n for own, n in held if own == value] for value in sorted({value for value, _ in held})}

    def set_epoch(self, epoch: int) -> None:
        """Choose the patches of an epoch; the loader's workers must start after this."""
        self._epoch = epoch
        # Read here once, since each worker would read it in every epoch.
        _ = self._with_labels, self._holders if self._partial else None

    def __len__(self) -> int:
        return self._length

    def count_bytes(self) -> int:
        """Bytes of a batch: image and label of each patch, float32."""
        first = self._cases[0] if self._cases else None
        channels = first.image().shape[0] + len(self._codes[0]) + len(first.told()) if first else 1
        return 4 * (channels + 1) * self._batch * int(np.prod(self._patch))

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """One patch: `image` float32 (C, …) and `label` float32 (1, …).

        Where cases have a teacher, its probabilities are further channels of the label. Where some case is partial,
        the last ones say what is unknown, as `medunet.partial` packs it.
        """
        draw, number, value = self._choose(index)
        case = self._cases[number]
        labelled, known = self._centres[number]
        if value is not None:
            labelled = labelled[labelled[:, 0] == value] if value else labelled
        image, label = self._cut(draw, case, known if value is None else labelled)
        sample = {"image": image, "label": label}
        if self._patch[-1] == 1:
            sample = {key: value[..., 0] for key, value in sample.items()}
        self._augment.set_random_state(int(draw.integers(2**32)))
        augmented = self._augment(sample)
        # Each operation on MONAI's MetaTensor goes through Python, the network's too.
        plain = {key: torch.as_tensor(value).as_subclass(torch.Tensor).contiguous() for key, value in augmented.items()}
        if len(codes := self._codes[number]):
            # After all transforms, none of which knows what these channels are.
            plain["label"] = _append_codes(plain["label"], codes)
        return plain

    def _cut(
        self, draw: np.random.Generator, case: PreparedCase, centres: npt.NDArray[np.int32]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        shape = case.label().shape
        start, voxel = self._place(draw, shape, centres)
        warped = self._warp.draw(draw)
        if warped is None:
            return _cut_both(case, start, self._patch)
        # The wanted voxel stays at its place in the patch, whatever is changed about it.
        at = start + (self._patch - 1) / 2 if voxel is None else voxel - warped.offsets[:, *(voxel - start)]
        # Up to where the patch unchanged or the case ends; what a change would show beyond is its outermost voxels.
        size = np.array(shape)
        first, box = find_box(warped, at, np.minimum(0, start), np.maximum(size, start + self._patch))
        return self._warp.sample(*_cut_both(case, first, box), warped, at - first)

    def name_batch(self, step: int) -> list[str]:
        """Cases of the patches of a batch of this epoch, counted from 0."""
        return [self._cases[self._choose(step * self._batch + n)[1]].id for n in range(self._batch)]

    def _choose(self, index: int) -> tuple[np.random.Generator, int, int | None]:
        """What draws a patch, the number of its case, and the label that it must hold: 0 is any, None no label."""
        draw = np.random.default_rng((self._seed, self._epoch, index))
        if index % self._batch >= self._forced or not self._with_labels:
            return draw, int(draw.integers(len(self._cases))), None
        if not self._partial:
            return draw, int(draw.choice(self._with_labels)), 0
        value = int(draw.choice([*self._holders]))
        return draw, int(draw.choice(self._holders[value])), value

    def _place(
        self, draw: np.random.Generator, shape: tuple[int, ...], centres: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32] | None]:
        """First voxel of a patch that holds one of these centres, and that one; a patch anywhere if there are none.

        It may lie outside where the case is smaller than the patch.
        """
        spare = np.array(shape) - self._patch
        if not len(centres):
            return np.where(spare > 0, draw.integers(0, np.maximum(spare, 0) + 1), spare // 2), None
        values = np.unique(centres[:, 0])
        of_label = centres[centres[:, 0] == draw.choice(values)]
        voxel = of_label[draw.integers(len(of_label)), 1:]
        # Anywhere in the patch, not always its middle: in prediction a lesion lies anywhere too.
        start = voxel - draw.integers(self._patch // 4, self._patch - self._patch // 4)
        return np.where(spare > 0, np.clip(start, 0, np.maximum(spare, 0)), spare // 2), voxel


def _cut_both(
    case: PreparedCase, start: npt.NDArray[np.int64], size: npt.NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Image (C, I, J, K), and label (1, I, J, K) with what a teacher tells as further channels."""
    known = cut_patch(case.label()[None], start, size).astype(np.float32)
    if len(told := case.told()):
        known = np.concatenate([known, cut_patch(told, start, size).astype(np.float32) / 255])
    return torch.from_numpy(cut_patch(case.image(), start, size)), torch.from_numpy(known)


def cut_patch(array: npt.NDArray[Any], start: npt.NDArray[np.int64], patch: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Cut (C, I, J, K) from an array; what lies outside of it is 0, the value that the sliding window pads with."""
    low = np.maximum(start, 0)
    high = np.minimum(start + patch, array.shape[1:])
    inside = array[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    if inside.shape[1:] == tuple(patch):
        return np.array(inside)
    out = np.zeros((array.shape[0], *patch), dtype=array.dtype)
    offset = low - start
    size = high - low
    target = tuple(slice(o, o + s) for o, s in zip(offset, size, strict=True))
    out[(slice(None), *target)] = inside
    return out


def _append_codes(label: torch.Tensor, codes: npt.NDArray[np.float32]) -> torch.Tensor:
    spread = torch.from_numpy(codes).reshape(-1, *(1,) * (label.ndim - 1)).expand(-1, *label.shape[1:])
    return torch.cat([label, spread])


class PatchLoader(DataLoader[dict[str, torch.Tensor]]):
    """A DataLoader for training: its workers survive signals, small shared memory and any start method.

    Workers never see SIGTERM or Ctrl-C sent to all processes: the trainer answers and ends them. They inherit the
    blocked signals from the moment on in which they are forked; Windows knows neither. Where shared memory is too small
    for the batches that wait, as in many containers, these come through pipes; torch would wait for ever. Where there
    is none at all the process itself makes the patches. On Linux workers are forked, whatever the start method of the
    program is: others would run a script without a main guard once more in each.

    Args:
        dataset: of patches.
        options: of torch's DataLoader.
    """

    def __init__(self, dataset: Dataset[dict[str, torch.Tensor]], **options: Any) -> None:
        count = options.get("num_workers", 0)
        self._piped = False
        if count and not _can_lock():
            LOGGER.warning("this system gives processes nothing to share (/dev/shm), so that one alone makes patches")
            count = 0
        if count:
            batch = dataset.count_bytes() if isinstance(dataset, PatchDataset) else 0
            needed, free = batch * (2 * count + 2), find_shared_memory()
            self._piped = free is not None and free < 2 * needed
            if self._piped:
                small = f"{free / 2**20 if free else 0:.0f} MiB of shared memory are free"
                LOGGER.info("%s, too few for patches, which come through pipes", small)
                options["collate_fn"] = _stack
            if sys.platform in FORKED:
                options["multiprocessing_context"] = "fork"
            options["worker_init_fn"] = partial(end_orphan, os.getpid())
        super().__init__(dataset, **{**options, "num_workers": count})

    def __iter__(self) -> Any:
        """Start the workers of an epoch."""
        batches = self._start()
        return map(_to_tensors, batches) if self._piped else batches

    def _start(self) -> Any:
        if self.num_workers and self.multiprocessing_context is None:
            check_main()
        if not hasattr(signal, "pthread_sigmask"):
            return super().__iter__()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            return super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_orphan(parent: int, _worker: int = 0) -> None:
    """End this process if the one that it makes patches for was killed before it began.

    torch's own watchdog takes whatever process is the parent by then for that one, and waits for ever.

    Args:
        parent: number of the process that started this one.
    """
    if os.getppid() != parent:
        os._exit(0)


@cache
def check_main() -> None:
    """Check, where processes aren't forked, that one can be started: it imports the script of this one.

    Python itself waits for ever where the script starts processes again in place of being imported.

    Raises:
        InputError: the script has no main guard.
    """
    if multiprocessing.get_start_method() == "fork":
        return
    process = multiprocessing.Process(target=os.getpid, daemon=True)
    process.start()
    process.join(LONGEST_START)
    if process.exitcode != 0:
        process.kill()
        found = "a process that loads patches can't start, since it would run this program's script once more"
        remedy = "put what the script does below a line if __name__ == '__main__':"
        raise InputError(sys.argv[0] or "python", found, remedy, code="processes-unfit")


def _can_lock() -> bool:
    """Whether processes can share even a lock, which every kind of worker needs."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError):
        return False
    return True


def _stack(samples: Sequence[dict[str, torch.Tensor]]) -> dict[str, npt.NDArray[np.generic]]:
    """A batch as arrays, which are sent whole; torch puts tensors into shared memory."""
    return {key: np.stack([sample[key].numpy() for sample in samples]) for key in samples[0]}


def _to_tensors(batch: dict[str, npt.NDArray[np.generic]]) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(array) for key, array in batch.items()}


class WholeDataset(Dataset[dict[str, torch.Tensor]]):
    """Whole prepared cases, for validation: `image` float32 (C, I, J, K) and `label` float32 (1, I, J, K).

    Where some case is partial, `unknown` holds the values of its unknown labels, and 0 up to a common length.
    """

    def __init__(self, cases: Sequence[PreparedCase]) -> None:
        self._cases = list(cases)

    @cached_property
    def _longest(self) -> int:
        return max((len(case.unknown()) for case in self._cases), default=0)

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """One case, copied from its memory map."""
        case = self._cases[index]
        whole = {
            "image": torch.from_numpy(np.array(case.image())),
            "label": torch.from_numpy(np.array(case.label())[None].astype(np.float32)),
        }
        if self._longest:
            unknown = case.unknown()
            whole["unknown"] = torch.tensor([*unknown, *[0] * (self._longest - len(unknown))])
        return whole
