"""Grids: where the voxels of an array lie in the patient.

Vocabulary: a *voxel index* (i, j, k) counts along the axes of an array (C, I, J, K); the *affine* maps the
index of a voxel's centre to *world* millimetres in RAS+ (x to the right, y to the front, z to the head of
the patient), as NIfTI does. DICOM and ITK speak LPS+ (x and y negated); `flip_lps_ras` is the only place
where one becomes the other. An image without a physical size lies on a grid of *pixels* (unit "px"): i counts
columns from the left, j rows from the top, K is 1, and the affine is the identity, so that its x runs to the right
of the picture and its y down; MONAI's PILReader has the same order.
"""

from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from medunet.codes import Code
from medunet.errors import GeometryError
from medunet.findings import warn

Affine = npt.NDArray[np.float64]
"""A 4 × 4 matrix from voxel index to world."""
Points = npt.NDArray[np.float64]
"""Points as rows, (N, 3)."""
Shape = tuple[int, int, int]
Unit = Literal["mm", "px"]
"""Unit of lengths on a grid: px where an image has no physical size."""

ACCEPTED_MM = 0.05
"""A voxel nearer than this to where its header puts it is in its place (architecture, decision 5)."""
RECORDED_MM = 0.2
"""Up to here a displacement is accepted with a warning; above it is refused."""


class Limits(NamedTuple):
    """Distances in mm (or pixels) that decide whether a voxel is in its place."""

    accepted: float
    """A voxel no farther away is in its place."""
    recorded: float
    """A voxel no farther away is taken to be in its place, and that is told; any other is refused."""


def find_limits(*edges: float) -> Limits:
    """The limits where voxels have these edges: 0.05 and 0.2 mm, or a quarter and half of the smallest edge if less.

    Args:
        edges: of a voxel, as far as they are known.
    """
    return Limits(min(ACCEPTED_MM, min(edges) / 4), min(RECORDED_MM, min(edges) / 2))


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The shape of an array and the place of its voxels.

    Attributes:
        shape: voxels along (I, J, K); a 2D image has K = 1.
        affine: (4, 4) float64, voxel index to RAS+ world.
        unit: "mm", or "px" for an image without a physical size.
    """

    shape: Shape
    affine: Affine
    unit: Unit = "mm"

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            found = "it is not a finite 4 × 4 matrix"
            raise GeometryError("affine", found, "repair the header of the file", code="place-ambiguous")
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        # Relative to their lengths, since voxels of a microscope are small.
        if not lengths.all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
            found = "it is singular, so that voxels lie on each other"
            raise GeometryError("affine", found, "repair the header of the file", code="place-ambiguous")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    def __repr__(self) -> str:
        return f"Grid({self.describe()})"

    def describe(self) -> str:
        """Say it in words: `512 × 512 × 120 voxels of 0.98 × 0.98 × 3 mm`, or `640 × 480 pixels`."""
        if self.unit == "px":
            return " × ".join(map(str, self.shape[: 3 if self.shape[2] > 1 else 2])) + " pixels"
        sizes = " × ".join(f"{size:.3g}" for size in self.spacing)
        return f"{' × '.join(map(str, self.shape))} voxels of {sizes} mm"

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxels along (I, J, K), in `unit`."""
        return tuple(float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0))  # type: ignore[return-value]

    @property
    def limits(self) -> Limits:
        """How far from its place a voxel may be."""
        return find_limits(*self.spacing)

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel in `unit`³; right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def is_orthogonal(self) -> bool:
        """Whether the axes are perpendicular, so that a rotation and spacings describe the grid."""
        directions = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        return bool(np.allclose(directions.T @ directions, np.eye(3), atol=1e-5))

    def straighten(self) -> "Grid":
        """The orthogonal grid nearest to this one: the same spacings and middle, and the nearest perpendicular axes.

        Source: as of the polar factor (Higham, Computing the polar decomposition, SIAM J. Sci. Stat. Comput. 7, 1986).
        """
        left, _, right = np.linalg.svd(self.affine[:3, :3] / self.spacing)
        affine = np.eye(4)
        affine[:3, :3] = left @ right * self.spacing
        middle = (np.array(self.shape) - 1) / 2
        affine[:3, 3] = self.to_world(middle[None])[0] - affine[:3, :3] @ middle
        return Grid(self.shape, affine, self.unit)

    def to_world(self, indices: npt.ArrayLike) -> Points:
        """World positions (N, 3) of voxel indices (N, 3)."""
        world: Points = np.asarray(indices, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]
        return world

    def to_voxel(self, points: npt.ArrayLike) -> Points:
        """Voxel indices (N, 3), not rounded, of world positions (N, 3)."""
        inverse = np.linalg.inv(self.affine)
        indices: Points = np.asarray(points, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
        return indices

    def take_planes(self, planes: slice) -> "Grid":
        """The grid of some planes along the first axis, from `planes.start` to before `planes.stop`."""
        affine = np.array(self.affine)
        affine[:3, 3] += planes.start * affine[:3, 0]
        return replace(self, shape=(planes.stop - planes.start, *self.shape[1:]), affine=affine)

    def nearest_axes(self) -> tuple[int, int, int]:
        """For each world axis (x, y, z) the voxel axis (0, 1 or 2) that runs most nearly along it."""
        along = np.abs(self.affine[:3, :3]) / np.linalg.norm(self.affine[:3, :3], axis=0)
        x, y, z = max(permutations(range(3)), key=lambda axes: sum(along[n, axis] for n, axis in enumerate(axes)))
        return x, y, z

    def corners(self) -> Points:
        """Indices (8, 3) of the eight voxels at the corners."""
        return np.array(list(product(*((0, n - 1) for n in self.shape))), dtype=np.float64)


def flip_lps_ras(affine: npt.ArrayLike) -> Affine:
    """Turn a voxel-to-LPS affine into a voxel-to-RAS one, or back: x and y of the world change sign.

    Source: DICOM PS3.3 C.7.6.2.1.1 (LPS) and the NIfTI-1 header (RAS).
    """
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, dtype=np.float64)


