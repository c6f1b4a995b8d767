"""Judge a prediction: what of the scan, and of each structure, speaks against relying on it."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from medunet.bundle import Recipe, Seen
from medunet.confidence import LEVELS, Confidence, Limits, Reason, Trust, compare_range, join_confidence
from medunet.findings import Finding
from medunet.geometry import Grid
from medunet.inference.confidence import Scores
from medunet.inference.likeness import Images, find_scale
from medunet.labels import Mask, Region
from medunet.parts import is_any

SPACING = (1.5, 3.0)
"""Times beyond the spacings of training from which a scan is to be looked at, and from which it is outside training."""
EXTENT = (1.5, 3.0)
"""The same of the extents of training, below the smallest; larger ones are told by `likeness`."""
NOISE = (1.5, 4.0)
"""The same of the noise of training, above the largest and below the least."""
VOLUME = (1.0, 3.0)
"""The same of the volumes of training."""
AGREEMENT = 0.7
"""Agreement of folds below which a structure is to be looked at: two masks with a Dice below it can't both have one of
0.87 or more with any truth, since 1 - Dice / (2 - Dice) is a distance."""
MOST_NOISE = 2_000_000
"""Voxels, about, by which noise is measured."""


def judge(mask: Mask, scores: Scores, recipe: Recipe, scan: Sequence[Reason]) -> Confidence:
    """Put together what speaks against a prediction.

    Args:
        mask: that was made.
        scores: of a `Watch` that has seen its logits.
        recipe: by which it was made.
        scan: reasons of the whole scan, from `judge_scan`.
    """
    return judge_numbers(mask.volumes_ml(), measure_contacts(mask), scores, recipe, scan)


def judge_numbers(
    volumes: Mapping[str, float],
    contacts: Mapping[str, float],
    scores: Scores,
    recipe: Recipe,
    scan: Sequence[Reason],
) -> Confidence:
    """As `judge`, by each structure's volume (mL, px of pictures) and contact with the border of the scan."""
    unit = "mL" if recipe.task.unit == "mm" else "px"
    structures = {}
    for name, volume in volumes.items():
        own = scores.get(name, (None, None))
        reasons = [
            *_judge_volume(name, volume, recipe.seen, unit),
            *_judge_score(name, own, contacts[name], recipe.seen),
        ]
        structures[name] = (reasons, *own)
    return join_confidence(scan, structures, _list_unknown(recipe, scores))


def _judge_volume(name: str, volume: float, seen: Seen | None, unit: str) -> Iterator[Reason]:
    if seen is None or name not in seen.volumes:
        return
    low, high = seen.volumes[name]
    if volume == 0:
        if low > 0:
            yield Reason(trust="look", said=f"nothing was found, and each of {seen.cases} cases of training had some")
        return
    level = compare_range(volume, low, high, *VOLUME)
    if level != "as trained":
        yield Reason(trust=level, said=f"{volume:.4g} {unit}, in training {low:.4g} to {high:.4g}")


def _judge_score(
    name: str, scores: tuple[float | None, float | None], contact: float, seen: Seen | None
) -> Iterator[Reason]:
    expected, agreement = scores
    limits = seen.limits.get(name, Limits()) if seen else Limits()
    if expected is not None and limits.score is not None and expected < limits.score:
        yield Reason(trust="look", said=f"its expected Dice is {expected:.2f}, below {limits.score:.2f}")
    if agreement is not None and agreement < AGREEMENT:
        yield Reason(trust="look", said=f"the folds agree by a Dice of {agreement:.2f}, below {AGREEMENT:.2f}")
    if limits.contact is not None and contact > limits.contact:
        yield Reason(trust="look", said="the border of the scan cuts it")


def _list_unknown(recipe: Recipe, scores: Scores) -> Iterator[str]:
    if recipe.seen is None:
        yield "volumes, spacings and extents of training"
    if not recipe.values:
        yield "values of training"
    if recipe.seen is None or not recipe.seen.noise:
        yield "noise of training"
    if not scores:
        yield "the score, since steps of the bundle's own make the labels"
    elif recipe.seen is None or not recipe.seen.limits:
        yield "from which score and which contact with the border on masks are good: nobody validated it"


