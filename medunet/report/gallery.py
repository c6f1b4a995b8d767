"""Keep pictures and volumes of the cases with the lowest scores, of many or few."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from heapq import heappush, heappushpop
from math import inf
from typing import Generic, TypeVar

import numpy as np

from medunet.cohort import read_channel
from medunet.errors import MedunetError
from medunet.evaluation import CaseMasks, CaseScore, ScoredCase, rate_failure
from medunet.geometry import Grid, measure_displacement, turn_voxels
from medunet.labels import LabelTable, Mask
from medunet.measures import Channel
from medunet.reading import Image, Source, Volume, read_image
from medunet.report.drawings import CasePicture, draw_scored
from medunet.report.embedding import ShownCase, embed_case

MOST = 40
"""Pictures that a page has at most."""
VIEWED = 10
"""Cases in the viewer: those that a page lists as the worst."""
Item = TypeVar("Item")


class _Worst(Generic[Item]):
    """What was made of the worst cases; of others nothing is made."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._kept: list[tuple[tuple[float, ...], int, Item]] = []
        self._count = 0

    def add(self, badness: tuple[float, ...], make: Callable[[], Item]) -> None:
        self._count += 1
        if len(self._kept) >= self._most and badness <= self._kept[0][0]:
            return
        item = badness, -self._count, make()
        if len(self._kept) < self._most:
            heappush(self._kept, item)
        else:
            heappushpop(self._kept, item)

    def list_items(self) -> list[Item]:
        """In the order in which they came."""
        return [item for _, _, item in sorted(self._kept, key=lambda kept: -kept[1])]

    def list_ranked(self) -> list[Item]:
        """The worst first."""
        return [item for _, _, item in sorted(self._kept, key=lambda kept: kept[:2], reverse=True)]


class Gallery:
    """Pictures and volumes of the cases that were scored lowest; of others nothing is drawn or kept.

    Args:
        objects: cases are ranked by the average precision of objects, not by Dice.
        most: pictures that are kept.
        full: all cases come into the viewer, whole and as they are, whatever room that takes.
    """

    def __init__(self, *, objects: bool = False, most: float = MOST, full: bool = False) -> None:
        self._objects, self._full = objects, full
        self._pictures: _Worst[CasePicture] = _Worst(most)
        self._cases: _Worst[ShownCase] = _Worst(inf if full else VIEWED)

    def add(self, case: str, masks: CaseMasks, scores: tuple[CaseScore, ...]) -> None:
        """Draw a case, if it is among the lowest so far.

        Args:
            case: its name.
            masks: of it; what they were made on is drawn below them, where it lies on their grid.
            scores: of its labels; a case without any comes last.
        """

        @cache
        def join() -> tuple[Volume, Mask, Mask]:
            predicted, truth = (_join([pair[side] for pair in masks.parts]) for side in (0, 1))
            return _read(masks.image, truth.grid), truth, predicted

        def draw() -> CasePicture:
            volume, truth, predicted = join()
            return draw_scored(volume, truth, predicted, volume.source.modality, case)

        def embed() -> ShownCase:
            volume, truth, predicted = join()
            seen = [Channel("image", volume.source.units, volume.voxels, volume.grid)] if volume.source.path else []
            return embed_case(case, seen, truth, predicted, full=self._full)

        self.show(scores, draw, embed)

    def add_scored(self, scored: ScoredCase, modality: str) -> None:
        """Draw a case of a cohort, if it is among the lowest so far; its volumes are on the grids of its files.

        Args:
            scored: with masks on the grid of its first channel.
            modality: DICOM modality of that.
        """
        first, *others = scored.images

        def draw() -> CasePicture:
            below = {name: scored.images[name] for name in others}
            return draw_scored(scored.volume, scored.truth, scored.mask, modality, scored.case.id, below)

        def embed() -> ShownCase:
            read = {first: scored.volume, **{name: read_channel(scored.case, name) for name in others}}
            channels = [Channel(name, one.source.units, one.voxels, one.grid) for name, one in read.items()]
            return embed_case(scored.case.id, channels, scored.truth, scored.mask, full=self._full)

        self.show(scored.scores, draw, embed)

    def show(
        self, scores: Sequence[CaseScore], draw: Callable[[], CasePicture], embed: Callable[[], ShownCase]
    ) -> None:
        """Keep what is made of a case, if it is among the lowest so far.

        Args:
            scores: of its labels.
            draw: makes its picture.
            embed: makes its volumes.
        """
        values = [score.precision if self._objects else score.dice for score in scores]
        known = [value for value in values if value is not None]
        self._pictures.add((-float(np.mean(known)) if known else -2.0,), draw)
        self._cases.add(rate_failure(scores, objects=self._objects), embed)

    def list_pictures(self) -> list[CasePicture]:
        """Pictures, in the order in which their cases were scored."""
        return self._pictures.list_items()

    def list_cases(self) -> list[ShownCase]:
        """Volumes, the lowest score first."""
        return self._cases.list_ranked()


def _join(parts: list[Mask]) -> Mask:
    """One mask, or the voxels of any of several."""
    if len(parts) == 1:
        return parts[0]
    inside = np.logical_or.reduce([mask.is_labelled() for mask in parts]).astype(np.uint8)
    return replace(parts[0], voxels=inside, table=LabelTable.from_names(["any"]))


def _read(image: Image | None, grid: Grid) -> Volume:
    """What lies below the outlines; black where there is no image on the grid of the masks."""
    black = Volume(np.zeros((1, *grid.shape), dtype=np.uint8), grid, Source(path=""))
    if image is None:
        return black
    try:
        volume = read_image(image)
    except MedunetError:
        return black  # a picture isn't worth a refusal: masks that need the image were refused before
    turned = [turn_voxels(component, volume.grid, grid) for component in volume.voxels]
    own = turned[0][1]
    if own.unit != grid.unit or measure_displacement(own, grid) > grid.limits.recorded:
        return black
    return Volume(np.stack([voxels for voxels, _ in turned]), grid, volume.source)