def spread_row(row: npt.NDArray[np.float64], shape: Shape, dtype: type[np.floating] = np.float64) -> npt.NDArray[Any]:
    """One coordinate of every voxel's centre: what a row of an affine makes of all indices.

    Args:
        row: (4,), a row of an affine.
        shape: voxels along (I, J, K).
        dtype: of the result.

    Returns:
        (I, J, K).
    """
    i, j, k = (dtype(row[axis]) * np.arange(size, dtype=dtype) for axis, size in enumerate(shape))
    return np.asarray(i[:, None, None] + j[:, None] + (k + dtype(row[3])))


def measure_displacement(grid: Grid, other: Grid) -> float:
    """Largest distance in mm between equal corner indices of two grids; infinite where their shapes differ."""
    if grid.shape != other.shape:
        return float("inf")
    corners = grid.corners()
    return float(np.linalg.norm(grid.to_world(corners) - other.to_world(corners), axis=1).max())


RESAMPLE = "resample it to that image, or name the image that it was drawn on"
"""What to do about labels that lie elsewhere than their image."""
_HEADERS = "one of both headers is probably wrong: restore it; resample only if both are right"
SPACINGS = 1e-3
"""Relative difference from which two spacings are told apart."""


def turn_voxels(voxels: npt.NDArray[np.generic], grid: Grid, other: Grid) -> tuple[npt.NDArray[np.generic], Grid]:
    """Bring an array that lies on the voxels of a grid, but in another order or direction of axes, into its order.

    Args:
        voxels: (I, J, K).
        grid: where they lie.
        other: the grid whose order of axes is wanted.

    Returns:
        A view of the voxels and their grid; both as they were where no order of axes makes them alike.
    """
    turn = np.linalg.solve(grid.affine[:3, :3], other.affine[:3, :3])
    whole = np.rint(turn)
    if not np.allclose(turn, whole, atol=0.1) or not np.array_equal(np.abs(whole) @ np.abs(whole).T, np.eye(3)):
        return voxels, grid
    axes = np.abs(whole).argmax(axis=0)
    back = tuple(axis for axis in range(3) if whole[axes[axis], axis] < 0)
    affine = np.eye(4)
    affine[:3, :3] = grid.affine[:3, :3] @ whole
    first = np.where(whole.sum(axis=1) < 0, np.array(grid.shape) - 1, 0)
    affine[:3, 3] = grid.to_world(first[None])[0]
    turned: npt.NDArray[np.generic] = np.flip(voxels.transpose(axes), back)
    return turned, Grid(turned.shape, affine, grid.unit)


def check_same_grid(grid: Grid, other: Grid, subject: str, reference: str, code: Code = "label-grid") -> None:
    """Check that two arrays lie on one grid: equal shape, no corner displaced by more than 0.2 mm or half a voxel.

    A smaller displacement is warned of, if it is more than 0.05 mm or a quarter of a voxel (`find_limits`).

    Args:
        grid: the grid in question.
        other: the grid that it must equal, whose voxels count.
        subject: what lies on `grid`, for the message.
        reference: what lies on `other`, for the message.
        code: of the refusal; of labels beside their image if not given.

    Raises:
        GeometryError: the grids differ.
    """
    alike = np.allclose(grid.spacing, other.spacing, rtol=SPACINGS, atol=0)
    words = [f"{' × '.join(f'{size:.4g}' for size in one.spacing)} {one.unit}" for one in (grid, other)]
    if grid.shape != other.shape:
        also = "" if alike else f", and its voxels are of {words[0]}, not of {words[1]}"
        found = f"its shape {grid.shape} is not {other.shape}, that of {reference}{also}"
        raise GeometryError(subject, found, RESAMPLE, code=code)
    distance = measure_displacement(grid, other)
    found = f"its voxels lie up to {distance:.3g} {other.unit} away from those of {reference}"
    if distance <= other.limits.recorded:
        if distance > other.limits.accepted:
            warn(code, subject, found)
        return
    if not alike:
        found = f"its voxels of {words[0]} are not those of {reference}, of {words[1]}"
        raise GeometryError(subject, found, _HEADERS, code=code)
    raise GeometryError(subject, found, RESAMPLE, code=code)


def check_same_pixels(grid: Grid, other: Grid, subject: str, reference: str) -> None:
    """Check that two grids are one if either is of pixels: without a physical size nothing is resampled.

    Args and errors are those of `check_same_grid`, but the code is that of images.
    """
    if "px" in (grid.unit, other.unit):
        check_same_grid(grid, other, subject, reference, "size-differs")
