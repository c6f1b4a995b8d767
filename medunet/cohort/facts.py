"""What is measured of a case, so that cases can be compared when their voxels are gone.

Everything is told along the axes of the world: x to the right, y to the front, z to the head (of a picture to the
right and down), whatever the order and directions in which the voxels are stored.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medunet.cohort.cases import Case
from medunet.geometry import Grid, Unit
from medunet.labels import Mask
from medunet.reading import Source, Volume

Triple = tuple[float, float, float]
SAMPLES = 1_000_000
"""Voxels that percentiles are taken of."""
COARSE = 16
"""Blocks along each axis of an image in small."""
SPECK, BODY = 3, 100
"""A piece of at most so many voxels is a speck where the largest piece of its label has so many."""
TOUCHING = np.ones((3, 3, 3), dtype=bool)
"""Voxels of a label that share a corner are one piece."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageFacts:
    """One image.

    Attributes:
        source: where it came from.
        unit: of its lengths.
        components: of its file.
        shape: voxels along x, y, z.
        spacing: along x, y, z.
        right_handed: the stored axes I, J, K are a right-handed system.
        least: smallest value.
        low: 0.5th percentile.
        middle: median.
        high: 99.5th percentile.
        digest: BLAKE2 of the values, however they are stored; "" where all are equal.
        coarse: (16, 16, 16) means of the first component over blocks.
    """

    source: Source
    unit: Unit
    components: int
    shape: tuple[int, int, int]
    spacing: Triple
    right_handed: bool
    least: float
    low: float
    middle: float
    high: float
    digest: str
    coarse: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """One label of a case that has voxels.

    Attributes:
        voxels: how many.
        margins: voxels between it and the border, on the low and the high side of x, y, z.
        centre: its centre of mass along x, y, z, from -1 on the low to 1 on the high border.
        stride: it lies on every so-manieth slice only, along any axis; 1 where it doesn't.
        specks: pieces of at most 3 voxels beside a far larger one.
        holes: enclosed places without any label.
        hole_voxels: voxels of them.
        pieces: connected components, of voxels that share a corner.
    """

    voxels: int
    margins: tuple[tuple[int, int], ...]
    centre: Triple
    stride: int
    specks: int
    holes: int
    hole_voxels: int
    pieces: int = 1


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """A case.

    Attributes:
        id: of the case.
        patient: to whom it belongs.
        images: by channel, as far as they could be read.
        labels: by name, those that have voxels; None where the labels couldn't be read.
        margins: of all labels together.
        unknown: names of labels that nobody looked for.
    """

    id: str
    patient: str
    images: dict[str, ImageFacts] = field(default_factory=dict)
    labels: dict[str, LabelFacts] | None = None
    margins: tuple[tuple[int, int], ...] = ()
    unknown: tuple[str, ...] = ()


def measure_image(volume: Volume) -> ImageFacts:
    """Measure an image."""
    grid = volume.grid
    voxels = [_face_world(component, grid) for component in volume.voxels]
    least, most = volume.voxels.min(), volume.voxels.max()
    low, middle, high = take_percentiles(volume.voxels)
    x, y, z = grid.nearest_axes()
    spacing = grid.spacing
    return ImageFacts(
        source=volume.source,
        unit=grid.unit,
        components=len(voxels),
        shape=voxels[0].shape,
        spacing=(spacing[x], spacing[y], spacing[z]),
        right_handed=bool(np.linalg.det(grid.affine[:3, :3]) > 0),
        least=float(least),
        low=low,
        middle=middle,
        high=high,
        digest="" if least == most else _hash_values(voxels),
        coarse=_shrink(voxels[0]),
    )


