"""What streams of planes are tested with: a backend, the plain way, grids in many places, bytes that are alive."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self

import numpy as np
import torch
from hypothesis import strategies as st
from monai.data.utils import compute_importance_map
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from medunet.geometry import Grid, Shape
from medunet.inference.backends import Backend, Traits
from medunet.preparation import place_patches


class LocalBackend(Backend):
    """Logits of every voxel of a patch, from the voxel and its place in the patch, so that blending shows.

    Args:
        classes: of the logits.
        batch: patches that it prefers.

    Attributes:
        batches: patches of each call.
    """

    def __init__(self, classes: int = 2, batch: int = 2) -> None:
        self.classes = classes
        self.batch = batch
        self.batches: list[int] = []

    @property
    def traits(self) -> Traits:
        return Traits("local", "cpu", "float32", 0.0, self.batch, None, lambda patch, batch: 4 * batch * patch[0])

    def open(self, network: nn.Module, patch: tuple[int, int, int, int], dims: Literal[2, 3]) -> Self:
        return self

    def run(self, patches: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(patches))
        first, ramp = patches[:, :1], torch.linspace(-1, 1, patches.shape[2])[:, None, None]
        waves = [torch.sin(3.1 * n + first * (n + 1) + ramp * (n - 0.7)) for n in range(self.classes)]
        return torch.cat(waves, dim=1)

    def close(self) -> None:
        pass


def assemble_whole(image: torch.Tensor, backend: Backend, patch: Shape, overlap: float) -> torch.Tensor:
    """Logits (classes, I, J, K) as they are assembled plainly: all sums over the whole volume."""
    missing = [max(size - n, 0) for size, n in zip(patch, image.shape[1:], strict=True)]
    sides = [side for m in reversed(missing) for side in (m // 2, m - m // 2)]
    padded = nn.functional.pad(image, sides)
    weight = compute_importance_map(patch, mode="gaussian", sigma_scale=0.125)
    weight = weight.clamp(min=max(float(weight.min()), 1e-3)).float()
    total = torch.zeros(padded.shape[1:])
    logits = torch.zeros((backend.run(torch.zeros((1, len(image), *patch))).shape[1], *total.shape))
    for start in place_patches(tuple(total.shape), patch, overlap):
        box = tuple(slice(s, s + n) for s, n in zip(start, patch, strict=True))
        logits[(slice(None), *box)] += backend.run(padded[(slice(None), *box)][None])[0] * weight
        total[box] += weight
    logits /= total
    inner = tuple(slice(m // 2, m // 2 + n) for m, n in zip(missing, image.shape[1:], strict=True))
    return logits[(slice(None), *inner)]


@st.composite
def turned_grids(draw: st.DrawFn, network: Grid) -> Grid:
    """A grid with the axes of another, permuted and flipped, finer or coarser, a little moved and a little sheared."""
    axes, signs = draw(st.permutations(range(3))), draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    ratios = draw(st.tuples(*[st.sampled_from((0.25, 1 / 3, 0.5, 0.7, 1.0, 1.0, 1.3, 3.0))] * 3))
    shape = tuple(max(1, round(network.shape[axis] / ratio)) for axis, ratio in zip(axes, ratios, strict=True))
    turn = np.zeros((3, 3))
    for n, (axis, sign, ratio) in enumerate(zip(axes, signs, ratios, strict=True)):
        turn[axis, n] = sign * ratio
    turn += draw(st.sampled_from((0.0, 0.0, 1e-17, 1e-7, 1e-3))) * np.arange(9).reshape(3, 3)
    move = draw(st.sampled_from((0.0, 0.0, 0.3, -1.7)))
    return _place(network, turn, shape, move)


@st.composite
def oblique_grids(draw: st.DrawFn, network: Grid) -> Grid:
    """A grid whose planes cut through those of another."""
    seed = draw(st.integers(0, 999))
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return _place(network, turn * draw(st.sampled_from((0.5, 1.0))), draw(st.tuples(*[st.integers(1, 9)] * 3)), 0.2)


def _place(network: Grid, turn: np.ndarray, shape: tuple[int, ...], move: float) -> Grid:
    """A grid of so many steps in voxels of another, whose middle lies so far from that one's."""
    centre = (np.array(network.shape) - 1) / 2 + move
    to_network = np.eye(4)
    to_network[:3, :3] = turn
    to_network[:3, 3] = centre - turn @ ((np.array(shape) - 1) / 2)
    return Grid(shape, network.affine @ to_network)  # type: ignore[arg-type]


class LiveBytes(TorchDispatchMode):
    """Follows the memory of tensors that are made; what a kernel takes within is not seen.

    Attributes:
        peak: bytes that were alive at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(value, torch.Tensor):
                self._count(value.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


@contextmanager
def follow_live_bytes() -> Iterator[LiveBytes]:
    """Follow the tensors that a block makes."""
    with LiveBytes() as live:
        yield live
