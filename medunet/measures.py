"""What is measured of a mask: volumes, lesions with their diameters and places, and the image's values within.

A *structure* is a label, or a region where the labels have some. A *lesion* is a connected part of a structure (voxels
that share a face, an edge or a corner); where labels number objects, each of these is one. Lesions are listed the
largest first. Lengths are in mm and volumes in mL, of pictures in px and in pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from medunet.confidence import Confidence, StructureConfidence, Trust
from medunet.extents import measure_diameters
from medunet.geometry import RECORDED_MM, Grid, Unit, measure_displacement
from medunet.labels import Mask, Region
from medunet.large_parts import cut_boxes, cut_slabs, number_large_parts
from medunet.parts import Crop, Voxels, is_any, number_parts
from medunet.records import Record
from medunet.scratch import IN_MEMORY, Room
from medunet.spread import describe_pieces

PERCENTILES = {"minimum": 0, "p5": 5, "p25": 25, "median": 50, "p75": 75, "p95": 95, "maximum": 100}
"""Names of values and the percentiles that they are."""
MOST_LESIONS = 1000
"""Lesions of a structure that are listed; the largest. All count in its volume and in their number."""
AT_ONCE = 1_000_000
"""Voxels whose values are read, or interpolated on another grid, at once; each takes some 50 bytes then."""
LARGE = 1 << 22
"""Voxels that are measured at once where not all of a mask is to be in memory."""
DIGITS = 6


class Values(Record):
    """Values of one channel within a structure or a lesion."""

    unit: str
    """HU, SUVbw, …; empty where the files don't say."""
    covered: float
    """Share of the voxels at which the channel has a value: it may end before the scan does."""
    mean: float
    """Their mean."""
    sd: float
    """Their standard deviation (of all that there are, not of a sample)."""
    minimum: float
    """The smallest."""
    p5: float
    """5th percentile."""
    p25: float
    """25th percentile."""
    median: float
    """50th percentile."""
    p75: float
    """75th percentile."""
    p95: float
    """95th percentile."""
    maximum: float
    """The largest."""


class Measured(Record):
    """What is measured of a structure and of a lesion alike."""

    volume: float
    """mL; of pictures pixels."""
    centre: tuple[float, float, float]
    """Mean place of its voxels, RAS mm; of pictures column, row, 0."""
    centre_voxel: tuple[float, float, float]
    """The same as voxel index (i, j, k), not rounded."""
    touches_border: bool
    """Whether it reaches the outermost voxels of the scan (of a picture, in its plane), so that it may go on."""
    values: dict[str, Values] = Field(default_factory=dict)
    """Values within, by channel; `<channel> 1`, `<channel> 2`, … where a file holds several components. A channel that
    doesn't reach so far is left out."""


class LesionMeasures(Measured):
    """One lesion, or one object."""

    number: int
    """1 is the largest of its structure."""
    value: int | None = None
    """The object's number in the mask, where its values number objects."""
    longest_diameter: float
    """Longest in an axial plane of the grid, between outer corners of voxels; mm, of pictures px."""
    perpendicular_diameter: float
    """Longest chord of its convex hull across that in the same plane; mm, of pictures px."""
    spatial_diameter: float | None
    """Longest in space, mm; none in a picture."""


class StructureMeasures(Record):
    """One label or region."""

    name: str
    """What it is called."""
    label_values: tuple[int, ...]
    """Its values in the mask."""
    lesion_count: int
    """How many lesions or objects it has."""
    whole: Measured | None
    """All of it; none where nothing was found."""
    confidence: StructureConfidence | None = None
    """How far it can be relied on, where a network made it."""
    lesions: tuple[LesionMeasures, ...]
    """Each, the largest first, 1000 at most."""