def take_percentiles(voxels: npt.NDArray[np.generic]) -> tuple[float, float, float]:
    """0.5th percentile, median and 99.5th percentile of an image, of about a million of its voxels."""
    flat = voxels.ravel(order="K")
    sample = flat[:: max(1, flat.size // SAMPLES)].astype(np.float64)
    low, middle, high = np.percentile(sample, [0.5, 50, 99.5])
    return float(low), float(middle), float(high)


def _face_world(voxels: npt.NDArray[np.generic], grid: Grid) -> npt.NDArray[np.generic]:
    """A view of (I, J, K) whose axes run along x, y, z."""
    axes = grid.nearest_axes()
    turned = voxels.transpose(axes)
    against = tuple(row for row, axis in enumerate(axes) if grid.affine[row, axis] < 0)
    faced: npt.NDArray[np.generic] = np.flip(turned, against)
    return faced


def _hash_values(components: list[npt.NDArray[np.generic]]) -> str:
    """A hash of values and shape, the same for integers and floats, for any order in which they are stored."""
    made = hashlib.blake2b(repr(components[0].shape).encode(), digest_size=16)
    for voxels in components:
        for plane in voxels:
            made.update(np.ascontiguousarray(plane, dtype=np.float32).data)
    return made.hexdigest()


def _shrink(voxels: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    small: npt.NDArray[np.generic] = voxels
    for axis, size in enumerate(voxels.shape):
        edges = np.linspace(0, size, COARSE + 1).astype(int)
        counts = np.maximum(1, np.diff(edges)).reshape([-1 if n == axis else 1 for n in range(3)])
        small = np.add.reduceat(small, edges[:-1], axis=axis, dtype=np.float64) / counts
    return small.astype(np.float64)


def gather_facts(case: Case, images: dict[str, ImageFacts], mask: Mask | None) -> CaseFacts:
    """What was measured of a case, with its labels if they could be read; objects are joined."""
    if mask is None:
        return CaseFacts(case.id, case.patient, images)
    labels = measure_labels(mask.join_objects())
    sides = np.array([facts.margins for facts in labels.values()])
    margins = tuple((int(low), int(high)) for low, high in sides.min(axis=0)) if labels else ()
    unknown = tuple(label.name for label in mask.table.labels if label.value in mask.unknown)
    return CaseFacts(case.id, case.patient, images, labels, margins, unknown)


def measure_labels(mask: Mask) -> dict[str, LabelFacts]:
    """Measure the labels of a mask that have voxels."""
    voxels = _face_world(mask.voxels, mask.grid).astype(np.uint16, copy=False)
    boxes = ndimage.find_objects(voxels)
    return {
        label.name: _measure_label(voxels, label.value, box, mask.table.ignore)
        for label, box in zip(mask.table.labels, boxes, strict=False)
        if box is not None
    }


def _measure_label(
    voxels: npt.NDArray[np.generic], value: int, box: tuple[slice, ...], ignore: int | None
) -> LabelFacts:
    crop = voxels[box]
    inside = crop == value
    sides = tuple((part.start, size - part.stop) for part, size in zip(box, voxels.shape, strict=True))
    corner = np.array([part.start for part in box])
    centre = (ndimage.center_of_mass(inside) + corner + 0.5) / np.array(voxels.shape) * 2 - 1
    sizes = np.bincount(ndimage.label(inside, TOUCHING)[0].ravel())[1:]
    # Slices between those that somebody looked at aren't left out by mistake.
    marked = inside if ignore is None else inside | (crop == ignore)
    holes = _find_holes(crop, inside, [size > 1 for size in voxels.shape])
    return LabelFacts(
        voxels=int(inside.sum()),
        margins=sides,
        centre=(float(centre[0]), float(centre[1]), float(centre[2])),
        stride=max(_find_stride(marked, axis) for axis in range(3)),
        specks=int((sizes <= SPECK).sum()) if sizes.max() >= BODY else 0,
        holes=len(holes),
        hole_voxels=sum(holes),
        pieces=len(sizes),
    )


def _find_holes(crop: npt.NDArray[np.generic], inside: npt.NDArray[np.bool_], open_axes: list[bool]) -> list[int]:
    """Sizes of enclosed places; one that holds another label is none, and a picture is open in its plane only."""
    pad = [(int(is_open), int(is_open)) for is_open in open_axes]
    places, _ = ndimage.label(np.pad(~inside, pad, constant_values=True))
    within = places[tuple(slice(low, low + size) for (low, _), size in zip(pad, crop.shape, strict=True))]
    # The first corner is outside, since one axis at least has been padded.
    filled = {0, int(places[0, 0, 0]), *np.unique(within[~inside & (crop != 0)]).tolist()}
    sizes = np.bincount(within.ravel())
    return [int(size) for place, size in enumerate(sizes) if size and place not in filled]


def _find_stride(inside: npt.NDArray[np.bool_], axis: int) -> int:
    """The step between planes that hold the label, where nearly all steps are the same one above 1."""
    planes = np.flatnonzero(inside.any(axis=tuple(n for n in range(3) if n != axis)))
    steps = np.diff(planes)
    if len(steps) < 3:
        return 1
    usual = int(np.bincount(steps).argmax())
    return usual if (steps == usual).mean() >= 0.8 else 1
