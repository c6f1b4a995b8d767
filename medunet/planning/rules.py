"""Rules from measured numbers to planned ones: pure functions, each citing its source.

"Isensee 2021" is F. Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical
image segmentation, Nature Methods 18, 203-211, with its supplementary notes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Triple = tuple[int, int, int]
Spacing = tuple[float, float, float]

Axes = Literal["RAS", "RSA", "ASR"]
"""Directions of the patient in which the axes of a prepared scan run: right, front (A) and head (S)."""
ORDERS: dict[Axes, Triple] = {"RAS": (0, 1, 2), "RSA": (0, 2, 1), "ASR": (1, 2, 0)}
"""Of x, y and z, which each axis of a prepared scan runs along."""
SLICED: tuple[Axes, Axes, Axes] = ("ASR", "RSA", "RAS")
"""Orientation in which slices across x, y and z lie along the last axis."""
PLANES: dict[Axes, str] = {"RAS": "axial", "RSA": "coronal", "ASR": "sagittal"}
"""What these slices are called."""
COARSER = 1.25
"""Times the spacing along z from which another axis is clearly coarser."""
ANISOTROPY = 3.0
"""From this ratio of the coarsest spacing to the next finer, an axis counts as anisotropic (Isensee 2021)."""
SMALLEST_EDGE = 4
"""No feature map is pooled below this many voxels (Isensee 2021)."""
CONTEXT = 0.5
"""Share of the median case that a patch shall see. Isensee 2021 plans a coarser grid where it is below a quarter; on
sarcomas half was better (docs/decisions/0005)."""
LABEL_VOXELS = 8
"""Voxels that a small label keeps across, however coarse the grid becomes."""
BYTES_PER_FEATURE = 90
"""Training memory for one feature of one voxel at full resolution, all levels, gradients and workspace
included; fitted to measured peaks of DynUNet in fp32 (64³, batch 2: 1.4 GB at 8, 1.9 at 16 and 2.6 at 32
features)."""


def choose_dims(shapes: list[Triple]) -> Literal[2, 3] | None:
    """Axes of the network: 2 for images of one slice, 3 for volumes, None where a cohort holds both.

    Args:
        shapes: voxels along x, y, z of each case.
    """
    flat = {1 in shape for shape in shapes}
    return None if len(flat) > 1 else 2 if flat == {True} else 3


def choose_axes(spacings_mm: list[Spacing], shapes: list[Triple]) -> Axes | None:
    """Orientation in which slices lie along the last axis: the coarsest one, or that of images of one slice.

    Axial slices unless another axis is clearly coarser in the median case; None where single slices lie in several
    planes, so that no axis is that of all.

    Args:
        spacings_mm: along x, y, z of each case.
        shapes: voxels along x, y, z of each case.
    """
    flat = [{axis for axis in range(3) if shape[axis] == 1} for shape in shapes if 1 in shape]
    common = set.intersection(*flat) if flat else set(range(3))
    if not common:
        return None
    median = np.median(spacings_mm, axis=0)
    across = max(common, key=lambda axis: (median[axis], axis))
    if 2 in common and (flat or median[across] <= COARSER * median[2]):
        across = 2
    return SLICED[across]


def plan_spacing(spacings_mm: list[Spacing], shapes: list[Triple]) -> tuple[Spacing, str]:
    """Target spacing (x, y, z) in mm and its reason.

    The median of every axis; for an anisotropic data set the 10th percentile along its coarsest axis, so that
    the finer cases don't lose their detail (Isensee 2021, "Target spacing").
    """
    median = np.median(spacings_mm, axis=0)
    sizes = np.median(shapes, axis=0)
    coarsest = int(np.argmax(median))
    others = [axis for axis in range(3) if axis != coarsest]
    anisotropic = median[coarsest] > ANISOTROPY * max(median[others]) and sizes[coarsest] * ANISOTROPY < min(
        sizes[others]
    )
    target = median.copy()
    reason = "median spacing of the cases (Isensee 2021)"
    if anisotropic:
        lowest = np.percentile([spacing[coarsest] for spacing in spacings_mm], 10)
        target[coarsest] = max(float(lowest), float(max(median[others])) + 1e-3)
        reason = "median spacing; 10th percentile along the anisotropic axis (Isensee 2021)"
    x, y, z = (round(float(value), 4) for value in target)
    return (x, y, z), reason


def coarsen_spacing(spacing_mm: Spacing, extent_mm: Spacing, voxels: int, coarsest_mm: float) -> Spacing:
    """Spacing (x, y, z) in mm at which a patch sees enough of a case (Isensee 2021, "3D low resolution").

    The finest axes grow in steps of 3 % until they are as coarse as the coarsest, then all axes.

    Args:
        spacing_mm: that of the cases.
        extent_mm: of the median case along the same axes.
        voxels: of the patch.
        coarsest_mm: no axis grows beyond this.
    """
    spacing = np.array(spacing_mm)
    while np.prod(np.array(extent_mm) / spacing) * CONTEXT > voxels:
        level = (spacing > 0.999 * spacing.max()).all()
        ceiling = coarsest_mm if level else min(coarsest_mm, spacing.max())
        growing = spacing < 0.999 * ceiling
        if not growing.any():
            break
        spacing = np.where(growing, np.minimum(spacing * 1.03, ceiling), spacing)
    x, y, z = (round(float(value), 4) for value in spacing)
    return x, y, z


def smallest_diameter(volumes_ml: list[float]) -> float:
    """Diameter in mm of the ball that is as large as a small label: the 10th percentile of volumes above 0."""
    volumes = [volume for volume in volumes_ml if volume > 0]
    return float((6000 * np.percentile(volumes, 10) / np.pi) ** (1 / 3)) if volumes else 0.0


@dataclass(frozen=True, slots=True)
class Topology:
    """Shape of a U-Net.

    Attributes:
        patch: voxels (x, y, z) that the network sees, divisible by the product of the strides.
        strides: one triple a level, the first is (1, 1, 1).
        kernels: one triple a level.
    """

    patch: Triple
    strides: tuple[Triple, ...]
    kernels: tuple[Triple, ...]


def choose_topology(patch: Triple, spacing_mm: Spacing, levels: int = 6) -> Topology:
    """Pooling and kernels for a patch (Isensee 2021, "Network topology").

    An axis is pooled while its feature map keeps at least 4 voxels and its spacing is below twice the finest
    of those that can still be pooled; a kernel has 3 voxels along an axis from where its spacing is below
    twice the finest one, and 1 before. The patch is rounded up to what the poolings divide.

    Args:
        patch: voxels (x, y, z); an axis of 1 is neither pooled nor convolved (2D).
        spacing_mm: spacing of the planned grid.
        levels: largest number of resolutions.
    """
    size = np.array(patch, dtype=float)
    spacing = np.array(spacing_mm, dtype=float)
    strides: list[Triple] = [(1, 1, 1)]
    flat = size == 1
    kernels: list[Triple] = [_choose_kernel(spacing, flat)]
    while len(strides) < levels:
        poolable = (size >= 2 * SMALLEST_EDGE) & ~flat
        if not poolable.any():
            break
        finest = spacing[poolable].min()
        pooled = poolable & (spacing < 2 * finest)
        stride = np.where(pooled, 2, 1)
        size, spacing = np.ceil(size / stride), spacing * stride
        strides.append((int(stride[0]), int(stride[1]), int(stride[2])))
        kernels.append(_choose_kernel(spacing, flat))
    divisor = np.prod(strides, axis=0)
    rounded = np.where(flat, 1, np.ceil(np.array(patch) / divisor) * divisor).astype(int)
    return Topology((int(rounded[0]), int(rounded[1]), int(rounded[2])), tuple(strides), tuple(kernels))


def _choose_kernel(spacing: np.ndarray, flat: np.ndarray) -> Triple:
    finest = spacing[~flat].min()
    x, y, z = (1 if flat[axis] or spacing[axis] >= 2 * finest else 3 for axis in range(3))
    return x, y, z


def plan_patch(median_shape: Triple, spacing_mm: Spacing, voxels: int, dims: int) -> Triple:
    """Patch (x, y, z) of about `voxels` voxels.

    It starts as a cube in millimetres, no axis longer than the median shape, and is scaled until it holds as
    many voxels as allowed (Isensee 2021, "Adapting the patch size": as large as memory allows, aspect ratio
    of the median image). 2D patches lie in the axial plane (x, y).
    """
    shape = np.array(median_shape, dtype=float)
    spacing = np.array(spacing_mm)
    free = np.ones(3, dtype=bool)
    if dims == 2:
        free[2] = False
    # Bisection on the edge in mm: the number of voxels grows with it until the median shape caps all axes.
    low, high = 1.0, float((shape * spacing).max())
    for _ in range(40):
        edge = (low + high) / 2
        size = np.where(free, np.clip(edge / spacing, 2 * SMALLEST_EDGE, np.maximum(shape, 2 * SMALLEST_EDGE)), 1)
        low, high = (edge, high) if np.prod(size) <= voxels else (low, edge)
    size = np.where(free, np.clip(low / spacing, 2 * SMALLEST_EDGE, np.maximum(shape, 2 * SMALLEST_EDGE)), 1)
    x, y, z = (max(1, round(float(n))) for n in size)
    return x, y, z


def plan_filters(width: int, levels: int, dims: int) -> tuple[int, ...]:
    """Features of each level: doubled from level to level, at most 320 in 3D and 512 in 2D (Isensee 2021)."""
    cap = {2: 512, 3: 320}[dims]
    return tuple(min(width * 2**level, cap) for level in range(levels))
