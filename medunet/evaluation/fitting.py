"""Floors of a cohort: fitted on training cases, kept in the bundle, applied to a case."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy import ndimage

from medunet.bundle import Bundle, ForeignBundle
from medunet.cohort import Case, Cohort, open_case, read_channel
from medunet.evaluation.choice import Choice
from medunet.evaluation.floors import (
    EllipsoidFit,
    EllipsoidFloor,
    Image,
    ThresholdFit,
    ThresholdFloor,
    take_intensities,
)
from medunet.geometry import Affine, Grid, Shape, spread_row
from medunet.labels import Mask
from medunet.objects import number_parts
from medunet.parts import Voxels
from medunet.progress import track
from medunet.reading import Volume
from medunet.records import Record, read_record, write_record


class Floor(Record):
    """One floor of a method, on one channel, for all labels."""

    channel: str
    """Whose intensities it looks at."""
    by_label: dict[str, EllipsoidFloor | ThresholdFloor]
    """What predicts each label or region, by its name."""

    def predict(self, images: dict[str, Image], truth: Mask) -> Mask:
        """Predict a case; where labels overlap the later one stays, and of objects each connected part is one.

        Args:
            images: of each channel, (I, J, K) on the grid of `truth`.
            truth: gives grid and label table; its voxels aren't looked at.
        """
        voxels = np.zeros(truth.grid.shape, dtype=np.uint16)
        for region in truth.table.structures:
            voxels[self.by_label[region.name].predict(images[self.channel], truth.grid)] = region.value
        mask = replace(truth, voxels=voxels)
        return separate_parts(mask) if truth.kind == "instances" else mask


class Floors(Record):
    """All floors of a fold; a bundle keeps them, since they can't be fitted again where its cohort isn't."""

    version: Literal[1] = 1
    fold: int | Literal["all"]
    """On whose training cases they were fitted."""
    methods: dict[str, Floor]
    """By name of the method: "ellipsoid", and "threshold", or "threshold <channel>" where there are several."""


def read_case(cohort: Cohort, case: Case) -> tuple[Volume, dict[str, Image], Mask]:
    """The reference, intensities of all channels on its grid, and the labels.

    Other channels are interpolated linearly; where they show nothing they have their smallest value.

    Returns:
        The first channel's volume, an image (I, J, K) for each channel, and the mask on the same grid.

    Raises:
        MedunetError: a file can't be read, or the case has no label.
    """
    reference, *others = cohort.channels
    first, truth = open_case(cohort, case)
    images = {reference: take_intensities(first)}
    for name in others:
        volume = read_channel(case, name)
        images[name] = _bring_to(first.grid, take_intensities(volume), volume.grid)
    return first, images, truth


def _bring_to(grid: Grid, image: Image, own: Grid) -> Image:
    matrix = np.linalg.inv(own.affine) @ grid.affine
    moved: Image = ndimage.affine_transform(
        image.astype(np.float32), matrix, output_shape=grid.shape, order=1, mode="nearest"
    )
    moved[~_lies_within(grid.shape, matrix, own.shape)] = image.min()
    return moved


def _lies_within(shape: Shape, matrix: Affine, own: Shape) -> Voxels:
    """Voxels (I, J, K) with their centre in a voxel of the other image, which reaches half its size beyond its own."""
    inside = np.ones(shape, dtype=np.bool_)
    for axis, length in enumerate(own):
        index = spread_row(matrix[axis], shape)
        inside &= (index >= -0.5) & (index <= length - 0.5)
    return inside


def find_floors(bundle: Bundle | ForeignBundle, choice: Choice) -> Floors:
    """Floors that a bundle keeps, or fitted now and kept from now on.

    Args:
        bundle: a trained one; one from elsewhere has none, as nobody knows on whom they would be fitted.
        choice: of the cases that are scored, and of those that floors are fitted on.
    """
    fold = choice.fold
    if isinstance(bundle, ForeignBundle):
        return Floors(fold=fold, methods={})
    own = fold == bundle.trained().fold
    path = bundle.folder / "docs" / ("floors.json" if own else f"floors_fold{fold}.json")
    if path.is_file() and (kept := read_record(path, Floors)).fold == fold:
        return kept
    floors = fit_floors(choice.own or bundle.cohort(), choice.training, fold)
    write_record(path, floors)
    return floors


def fit_floors(cohort: Cohort, training: Sequence[Case], fold: int | Literal["all"]) -> Floors:
    """Fit the ellipsoid, and a threshold on each channel, on the training cases of a fold, or on those of all."""
    regions = cohort.labels.structures
    several = len(cohort.channels) > 1
    ellipsoids = {region.name: EllipsoidFit() for region in regions}
    thresholds = {
        name: {region.name: ThresholdFit(cohort.modalities[name]) for region in regions} for name in cohort.channels
    }
    for case in track(training, "fitting floors", len(training)):
        _, images, truth = read_case(cohort, case)
        truth = truth.join_objects()
        known = truth.is_known()
        for region in truth.list_known():
            inside = np.isin(truth.voxels, region.values)
            ellipsoids[region.name].add(inside, truth.grid)
            for name, image in images.items():
                thresholds[name][region.name].add(image, inside, truth.grid, known)
    placed: dict[str, EllipsoidFloor | ThresholdFloor] = {name: fit.finish() for name, fit in ellipsoids.items()}
    methods = {"ellipsoid": Floor(channel=cohort.channels[0], by_label=placed)}
    for name, fits in thresholds.items():
        method = f"threshold {name}" if several else "threshold"
        methods[method] = Floor(channel=name, by_label={label: fit.finish() for label, fit in fits.items()})
    return Floors(fold=fold, methods=methods)


def separate_parts(mask: Mask) -> Mask:
    """A mask whose foreground is numbered anew, one number for each connected part."""
    return replace(mask, kind="instances", voxels=number_parts(mask.voxels))
