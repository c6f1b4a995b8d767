"""Sums of weighted logits of the planes that patches still touch: in memory, or of some classes in a scratch file."""

from collections.abc import Iterator

import numpy as np
import torch

from medunet.scratch import IN_MEMORY, Room

Part = tuple[slice, slice]
"""A box of a plane (J, K)."""


class Sums:
    """Planes of sums in a ring, of which each plane is handed on and used again for the one that follows.

    Each sum gets its terms in the order in which they are added, wherever it lies.

    Args:
        shape: classes, planes and their voxels (C, I, J, K).
        room: where the sums of all classes but the first lie.
        held: classes whose sums are in memory; all if not given.
    """

    def __init__(self, shape: tuple[int, int, int, int], room: Room = IN_MEMORY, held: int | None = None) -> None:
        held = shape[0] if held is None else min(held, shape[0])
        self._room = room
        self._held = torch.zeros((held, *shape[1:]))
        self._total = torch.zeros(shape[1:])
        apart = (shape[0] - held, *shape[1:])
        self._apart = torch.from_numpy(room.make(apart, np.float32)) if apart[0] else torch.zeros(apart)
        self._first = 0

    def add(self, part: Part, logits: torch.Tensor, weight: torch.Tensor) -> None:
        """Add weighted logits (C, I, J, K) to a box of all planes; `weight` is (I, J, K)."""
        depth, count = len(self._total), len(self._held)
        turned = depth - self._first
        # Of the patch and of the ring: up to the ring's end, and on from its beginning.
        for own, ring in ((slice(0, turned), slice(self._first, depth)), (slice(turned, depth), slice(0, self._first))):
            for number, one in enumerate(logits):
                sums = self._held[number] if number < count else self._apart[number - count]
                sums[(ring, *part)] += one[own] * weight[own]
            self._total[(ring, *part)] += weight[own]
        if len(self._apart):
            self._room.settle()

    def hand_on(self, count: int) -> Iterator[torch.Tensor]:
        """The means (C, J, K) of the first planes, which then are 0 and the last."""
        for _ in range(count):
            plane = self._held[:, self._first]
            if len(self._apart):
                plane = torch.cat([plane, self._apart[:, self._first]])
            yield plane / self._total[self._first]
            for sums in (self._held, self._apart):
                sums[:, self._first] = 0
            self._total[self._first] = 0
            self._first = (self._first + 1) % len(self._total)


def count_sums(shape: tuple[int, int, int, int], held: int) -> int:
    """Bytes of memory of `Sums` of this shape (C, I, J, K), with planes that were handed on.

    Args:
        shape: see there.
        held: classes whose sums are in memory.
    """
    classes, depth, *sides = shape
    plane = 4 * int(np.prod(sides))
    # A class in a file is in memory while it is added to.
    apart = held < classes
    return plane * ((min(held, classes) + 1 + apart) * depth + (2 + apart) * classes)
