"""RTSTRUCT: find its contours, and fill them on a grid by pixel centres and even-odd."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.errors import LabelError, refuse_damage
from medunet.findings import warn
from medunet.geometry import Grid, Points
from medunet.reading.dicom.objects import RTSTRUCT, Place, list_contours, name_slices, read_object

CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
PARALLEL = 0.5
"""How far, in slices, the points of one contour may spread across slices."""
ONE_PLANE = 0.25
"""Contours of one slice lie no farther apart than this, in slices; else they were drawn on thinner slices."""

OUTLINED = "outlined by medunet"
"""How what is told of the making of a structure begins where medunet outlined voxels that something else marked."""
RIM = 0.51
"""Voxels beyond the outer centres to which contours reach on the image: their edge, and what files round."""


def read_contours(path: Path | str) -> dict[str, list[Points]]:
    """Closed contours of every structure; a structure that is declared but not drawn has none.

    Contours that enclose nothing (points, open lines) are left out with a warning.

    Returns:
        ROI name to a list of (N, 3) points, RAS mm.

    Raises:
        LabelError: it is no RTSTRUCT, two structures have one name, or points are no triples.
    """
    with refuse_damage(path, LabelError):
        return take_contours(read_object(path, RTSTRUCT), path)


def take_contours(dataset: Any, path: Path | str) -> dict[str, list[Points]]:
    """Closed contours of the dataset of an RTSTRUCT, as `read_contours` returns them."""
    names: dict[str, str] = {}
    for roi in dataset.get("StructureSetROISequence") or []:
        name = str(roi.get("ROIName", ""))
        if name in names.values():
            raise LabelError(path, f"two structures are called '{name}'", "rename one of them", code="label-twice")
        names[str(roi.get("ROINumber"))] = name
    contours: dict[str, list[Points]] = {name: [] for name in names.values()}
    for item in dataset.get("ROIContourSequence") or []:
        number = str(item.get("ReferencedROINumber"))
        if number not in names:
            raise LabelError(
                path, f"contours name the unknown structure {number}", "export it again", code="label-unknown"
            )
        contours[names[number]] += _read_closed(item, f"{path} {names[number]}")
    return contours


def is_whole(dataset: Any) -> bool:
    """Whether the contours of an RTSTRUCT are known to be all that there are: medunet made them of every slice.

    Those of people or of other programs may stand for the slices between them as well.
    """
    made = all(
        roi.get("ROIGenerationAlgorithm") == "AUTOMATIC"
        or str(roi.get("ROIGenerationDescription") or "").startswith(OUTLINED)
        for roi in dataset.get("StructureSetROISequence") or []
    )
    return made and dataset.get("Manufacturer") == dataset.get("ManufacturerModelName") == "medunet"


def _read_closed(item: Any, subject: str) -> list[Points]:
    kinds = [(str(contour.get("ContourGeometricType", "")), contour) for contour in item.get("ContourSequence") or []]
    skipped = Counter(kind or "unnamed" for kind, _ in kinds if kind not in CLOSED)
    for kind, count in skipped.items():
        warn("label-contours", subject, f"{count} contours of the kind {kind} enclose nothing and are left out")
    return [_points(contour, subject) for kind, contour in kinds if kind in CLOSED]


def _points(contour: Any, subject: str) -> Points:
    try:
        values = np.array(contour.get("ContourData") or [], dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise LabelError(
            subject, "a contour holds what is no number", "export it again", code="label-contours"
        ) from None
    if len(values) == 0 or len(values) % 3 or not np.isfinite(values).all():
        found = f"a contour holds {len(values)} numbers, no finite triples"
        raise LabelError(subject, found, "export it again", code="label-contours")
    points = values.reshape(-1, 3)
    points[:, :2] *= -1  # LPS to RAS, as flip_lps_ras does for affines
    return points


def rasterize(contours: Sequence[Points], grid: Grid, subject: str, *, whole: bool = False) -> npt.NDArray[np.bool_]:
    """Fill contours: a voxel is inside when its centre is, by even-odd; several of a slice combine by XOR.

    Points count exactly as given; each contour lies on the slice nearest to it. A centre on an edge is inside on
    the left and lower side only (half-open edges), so that neighbouring structures never share a voxel. A contour
    that stands on its slice twice, from whatever point and in whatever direction, counts once. Contours that aren't
    wholly on the grid, lie off its slices, stand there twice, cross each other or leave no voxel are warned of.

    Args:
        contours: (N, 3) points each, RAS mm, parallel to the slices of the grid.
        grid: where the mask lies.
        subject: the file and structure, for messages.
        whole: they are known to be all that there are, so that slices without one are meant.

    Returns:
        (I, J, K) bool.

    Raises:
        LabelError: a contour isn't parallel to the slices, all lie outside of the grid, or they were drawn on
            thinner or thicker slices than those of the grid.
    """
    mask = np.zeros(grid.shape, dtype=np.bool_)
    indices = [grid.to_voxel(points) for points in contours]
    planes: dict[int, list[Points]] = defaultdict(list)
    for index, k in zip(indices, _find_slices(indices, grid, subject, whole=whole), strict=True):
        planes[k].append(index[:, :2])
    outside = cut = 0
    combined = Counter[str]()
    size = np.array(grid.shape[:2])
    for k, polygons in planes.items():
        inner = []
        for points in polygons:
            low, high = points.min(axis=0), points.max(axis=0)
            if not 0 <= k < grid.shape[2] or (high < -0.5).any() or (low > size - 0.5).any():
                outside += 1
                continue
            cut += bool((low < -RIM).any() or (high > size - 1 + RIM).any())
            inner.append(points)
        if inner:
            mask[:, :, k], counts = combine_polygons(inner, grid)
            combined.update(counts)
    if outside == len(contours) and contours:
        raise LabelError(
            subject, "all of its contours lie outside of the image", "give the image it was drawn on", code="label-grid"
        )
    if outside or cut:
        found = f"of {len(contours)} contours {outside} lie outside of the image, {cut} partly"
        warn("label-grid", subject, found)
    _warn_of(combined, f"of {len(contours)} contours", subject)
    return mask


_LOOK = "make sure that its mask is what was meant"
_ODD = {
    "again": "stand on their slice twice and count once",
    "crossing": "cross another one of their slice; what both enclose is left out",
    "lost": "leave no voxel, since they enclose the centre of none",
    "cancelled": "leave no voxel, since they enclose the same voxels as others of their slice",
}
"""What is odd about contours of one slice, and how it is told."""


def _warn_of(counts: Counter[str], whole: str, subject: str) -> None:
    for kind, words in _ODD.items():
        if counts[kind]:
            warn("label-contours", subject, f"{whole} {counts[kind]} {words}", _LOOK)


def combine_polygons(polygons: Sequence[Points], grid: Grid) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
    """Fill the polygons of one slice: by XOR, but equal ones count once.

    Args:
        polygons: (N, 2) voxel indices (i, j) each.
        grid: whose slice it is. Equal are polygons that lie no farther apart than what is taken on it with a warning.

    Returns:
        (I, J) bool, and how many polygons are odd: "again", "crossing", "lost" or "cancelled".
    """
    spacing = np.array(grid.spacing[:2])
    counts = {"again": 0, "crossing": 0, "lost": 0, "cancelled": 0}
    kept: list[Points] = []
    fills: list[npt.NDArray[np.bool_]] = []
    for points in polygons:
        cleaned = _drop_repeats(points)
        once = _run_once(cleaned)
        counts["again"] += len(once) < len(cleaned)
        if any(_are_equal(once * spacing, other * spacing, grid.limits.recorded) for other in kept):
            counts["again"] += 1
            continue
        kept.append(once)
        fills.append(fill_polygon(once, grid.shape[:2]))
        counts["lost"] += not fills[-1].any()
    union = np.logical_xor.reduce(fills)
    if not union.any():
        counts["cancelled"] = sum(bool(fill.any()) for fill in fills)
    else:
        crossing = [pair for pair in _find_overlaps(kept) if _cross(*(fills[n] for n in pair))]
        counts["crossing"] = len({n for pair in crossing for n in pair})
    return union, counts


def _drop_repeats(points: Points) -> Points:
    """A polygon without points that repeat the one before them, such as a last one that repeats the first."""
    moved = (points != np.roll(points, 1, axis=0)).any(axis=1)
    return points[moved] if moved.any() else points[:1]


def _run_once(points: Points) -> Points:
    """A polygon that is run through once, where it is run through twice."""
    half = len(points) // 2
    return points[:half] if half > 2 and np.array_equal(points[:half], points[half:]) else points


def _are_equal(polygon: Points, other: Points, limit: float) -> bool:
    """Whether two polygons (N, 2) in mm run along each other, from whatever point and in whatever direction."""
    for bound in (np.min, np.max):
        if np.abs(bound(polygon, axis=0) - bound(other, axis=0)).max() > limit:
            return False
    return _stray(polygon, other) <= limit and _stray(other, polygon) <= limit


def _stray(polygon: Points, other: Points) -> float:
    """Largest distance of a corner of a polygon (N, 2) from the line of another one."""
    step = np.roll(other, -1, axis=0) - other
    squares = np.maximum((step**2).sum(axis=1), np.finfo(float).tiny)
    farthest = 0.0
    for corner in polygon:
        along = np.clip(((corner - other) * step).sum(axis=1) / squares, 0, 1)
        farthest = max(farthest, float(((other + along[:, None] * step - corner) ** 2).sum(axis=1).min()))
    return math.sqrt(farthest)


def _find_overlaps(polygons: Sequence[Points]) -> Iterator[tuple[int, int]]:
    """Pairs of polygons (N, 2) whose boxes overlap: of many small ones hardly any."""
    low, high = (np.array([bound(points, axis=0) for points in polygons]) for bound in (np.min, np.max))
    for first in range(len(polygons) - 1):
        later = slice(first + 1, None)
        meet = ((low[later] < high[first]) & (low[first] < high[later])).all(axis=1)
        yield from ((first, first + 1 + int(other)) for other in np.flatnonzero(meet))


def _cross(fill: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> bool:
    """Whether each holds voxels of the other, and others."""
    return bool((fill & other).any() and (fill & ~other).any() and (other & ~fill).any())


def _find_slices(indices: Sequence[Points], grid: Grid, subject: str, *, whole: bool) -> list[int]:
    """The slice of each contour, given the voxel indices (N, 3) of its points."""
    planes: dict[int, list[float]] = defaultdict(list)
    slices = []
    for index in indices:
        if np.ptp(index[:, 2]) > PARALLEL:
            found = "a contour is not parallel to the image's slices"
            raise LabelError(subject, found, "give the image it was drawn on", code="label-grid")
        height = float(index[:, 2].mean())
        slices.append(round(height))
        planes[slices[-1]].append(height)
    if any(max(heights) - min(heights) > ONE_PLANE for heights in planes.values()):
        found = "several of its planes fall on one slice of the image"
        raise LabelError(subject, found, "give the image it was drawn on", code="label-grid")
    strides = set(np.diff(sorted(planes)).tolist())
    if not whole and len(planes) > 2 and len(strides) == 1 and strides != {1}:
        found = f"its planes lie {strides.pop()} slices of the image apart"
        raise LabelError(subject, found, "give the image it was drawn on", code="label-every-nth-slice")
    off = max((abs(height - k) for k, heights in planes.items() for height in heights), default=0.0) * grid.spacing[2]
    if off > grid.limits.recorded:
        warn("label-grid", subject, f"its contours lie up to {off:.2f} mm off the slices of the image")
    return slices


def check_slices(dataset: Any, place: Place, grid: Grid, path: Path | str) -> None:
    """Check that the contours of an RTSTRUCT lie on the slices that they name, or, where they name none, on any.

    Args:
        dataset: of the RTSTRUCT.
        place: of its image.
        grid: of its image.
        path: the file.

    Raises:
        LabelError: one doesn't.
    """
    heights = {uid: grid.to_voxel(position[None] * (-1, -1, 1))[0, 2] for uid, position in place.slices.items()}
    for contour in list_contours(dataset):
        if str(contour.get("ContourGeometricType", "")) not in CLOSED:
            continue
        at = grid.to_voxel(_points(contour, str(path)))[:, 2]
        named = [heights[uid] for uid in name_slices(contour)] or [*heights.values()]
        off = min(float(np.abs(at - height).max()) for height in named) * grid.spacing[2]
        if off > grid.limits.recorded:
            found = f"its frame of reference is not that of its image, and a contour lies {off:.3g} mm off its slice"
            raise LabelError(path, found, "give the image it was made on", code="label-grid")


def measure_contours(path: Path | str) -> dict[str, float]:
    """The volume of each structure in mL: what its contours enclose by the distance of their slices, without the image.

    Contours within another one of their slice are holes. A structure that isn't drawn has 0.

    Args:
        path: an RTSTRUCT.

    Raises:
        LabelError: as of `read_contours`.
    """
    return {name: _enclose(drawn) / 1000 for name, drawn in read_contours(path).items()}


def _enclose(contours: Sequence[Points]) -> float:
    """Volume in mm³ of contours, (N, 3) points in mm, that lie in parallel planes."""
    if not contours:
        return 0.0
    # Twice the area of each, as a vector across its plane (Newell's method).
    areas = [np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0) for points in contours]
    across = areas[int(np.argmax([np.linalg.norm(area) for area in areas]))]
    normal = across / max(float(np.linalg.norm(across)), 1e-9)
    axes = np.linalg.svd(normal[None])[2][1:]
    planes: dict[float, list[int]] = defaultdict(list)
    for number, points in enumerate(contours):
        planes[round(float((points @ normal).mean()), 2)].append(number)
    steps = np.diff(sorted(planes))
    total = 0.0
    for numbers in planes.values():
        flat = [contours[number] @ axes.T for number in numbers]
        for own, number in zip(flat, numbers, strict=True):
            around = sum(_holds(other, own[0]) for other in flat if other is not own)
            total += (-1) ** around * float(np.linalg.norm(areas[number])) / 2
    return total * (float(np.median(steps)) if len(steps) else 0.0)


def _holds(polygon: Points, point: Points) -> bool:
    """Whether a polygon (N, 2) holds a point (2,), by even-odd."""
    (x, y), following = point, np.roll(polygon, -1, axis=0)
    crossing = (polygon[:, 1] > y) != (following[:, 1] > y)
    start, end = polygon[crossing], following[crossing]
    at = start[:, 0] + (y - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
    return bool((at > x).sum() % 2)


def fill_polygon(points: npt.NDArray[np.float64], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Fill one polygon on a plane: a centre is inside when an odd number of edges crosses its row to its right.

    Args:
        points: (N, 2) voxel indices (i, j), closed from the last to the first.
        shape: (I, J).

    Returns:
        (I, J) bool.
    """
    following = np.roll(points, -1, axis=0)
    # An edge crosses the rows low <= j < high; both ends are clipped to the grid before they become integers.
    low = np.clip(np.ceil(np.minimum(points[:, 1], following[:, 1])), 0, shape[1]).astype(int)
    high = np.clip(np.ceil(np.maximum(points[:, 1], following[:, 1])), 0, shape[1]).astype(int)
    edge = np.repeat(np.arange(len(points)), high - low)
    j = np.arange(len(edge)) - np.repeat(np.cumsum(high - low) - high, high - low)
    start, end = points[edge], following[edge]
    at = start[:, 0] + (j - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
    # A crossing is to the right of all columns i < at; column c is the last of them.
    c = np.clip(np.ceil(at) - 1, -1, shape[0] - 1).astype(int)
    last = c.max(initial=-1) + 1
    filled = np.zeros(shape, dtype=np.bool_)
    seen = c >= 0
    crossings = np.bincount(c[seen] * shape[1] + j[seen], minlength=last * shape[1]).reshape(last, shape[1])
    filled[:last] = np.cumsum(crossings[::-1], axis=0)[::-1] % 2 == 1
    return filled
