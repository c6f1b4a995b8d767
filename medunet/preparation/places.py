"""Where voxels of a grid lie in another one, as `grid_sample` wants it: in a volume, or in a few of its planes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from medunet.geometry import Affine, Shape

DRIFT = 1e-9
"""Voxels by which places that are equal may differ by the rounding of an affine."""


def place_box(ranges: Sequence[range], to_source: Affine, source: Sequence[int]) -> torch.Tensor:
    """Positions (I, J, K, 3) float32 of the voxels of a box: last axis first, -1 and 1 at the outer centres.

    Args:
        ranges: of voxels along each axis.
        to_source: (4, 4) voxel index to voxel index of the volume.
        source: shape (I, J, K) of the volume.
    """
    axes = [torch.arange(part.start, part.stop).double() for part in ranges]
    return _place(
        [axis.reshape([-1 if m == n else 1 for m in range(3)]) for n, axis in enumerate(axes)], to_source, source
    )


def _place(indices: Sequence[torch.Tensor], to_source: Affine, source: Sequence[int]) -> torch.Tensor:
    """Positions of voxels whose indices (float64) along each axis are given, in shapes that broadcast."""
    out = torch.empty((*torch.broadcast_shapes(*(index.shape for index in indices)), 3))
    for axis in range(3):
        row = to_source[axis]
        terms = [index * row[n] for n, index in enumerate(indices)]
        found = terms[0] + terms[1] + terms[2] + row[3]
        out[..., 2 - axis] = found * (2.0 / max(source[axis] - 1, 1)) - 1.0
    return out


def find_index(positions: torch.Tensor, size: int) -> torch.Tensor:
    """Index of positions along an axis of so many voxels, in float32, as `grid_sample` makes it of them."""
    return ((positions + 1) / 2 * (size - 1)).clamp(0, size - 1)


def move_to_slab(positions: torch.Tensor, size: int, slab: range) -> None:
    """Make positions in a volume those in a slab of two or three of its planes, so that the same values come out.

    `grid_sample` makes an index of a position in float32. The same steps are taken here, so that the index is its own
    to the last bit. Indices are multiples of 2⁻²⁵, those from 0.5 on of 2⁻²⁴; so the whole number of the first plane
    is subtracted, and the index in a slab of 2 (or 3, then it is at least 0.5) planes made a position between -1 and
    1, without rounding; and back in `grid_sample`.

    Args:
        positions: (…, 3) as of `place_box`; the last column is changed.
        size: planes of the volume.
        slab: the planes.
    """
    if size > 1:
        positions[..., 2] = (find_index(positions[..., 2], size) - slab.start) * (2.0 / (len(slab) - 1)) - 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PlanePlaces:
    """Where the voxels of a plane of a grid lie in a slab of the planes of a volume.

    Attributes:
        axis: of the grid, across the plane.
        number: of the plane.
        to_source: (4, 4) voxel index of the grid to that of the volume.
        grid: shape of the grid.
        source: shape of the volume.
    """

    axis: int
    number: int
    to_source: Affine
    grid: Shape
    source: Shape

    @property
    def shape(self) -> tuple[int, int]:
        """Voxels of the plane."""
        first, second = (size for n, size in enumerate(self.grid) if n != self.axis)
        return first, second

    def find_slab(self) -> range:
        """The planes of the volume between which all voxels of this one lie."""
        if self.source[0] == 1:
            return range(1)
        rows, columns = (torch.tensor([0.0, size - 1.0], dtype=torch.float64) for size in self.shape)
        # Voxels between the corners may lie beyond these where the affine was rounded.
        leans = any(self.to_source[0, n] for n in range(3) if n != self.axis)
        found = []
        for drift in (-DRIFT, DRIFT) if leans else (0.0,):
            moved = self.to_source.copy()
            moved[0, 3] += drift
            places = _place(self._fill(rows[:, None], columns), moved, self.source)
            found.append(find_index(places[..., 2], self.source[0]))
        first = min(int(found[0].min()), self.source[0] - 2)
        return range(first, min(max(int(found[-1].max()), first) + 2, self.source[0]))

    def place(self, rows: torch.Tensor, columns: torch.Tensor, slab: range) -> torch.Tensor:
        """Positions (…, 3) float32 in a slab of the voxels of some rows and columns, in shapes that broadcast."""
        places = _place(self._fill(rows.double(), columns.double()), self.to_source, self.source)
        move_to_slab(places, self.source[0], slab)
        return places

    def _fill(self, rows: torch.Tensor, columns: torch.Tensor) -> list[torch.Tensor]:
        indices = [rows, columns]
        indices.insert(self.axis, torch.tensor(float(self.number), dtype=torch.float64))
        return indices
