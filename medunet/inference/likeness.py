"""Tell where a scan is unlike those of training, so that a network would work on what it never saw."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from medunet.bundle import Recipe
from medunet.bundle.parts import Step
from medunet.cohort.companions import find_apart
from medunet.cohort.facts import take_percentiles
from medunet.errors import ResourceError
from medunet.findings import Finding, make_finding
from medunet.geometry import Grid
from medunet.measuring import ValueRange

MUCH_LARGER = 1.5
"""Times the largest extent in training from which a scan is told to be larger."""
OTHER_SIZE = 10.0
"""Times the spacing of the network's grid, or a part of it, from which voxels are told to be of another size."""
OFF = 0.25
"""Part of the range that the bundle scales by which values may lie beyond those of training."""
SPREAD = 8.0
"""Times the widest range of training, or a part of the narrowest, from which a range of values is another one."""
MOST_VOXELS = 2**32
"""Voxels that a scan may have on the network's grid: 16 GiB of them, more than any patient fills."""
Scale = tuple[float, float]
Percentiles = tuple[float, float, float]
Images = Mapping[str, tuple[npt.NDArray[np.generic], Grid]]
"""Voxels (C, I, J, K) of each channel by its name, and where they lie."""


def find_unlike(images: Images, recipe: Recipe, subject: str, *, whole: bool = True) -> Iterator[Finding]:
    """Everything in which a scan is unlike those of training, or its channels unlike each other, as warnings.

    Args:
        images: as they were read.
        recipe: of the bundle.
        subject: name of the scan.
        whole: all of it is predicted, not a box.
    """
    yield from find_apart({name: grid for name, (_, grid) in images.items()}, subject)
    grid = next(iter(images.values()))[1]
    if grid.unit == "mm":
        yield from _compare_sizes(grid, recipe, subject, whole)
    for key, (name, (voxels, _)) in zip(recipe.inputs, images.items(), strict=True):
        how, seen = find_scale(recipe, key), recipe.values.get(name)
        if why := _find_odd_values(voxels, how, seen):
            remedy = "give the scan in the unit of training, or don't rely on the mask"
            units = f" {recipe.task.units[name]}" if name in recipe.task.units else ""
            if how and seen:
                why += f", those of training from {seen.low[0]:g} to {seen.high[1]:g}{units}"
            elif how:
                why += f", the bundle tells apart those from {how[0]:g} to {how[1]:g}{units}"
            yield make_finding("scan-unlike", f"{subject} {name}", why, remedy)


def find_scale(recipe: Recipe, key: str) -> Scale | None:
    """The range that values of an image are cut to, None where each image is scaled by itself."""
    scales = [step for step in _list_data(recipe) if step.get("_target_") == "ScaleIntensityRanged"]
    return next(((float(step["a_min"]), float(step["a_max"])) for step in scales if key in step["keys"]), None)


def _find_spacing(recipe: Recipe) -> npt.NDArray[np.float64]:
    """Spacing along x, y, z of the network's grid in mm; 0 where the scan keeps its own."""
    spacing, codes = np.zeros(3), "RAS"
    for step in _list_data(recipe):
        codes = step.get("axcodes") or codes
        if step.get("_target_") == "Spacingd":
            spacing[["LRPAIS".index(code) // 2 for code in codes]] = step["pixdim"]
    return spacing


def _list_data(recipe: Recipe) -> list[Step]:
    """The steps of the chain that are data; those that MONAI built of a trusted bundle tell nothing."""
    return [step for step in recipe.preprocessing if isinstance(step, dict)]


def _find_odd_values(voxels: npt.NDArray[np.generic], how: Scale | None, seen: ValueRange | None) -> str:
    """What is odd about the values of an image, in words; "" where nothing is."""
    least, most = float(voxels.min()), float(voxels.max())
    if least == most:
        return f"all of its values are {least:g}"
    values = take_percentiles(voxels)
    if how is None or not (_are_beyond(values, how, seen) if seen else _are_unscaled(values, most, how)):
        return ""
    return f"its values lie from {least:g} to {most:g} (99 % of them from {values[0]:g} to {values[2]:g})"


def _are_beyond(values: Percentiles, how: Scale, seen: ValueRange) -> bool:
    """Whether values differ from those of training where the network could see it: all others are cut off."""
    (low, middle, high), (bottom, top) = values, how
    margin = OFF * (top - bottom)

    def cut(value: float) -> float:
        return min(max(value, bottom), top)

    off = any(
        not cut(least) - margin <= cut(value) <= cut(most) + margin
        for value, (least, most) in ((low, seen.low), (high, seen.high))
    )
    bright = seen.middle[1] <= top < middle
    narrow, wide = seen.high[0] - seen.low[1], seen.high[1] - seen.low[0]
    return off or bright or high - low > SPREAD * wide or (high - low) * SPREAD < narrow


def _are_unscaled(values: Percentiles, most: float, how: Scale) -> bool:
    """The same for bundles that don't know the values of training, but in which range lesions and organs lay."""
    (low, middle, high), (bottom, top) = values, how
    width = top - bottom
    return low > bottom + OFF * width or middle > top or most < bottom + 0.1 * width or high > bottom + 20 * width


def _compare_sizes(grid: Grid, recipe: Recipe, subject: str, whole: bool) -> Iterator[Finding]:
    """What is odd about the size of voxels and of the whole scan.

    Raises:
        ResourceError: it would be larger on the network's grid than anything that can be computed.
    """
    axes = grid.nearest_axes()
    spacing = np.array([grid.spacing[axis] for axis in axes])
    own = spacing * [grid.shape[axis] for axis in axes]
    planned = _find_spacing(recipe)
    planned = np.where(planned > 0, planned, spacing)
    if np.abs(np.log(spacing / planned)).max() > np.log(OTHER_SIZE):
        said = f"its voxels are {_join(spacing)} mm large, those of the network {_join(planned)} mm"
        if float(np.prod(own / planned)) > MOST_VOXELS:
            raise ResourceError(subject, said, "correct the unit of its header", code="too-large")
        yield make_finding("scan-unlike", subject, said, "make sure that the unit of its header is right")
    seen = recipe.extent_mm
    if seen is not None and whole and (own > MUCH_LARGER * np.array(seen)).any():
        said = f"it shows {_join(own, '.0f')} mm, training saw at most {_join(seen, '.0f')} mm"
        yield make_finding("scan-unlike", subject, said, "restrict it to where the finding is (--box)")


def _join(sizes: npt.ArrayLike, form: str = ".3g") -> str:
    return " × ".join(f"{float(size):{form}}" for size in np.asarray(sizes))
