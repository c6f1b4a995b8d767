"""Paints blobs and tubes of tissue into a volume.

Vocabulary: a *canvas* is the volume being painted; a *tissue* is the code of what was painted last on a voxel;
a *blob* is an ellipsoid with a lobulated boundary, a *tube* a ball moved along a curve. Positions are in the
frame of the array: x along I to the left of the patient, y along J to the back, z along K to the head, in mm
from the centre of the volume.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy.interpolate import make_interp_spline

from medunet.geometry import Shape

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Triple = tuple[float, float, float]
Box = tuple[slice, slice, slice]
Layers = tuple[tuple[float, float], ...]
"""Layers of an organ from outside to inside: fraction of the radius, Hounsfield units."""


class Tissue(IntEnum):
    """What a voxel shows: the code of what was painted last on it."""

    AIR = 0
    TABLE = 1
    FAT = 2
    WALL = 3
    CAVITY = 4
    LUNG = 5
    LIVER = 6
    ORGAN = 7
    KIDNEY = 8
    MUSCLE = 9
    VESSEL = 10
    BOWEL = 11
    BONE = 12
    LESION = 13


ANY = tuple(Tissue)


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """An ellipsoid whose radius varies smoothly with direction.

    Attributes:
        centre: x, y, z in mm from the centre of the volume.
        radii: mm along x, y, z; infinite for a column.
        lobes: relative amplitude of the variation.
        waves: (N, 3) wave vectors along x, y, z, in radians a radius.
        phases: (N,) of the waves, radians.
    """

    centre: Triple
    radii: Triple
    lobes: float
    waves: npt.NDArray[np.float64]
    phases: npt.NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, centre: Triple, radii: Triple, lobes: float = 0.06) -> "Blob":
        """Draw an ellipsoid with four waves of lobes.

        Args:
            rng: gives the waves and their phases.
            centre: x, y, z in mm from the centre of the volume.
            radii: mm along x, y, z; infinite for a column.
            lobes: relative amplitude of the variation of the radii.
        """
        return cls(centre, radii, lobes, rng.normal(0, 2.2, (4, 3)), rng.uniform(0, 2 * np.pi, 4))


class Canvas:
    """A volume being painted, at first all air.

    Args:
        shape: voxels along (I, J, K).
        spacing: mm along (I, J, K).
        rng: whoever paints draws from it.

    Attributes:
        rng: the generator.
        spacing: (3,) mm along (I, J, K).
        axes: positions of the voxels along each axis, float32 mm from the centre of the volume.
        hu: (I, J, K) float32, Hounsfield units.
        tissue: (I, J, K) uint8, codes of `Tissue`.
    """

    def __init__(self, shape: Shape, spacing: Triple, rng: np.random.Generator) -> None:
        self.rng = rng
        self.spacing = np.array(spacing)
        self.axes = [((np.arange(n) - (n - 1) / 2) * s).astype(np.float32) for n, s in zip(shape, spacing, strict=True)]
        self.hu = np.full(shape, -1000, np.float32)
        self.tissue = np.zeros(shape, np.uint8)

    def fill(self, box: Box, inside: Flags, tissue: Tissue, hu: float | Floats) -> None:
        """Set some voxels of a box.

        Args:
            box: slices along (I, J, K).
            inside: of the box's shape, true where it is painted.
            tissue: what it shows there.
            hu: Hounsfield units there, one number or an array of the box's shape.
        """
        np.copyto(self.hu[box], hu, where=inside, casting="same_kind")
        np.copyto(self.tissue[box], tissue, where=inside, casting="unsafe")

    def find(self, box: Box, tissues: tuple[Tissue, ...]) -> Flags:
        """Where a box shows one of the tissues: flags of the box's shape.

        Args:
            box: slices along (I, J, K).
            tissues: looked for.
        """
        table = np.zeros(len(Tissue), np.bool_)
        table[list(tissues)] = True
        return table[self.tissue[box]]

    def measure(self, blob: Blob) -> tuple[Box, Floats, Floats]:
        """Measure how far the voxels about a blob lie from its centre.

        Args:
            blob: may reach beyond the volume.

        Returns:
            The box about it within the volume; there, in the box's shape, the distance from its centre in radii (1 on
            its lobed boundary), and its waves, whose standard deviation is 0.7.
        """
        reach = np.array(blob.radii) * (1 + 2.2 * blob.lobes)
        box, offsets = [], []
        for axis, (positions, centre) in enumerate(zip(self.axes, blob.centre, strict=True)):
            start, stop = np.searchsorted(positions, (centre - reach[axis], centre + reach[axis]))
            box.append(slice(int(start), int(stop)))
            shape = [-1 if n == axis else 1 for n in range(3)]
            offsets.append(((positions[start:stop] - centre) / blob.radii[axis]).astype(np.float32).reshape(shape))
        x, y, z = offsets
        waves = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.float32)
        for vector, phase in zip(blob.waves.astype(np.float32), blob.phases.astype(np.float32), strict=True):
            # A plane wave is a product of three waves along the axes, which costs no sine a voxel.
            along = [np.exp(1j * step * offset) for step, offset in zip(vector, offsets, strict=True)]
            waves += (np.exp(1j * phase) * along[0] * along[1] * along[2]).real
        waves /= np.float32(np.sqrt(len(blob.phases)))
        return (box[0], box[1], box[2]), np.sqrt(x * x + y * y + z * z) / (1 + np.float32(blob.lobes) * waves), waves

    def paint(
        self, blob: Blob, tissue: Tissue, layers: Layers, only: tuple[Tissue, ...] = ANY, texture: float = 4
    ) -> None:
        """Paint a blob in layers.

        Args:
            blob: where.
            tissue: what it shows.
            layers: from outside to inside, each a fraction of the radius, 1 at most, and Hounsfield units.
            only: tissues that are painted over; others stay.
            texture: amplitude of its waves, Hounsfield units.
        """
        box, level, waves = self.measure(blob)
        allowed = self.find(box, only)
        for limit, hu in layers:
            self.fill(box, (level < limit) & allowed, tissue, hu + np.float32(texture) * waves)

    def paint_tube(
        self, curve: npt.NDArray[np.float64], radius: float, tissue: Tissue, hu: float, only: tuple[Tissue, ...] = ANY
    ) -> None:
        """Paint a ball at each point of a curve.

        Args:
            curve: (N, 3) positions x, y, z in mm from the centre of the volume, as `trace` makes them.
            radius: of the ball, mm.
            tissue: what it shows.
            hu: Hounsfield units.
            only: tissues that are painted over; others stay.
        """
        reach = np.ceil(radius / self.spacing).astype(int)
        ball = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
        ball = ball[np.linalg.norm((np.abs(ball) - 0.5).clip(0) * self.spacing, axis=1) < radius]
        centres = curve / self.spacing + (np.array(self.hu.shape) - 1) / 2
        voxels = np.rint(centres).astype(int)[:, None] + ball
        near = np.linalg.norm((voxels - centres[:, None]) * self.spacing, axis=2) < radius
        near &= ((voxels >= 0) & (voxels < self.hu.shape)).all(axis=2)
        i, j, k = voxels[near].T
        table = np.zeros(len(Tissue), np.bool_)
        table[list(only)] = True
        allowed = table[self.tissue[i, j, k]]
        i, j, k = i[allowed], j[allowed], k[allowed]
        self.hu[i, j, k], self.tissue[i, j, k] = hu, tissue

    def trace(self, controls: list[Triple], radius: float) -> npt.NDArray[np.float64]:
        """Lay a smooth curve through control points.

        Args:
            controls: two points or more, each x, y, z in mm from the centre of the volume.
            radius: in mm of the tube that follows the curve.

        Returns:
            (N, 3) points, near enough to each other for that tube to have no gaps.
        """
        points = np.array(controls)
        lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1) + 1e-3)])
        spline = make_interp_spline(lengths, points, k=min(3, len(points) - 1))
        step = max(0.35 * radius, 0.5 * float(self.spacing.min()))
        return np.asarray(spline(np.linspace(0, lengths[-1], int(lengths[-1] / step) + 2)))