def judge_scan(images: Images, recipe: Recipe, findings: Sequence[Finding], *, whole: bool = True) -> list[Reason]:
    """What speaks against all structures of a scan.

    Args:
        images: as they were read, by channel.
        recipe: of the bundle.
        findings: of `find_unlike`.
        whole: all of it is predicted, not a box.
    """
    reasons = [_weigh(item) for item in findings]
    seen, grid = recipe.seen, next(iter(images.values()))[1]
    if seen is None:
        return reasons
    if seen.spacing_mm is not None and seen.extent_mm is not None and grid.unit == "mm":
        axes = grid.nearest_axes()
        spacing = [grid.spacing[axis] for axis in axes]
        extent = [grid.spacing[axis] * grid.shape[axis] for axis in axes]
        reasons += _judge_ranges("its voxels are", spacing, seen.spacing_mm, SPACING)
        if whole:
            # Larger ones are a finding already.
            small = [(low, np.inf) for low, _ in seen.extent_mm]
            reasons += _judge_ranges("it shows", extent, small, EXTENT)
    for key, (name, (voxels, _)) in zip(recipe.inputs, images.items(), strict=True):
        if name in seen.noise and (noise := measure_noise(voxels, find_scale(recipe, key))) is not None:
            low, high = seen.noise[name]
            level = compare_range(noise, low, high, *NOISE)
            if level != "as trained":
                span = f"in training {low:.2g} to {high:.2g}"
                reasons.append(Reason(trust=level, said=f"the noise of its {name} is {noise:.2g} of its range, {span}"))
    return reasons


def _weigh(finding: Finding) -> Reason:
    trust: Trust = "outside training" if finding.code == "scan-unlike" else "look"
    return Reason(trust=trust, said=f"{finding.subject}: {finding.found}")


def _judge_ranges(
    said: str, sizes: Sequence[float], ranges: Sequence[tuple[float, float]], factors: tuple[float, float]
) -> list[Reason]:
    """One reason where a size along x, y or z is beyond its range."""
    levels = [compare_range(size, low, high, *factors) for size, (low, high) in zip(sizes, ranges, strict=True)]
    worst = max(range(3), key=lambda n: LEVELS.index(levels[n]))
    if levels[worst] == "as trained":
        return []
    low, high = ranges[worst]
    span = f"{low:.3g} to {high:.3g}" if np.isfinite(high) else f"at least {low:.3g}"
    return [Reason(trust=levels[worst], said=f"{said} {sizes[worst]:.3g} mm along {'xyz'[worst]}, in training {span}")]


def measure_contacts(mask: Mask) -> dict[str, float]:
    """How large the cut is that the border of the scan makes through each structure.

    Returns:
        By name of the structure the area on the one outer face of the scan where it is largest, as a share of its
        volume to the power of two thirds (a cube that lies on a face has 1, one that is cut in half 1.6); of pictures
        the length on an edge by the square root of the pixels.
    """
    found, counts = {}, mask.count_values()
    for region in mask.table.structures:
        count = sum(int(counts[value]) for value in region.values)
        found[region.name] = _measure_contact(mask, region) / _scale(count, mask.grid) if count else 0.0
    return found


def _measure_contact(mask: Mask, region: Region) -> float:
    """Largest area (length) of a structure on an outer face (edge), mm² or px; only faces are looked at."""
    flat, largest = mask.grid.unit == "px", 0.0
    voxel = float(np.prod(mask.grid.spacing))
    for axis in range(2 if flat else 3):
        if mask.voxels.shape[axis] == 1:
            continue
        area = 1.0 if flat else voxel / mask.grid.spacing[axis]
        for end in (0, -1):
            face = np.asarray(mask.voxels.take(end, axis))
            inside = face > 0 if mask.kind == "instances" else is_any(face, region.values)
            largest = max(largest, area * int(np.count_nonzero(inside)))
    return largest


def _scale(count: int, grid: Grid) -> float:
    return float(np.sqrt(count)) if grid.unit == "px" else float(count * np.prod(grid.spacing)) ** (2 / 3)


def measure_noise(voxels: npt.NDArray[np.generic], scale: tuple[float, float] | None) -> float | None:
    """Noise of an image: what neighbours differ by in the plane, as a share of the range that the network sees.

    It is the median of `|a - 2 b + c| / √6` over each three neighbours along the first two axes, by 0.6745 as of a
    normal distribution, so that edges hardly count.

    Args:
        voxels: (C, I, J, K), the first component of which counts.
        scale: range that values are cut to; three neighbours count that lie within. None takes the 0.5th to the 99.5th
            percentile.

    Returns:
        The share; None where too few voxels lie within, or the image has one value.
    """
    _, i, j, k = voxels.shape
    step = max(1, round(i * j * k / MOST_NOISE))
    part = voxels[0, :, :, step // 2 :: step].astype(np.float32)
    low, high = scale or tuple(float(value) for value in np.percentile(part, [0.5, 99.5]))
    found = []
    for axis in (0, 1):
        along = np.moveaxis(part, axis, 0)
        first, middle, last = along[:-2], along[1:-1], along[2:]
        within = np.ones(middle.shape, bool)
        for value in (first, middle, last):
            within &= (value > low) & (value < high)
        found.append(np.abs(first - 2 * middle + last)[within])
    every = np.concatenate(found)
    if len(every) < 100 or not high > low:
        return None
    return float(np.median(every)) / (0.6745 * 6**0.5 * (high - low))
