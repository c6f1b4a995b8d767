"""Boxes of a resampling: which part of an image a part of the result needs, at the positions that the whole has."""

import mmap
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.utils import to_norm_affine

from medunet.errors import ResourceError
from medunet.geometry import Shape
from medunet.scratch import give_back

Part = tuple[slice, slice, slice]
"""A box of an array (I, J, K)."""
MARGIN = 2
"""Voxels around the outermost positions that a box is filled with."""
NO_RESERVE = 0x4000
"""MAP_NORESERVE of Linux, which Python 3.11 doesn't name: addresses that nothing fills count for nothing."""
LEANS = 2.0
"""Voxels that an axis of the result may lean over to follow one of the image."""


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where the voxels of a result lie in an image, as MONAI's `AffineTransform` gives them to `grid_sample`.

    Attributes:
        xform: (4, 4) float64, index in the result to index in the image.
        source: voxels of the image.
        shape: voxels of the result.
        align: whether -1 and 1 are the outermost centres, or the outermost edges of voxels.
        dtype: in which values are computed.
    """

    xform: torch.Tensor
    source: Shape
    shape: Shape
    align: bool
    dtype: torch.dtype = torch.float64

    def find(self, part: Part) -> torch.Tensor:
        """Positions (1, I, J, K, 3) of a box of the result; to the last bit those that it has in the whole."""
        theta = to_norm_affine(self.xform.to(self.dtype)[None], self.source, self.shape, self.align, False)
        turned = [2, 1, 0]
        theta[:, :3] = theta[:, turned]
        theta[:, :, :3] = theta[:, :, turned]
        i, j, k = (self._space(n)[own] for n, own in zip(self.shape, part, strict=True))
        base = torch.ones(len(i), len(j), len(k), 4, dtype=self.dtype)
        base[..., 0], base[..., 1], base[..., 2] = k, j[:, None], i[:, None, None]
        places = base.view(1, -1, 4).bmm(theta[:, :3].transpose(1, 2))
        return places.view(1, len(i), len(j), len(k), 3)

    def _space(self, count: int) -> torch.Tensor:
        """As `affine_grid` spaces the voxels of an axis."""
        if count == 1:
            return torch.zeros(1, dtype=self.dtype)
        spaced = torch.linspace(-1, 1, count, dtype=self.dtype)
        return spaced if self.align else spaced * (count - 1) / count

    def bound(self, places: torch.Tensor) -> Part:
        """The box of the image that positions need."""
        low, high = places.amin(dim=(0, 1, 2, 3)).flip(0), places.amax(dim=(0, 1, 2, 3)).flip(0)
        ends = zip(low.tolist(), high.tolist(), self.source, strict=True)
        i, j, k = (_widen(self._to_index(first, size), self._to_index(last, size), size) for first, last, size in ends)
        return i, j, k

    def _to_index(self, place: float, size: int) -> float:
        return (place + 1) / 2 * (size - 1) if self.align else ((place + 1) * size - 1) / 2

    def reach(self, part: Part) -> tuple[int, int, int]:
        """Voxels of the image along each axis that a box of the result needs, by its corners."""
        corners = np.array([[*ends, 1] for ends in product(*((own.start, own.stop - 1) for own in part))], float)
        indices = corners @ self.xform.numpy()[:3].T
        lows, highs = indices.min(axis=0), indices.max(axis=0)
        ends = zip(lows, highs, self.source, strict=True)
        i, j, k = (_widen(float(low), float(high), size) for low, high, size in ends)
        return i.stop - i.start, j.stop - j.start, k.stop - k.start

    def list_followers(self, order: Sequence[int]) -> tuple[list[int], bool]:
        """Axes of the result by the axes of the image that they follow, and whether they do so without leaning much.

        Args:
            order: of the axes of the image.
        """
        rows = np.abs(self.xform.numpy()[:3, :3])
        followers: list[int] = []
        for axis in order:
            free = [n for n in range(3) if n not in followers]
            followers.append(free[int(rows[axis, free].argmax())])
        sides = np.array(self.shape) - 1
        pairs = zip(order, followers, strict=True)
        return followers, all(rows[axis] @ sides - rows[axis, own] * sides[own] <= LEANS for axis, own in pairs)


def _widen(low: float, high: float, size: int) -> slice:
    start = min(max(int(np.floor(low)) - MARGIN, 0), size - 1)
    return slice(start, min(max(int(np.ceil(high)) + MARGIN + 1, start + 1), size))


def cut_result(
    positions: Positions, order: Sequence[int], cost: Callable[[int, int], int], most: int
) -> Iterator[Part]:
    """Cut a result in boxes of which each takes little memory, and of an image as few pieces as can be.

    Args:
        positions: of the result.
        order: axes of the image in memory, slowest first.
        cost: bytes of so many voxels of the image and of the result.
        most: bytes that a box shall take.

    Yields:
        Boxes that fill the result.
    """
    followers, straight = positions.list_followers(order)

    def count(part: Part) -> int:
        made = int(np.prod([own.stop - own.start for own in part]))
        return cost(int(np.prod(positions.reach(part))), made)

    def cut(part: Part) -> Iterator[Part]:
        axes = [axis for axis in followers if part[axis].stop - part[axis].start > 1]
        if not axes or count(part) <= most:
            yield part
            return
        axis = axes[0] if straight else min(axes, key=lambda n: count(_halve(part, n)[0]))
        for half in _halve(part, axis):
            yield from cut(half)

    i, j, k = (slice(0, size) for size in positions.shape)
    yield from cut((i, j, k))


def _halve(part: Part, axis: int) -> tuple[Part, Part]:
    own = part[axis]
    middle = (own.start + own.stop) // 2
    first, second = list(part), list(part)
    first[axis], second[axis] = slice(own.start, middle), slice(middle, own.stop)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


class Window:
    """Addresses for a whole image, of which only what is filled takes memory.

    Args:
        shape: components and voxels (C, I, J, K).
        order: axes of voxels in memory, slowest first.
        dtype: of the values.

    Attributes:
        values: (C, I, J, K); 0 where nothing was filled.

    Raises:
        ResourceError: the system doesn't give so many addresses.
    """

    values: torch.Tensor

    def __init__(self, shape: Sequence[int], order: Sequence[int], dtype: torch.dtype) -> None:
        size = int(np.prod(shape)) * dtype.itemsize
        try:
            self._mapped = _reserve(size)
        except (OSError, ValueError) as error:
            found = f"it doesn't let a process reserve {size / 2**30:.1f} GiB of addresses ({error})"
            raise ResourceError("the system", found, "raise its limit on virtual memory") from error
        kind = np.dtype(str(dtype).removeprefix("torch."))
        flat = np.frombuffer(self._mapped, kind, size // kind.itemsize)
        laid = flat.reshape((shape[0], *(shape[1 + axis] for axis in order)))
        back = [1 + list(order).index(axis) for axis in range(3)]
        self._array: npt.NDArray[np.floating] = laid.transpose(0, *back)
        self.values = torch.from_numpy(self._array)

    def fill(self, part: Part, take: Callable[[Part], torch.Tensor]) -> None:
        """Fill a box with its values."""
        self.values[(slice(None), *part)] = take(part).to(self.values.dtype)

    def clear(self) -> None:
        """Give the memory back; all is 0 again, or stays where the system can't."""
        give_back(self._mapped)


def _reserve(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, max(size, 1))
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return mmap.mmap(-1, max(size, 1), flags=flags | (NO_RESERVE if sys.platform == "linux" else 0))