class Measures(Record):
    """What was measured of the mask of one scan."""

    version: Literal[1] = 1
    """Version of this record."""
    unit: Unit
    """`mm`: volumes are in mL and lengths in mm. `px`: volumes are in pixels and lengths in px."""
    structures: tuple[StructureMeasures, ...]
    """Every label or region, found or not."""
    trust: Trust | None = None
    """How far all of them can be relied on: the worst of the scan and of its structures."""
    notes: tuple[str, ...] = ()
    """What couldn't be measured, or is odd, in words."""

    def find_largest(self) -> LesionMeasures | None:
        """The largest lesion of all structures, None where nothing was found."""
        found = [item.lesions[0] for item in self.structures if item.lesions]
        return max(found, key=lambda lesion: lesion.volume, default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """An image whose values are measured.

    Attributes:
        name: of the channel.
        unit: of its values, "" where it isn't known.
        voxels: (C, I, J, K).
        grid: where they lie; it may be another than that of the mask.
        room: in which they may lie, so that little of it is in memory at a time.
    """

    name: str
    unit: str
    voxels: npt.NDArray[np.generic]
    grid: Grid
    room: Room = IN_MEMORY

    def name_components(self) -> list[str]:
        """A name for each component."""
        count = len(self.voxels)
        return [self.name] if count == 1 else [f"{self.name} {n}" for n in range(1, count + 1)]


def measure_mask(
    mask: Mask, channels: Sequence[Channel] = (), notes: Sequence[str] = (), room: Room | None = None
) -> Measures:
    """Measure every structure of a mask and every lesion of it.

    Values of a channel on the mask's own grid are those of the voxels; of one on another grid they are interpolated
    linearly at the centres of the mask's voxels, without those that lie outside of it.

    Args:
        mask: on the grid of the first channel.
        channels: whose values are measured.
        notes: what is to be said beside.
        room: for what is large, which is measured piece by piece then; everything is in memory if not given.
    """
    said = list(notes)
    structures = []
    sure: Confidence | None = mask.confidence
    own = {item.name: item for item in sure.structures} if sure else {}
    for region in mask.table.structures:
        measured = _measure_structure(mask, region, channels, room)
        structures.append(measured.model_copy(update={"confidence": own.get(region.name)}))
        if structures[-1].lesion_count > MOST_LESIONS:
            said.append(f"{region.name} has {structures[-1].lesion_count} parts; the {MOST_LESIONS} largest are listed")
    trust = sure.trust if sure else None
    return Measures(unit=mask.grid.unit, structures=tuple(structures), trust=trust, notes=tuple(said))


def _measure_structure(mask: Mask, region: Region, channels: Sequence[Channel], room: Room | None) -> StructureMeasures:
    inside = _find_inside(mask, region, room)
    filled = [np.flatnonzero(profile) for profile in _count_along(inside, room or IN_MEMORY)]
    if not len(filled[0]):
        return StructureMeasures(name=region.name, label_values=region.values, lesion_count=0, whole=None, lesions=())
    i, j, k = (slice(int(places[0]), int(places[-1]) + 1) for places in filled)
    box = i, j, k
    inside = inside[box]
    if room is not None and inside.size > LARGE and mask.kind == "classes":
        return _measure_large(inside, box, mask, region, channels, room)
    if mask.kind == "instances":
        known, numbers = np.unique(mask.voxels[box] * inside, return_inverse=True)
        numbers, count = numbers.reshape(inside.shape), len(known) - int(known[0] == 0)
        values = known[known > 0]
        numbers = numbers + int(known[0] != 0)
    else:
        numbers, count = number_parts(inside)
        values = None
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    places = ndimage.find_objects(numbers)
    lesions = []
    for number, place in enumerate(np.argsort(-sizes, kind="stable")[:MOST_LESIONS], start=1):
        own = numbers[places[place]] == place + 1
        whole = _shift(places[place], box)
        value = None if values is None else int(values[place])
        lesions.append(_measure_lesion(own, whole, mask, channels, IN_MEMORY, number=number, value=value))
    return StructureMeasures(
        name=region.name,
        label_values=region.values,
        lesion_count=count,
        whole=Measured(**_measure_voxels(inside, box, mask, channels, IN_MEMORY)),
        lesions=tuple(lesions),
    )


def _count_along(inside: Voxels, room: Room) -> list[npt.NDArray[np.intp]]:
    """Voxels of each plane (I, J, K) along each axis, counted slab by slab: the array may lie in a file of the room."""
    i, j, k = (np.zeros(size, np.intp) for size in inside.shape)
    for slab in cut_slabs(inside.shape, LARGE):
        part = inside[slab]
        lines = np.count_nonzero(part, axis=2)
        i[slab] = lines.sum(axis=1)
        j += lines.sum(axis=0)
        k += np.count_nonzero(part, axis=(0, 1))
        room.settle()
    return [i, j, k]


def _find_inside(mask: Mask, region: Region, room: Room | None) -> Voxels:
    """Voxels (I, J, K) of a structure."""
    if mask.kind == "instances" or room is None:
        return mask.voxels > 0 if mask.kind == "instances" else is_any(mask.voxels, region.values)
    inside: Voxels = room.make(mask.voxels.shape, np.bool_)
    for slab in cut_slabs(inside.shape, LARGE):
        inside[slab] = is_any(mask.voxels[slab], region.values)
        room.settle()
    return inside


def _measure_large(
    inside: Voxels, box: Crop, mask: Mask, region: Region, channels: Sequence[Channel], room: Room
) -> StructureMeasures:
    """As `_measure_structure`, of what lies within a large box, piece by piece."""
    parts = number_large_parts(inside, room, LARGE)
    largest = parts.list_largest(MOST_LESIONS)
    lesions = []
    for number, (part, place) in enumerate(zip(largest, parts.find_boxes(largest), strict=True), start=1):
        own = parts.take(part, place)
        within = _shift(place, box)
        lesions.append(_measure_lesion(own, within, mask, channels, room, number=number, value=None))
    return StructureMeasures(
        name=region.name,
        label_values=region.values,
        lesion_count=len(parts.sizes),
        whole=Measured(**_measure_voxels(inside, box, mask, channels, room)),
        lesions=tuple(lesions),
    )


def _shift(inner: Crop, box: Crop) -> Crop:
    """A box within a box, within what that is cut from."""
    first, second, third = (slice(o.start + i.start, o.start + i.stop) for i, o in zip(inner, box, strict=True))
    return first, second, third


def _measure_lesion(
    own: Voxels, box: Crop, mask: Mask, channels: Sequence[Channel], room: Room, **named: Any
) -> LesionMeasures:
    diameters = measure_diameters(own, mask.grid, room)
    return LesionMeasures(
        **named,
        **_measure_voxels(own, box, mask, channels, room),
        longest_diameter=_round(diameters.longest),
        perpendicular_diameter=_round(diameters.perpendicular),
        spatial_diameter=None if diameters.spatial is None else _round(diameters.spatial),
    )


def _measure_voxels(inside: Voxels, box: Crop, mask: Mask, channels: Sequence[Channel], room: Room) -> dict[str, Any]:
    """The fields of `Measured`, of voxels of a box of the mask."""
    profiles = _count_along(inside, room)
    count = int(profiles[0].sum())
    centre = []
    for side, profile in zip(box, profiles, strict=True):
        centre.append(side.start + float(profile @ np.arange(len(profile))) / count)
    ends = zip(box, mask.grid.shape, strict=True)
    return {
        "volume": _round(count * mask.voxel_volume),
        "centre": tuple(_round(x) for x in mask.grid.to_world([centre])[0]),
        "centre_voxel": tuple(_round(x) for x in centre),
        "touches_border": any(size > 1 and (side.start == 0 or side.stop == size) for side, size in ends),
        "values": dict(_measure_channels(inside, count, box, mask.grid, channels)),
    }


def _measure_channels(
    inside: Voxels, count: int, box: Crop, grid: Grid, channels: Sequence[Channel]
) -> Iterator[tuple[str, Values]]:
    for channel in channels:
        same = measure_displacement(channel.grid, grid) <= RECORDED_MM
        for name, voxels in zip(channel.name_components(), channel.voxels, strict=True):
            if inside.size > LARGE:
                take = partial(_take_pieces, voxels, channel, inside, box, None if same else grid)
                yield from _describe_pieces(name, take, count, channel.unit)
                continue
            found = voxels[box][inside] if same else _sample_inside(voxels, channel.grid, inside, box, grid)
            known = found[np.isfinite(found)]
            if len(known):
                yield name, _describe_values(known, len(found), channel.unit)


def _take_pieces(
    voxels: npt.NDArray[np.generic], channel: Channel, inside: Voxels, box: Crop, grid: Grid | None
) -> Iterator[npt.NDArray[Any]]:
    """Values of an image, on another grid where one is given, within voxels of a box, piece by piece."""
    for piece in cut_boxes(inside.shape, min(AT_ONCE, LARGE)):
        part, within = _shift(piece, box), inside[piece]
        yield voxels[part][within] if grid is None else _sample_inside(voxels, channel.grid, within, part, grid)
        channel.room.settle()


def _describe_pieces(
    name: str, take: Callable[[], Iterator[npt.NDArray[Any]]], count: int, unit: str
) -> Iterator[tuple[str, Values]]:
    known, mean, sd, spread = describe_pieces(take, list(PERCENTILES.values()))
    if known:
        yield name, _make_values(unit, known / count, mean, sd, spread)


def _sample_inside(
    voxels: npt.NDArray[np.generic], own: Grid, inside: Voxels, box: Crop, grid: Grid
) -> npt.NDArray[np.float64]:
    """Values (N,) of an image on another grid at the centres of voxels; NaN where it has none."""
    offset = np.array([side.start for side in box])
    places = np.argwhere(inside)
    parts = [places[start : start + AT_ONCE] + offset for start in range(0, len(places), AT_ONCE)]
    return np.concatenate([sample_image(voxels, own, grid.to_world(part)) for part in parts])


def sample_image(voxels: npt.NDArray[np.generic], grid: Grid, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Values of an image at points in the world, interpolated linearly between the centres of its voxels.

    Args:
        voxels: (I, J, K).
        grid: where they lie.
        points: (N, 3) RAS mm.

    Returns:
        (N,); NaN outside of all voxels. Between the outermost centres and the voxels' rim the nearest value counts.
    """
    indices = grid.to_voxel(points)
    outside = ((indices < -0.5) | (indices > np.array(grid.shape) - 0.5)).any(axis=1)
    found = ndimage.map_coordinates(
        np.asarray(voxels), indices.T, output=np.float64, order=1, mode="nearest", prefilter=False
    )
    found[outside] = np.nan
    return np.asarray(found)


def _describe_values(known: npt.NDArray[Any], count: int, unit: str) -> Values:
    spread = np.percentile(known, list(PERCENTILES.values())).tolist()
    mean, sd = float(known.mean(dtype=np.float64)), float(known.std(dtype=np.float64))
    return _make_values(unit, len(known) / count, mean, sd, spread)


def _make_values(unit: str, covered: float, mean: float, sd: float, spread: Sequence[float]) -> Values:
    named = {name: _round(value) for name, value in zip(PERCENTILES, spread, strict=True)}
    return Values(unit=unit, covered=_round(covered), mean=_round(mean), sd=_round(sd), **named)


def _round(value: float) -> float:
    """To six digits, more than voxels know."""
    return float(f"{value:.{DIGITS}g}")
