"""Keep pictures of the cases with the lowest scores, of many or few."""

from dataclasses import replace
from heapq import heappush, heappushpop

import numpy as np

from medunet.errors import MedunetError
from medunet.evaluation import CaseMasks, CaseScore
from medunet.geometry import Grid, measure_displacement, turn_voxels
from medunet.labels import LabelTable, Mask
from medunet.reading import Image, Source, Volume, read_image
from medunet.report.drawings import CasePicture, draw_scored

MOST = 40
"""Pictures that a page has at most."""


class Gallery:
    """Pictures of the cases that were scored lowest; of others none is drawn.

    Args:
        objects: cases are ranked by the average precision of objects, not by Dice.
        most: pictures that are kept.
    """

    def __init__(self, *, objects: bool = False, most: int = MOST) -> None:
        self._key, self._most = "precision" if objects else "dice", most
        self._kept: list[tuple[float, int, CasePicture]] = []
        self._count = 0

    def add(self, case: str, masks: CaseMasks, scores: tuple[CaseScore, ...]) -> None:
        """Draw a case, if it is among the lowest so far.

        Args:
            case: its name.
            masks: of it; what they were made on is drawn below them, where it lies on their grid.
            scores: of its labels; a case without any comes last.
        """
        values = [value for score in scores if (value := getattr(score, self._key)) is not None]
        rank = -float(np.mean(values)) if values else -2.0
        self._count += 1
        if len(self._kept) >= self._most and rank <= self._kept[0][0]:
            return
        item = rank, -self._count, _draw(case, masks)
        if len(self._kept) < self._most:
            heappush(self._kept, item)
        else:
            heappushpop(self._kept, item)

    def list_pictures(self) -> list[CasePicture]:
        """Pictures, in the order in which their cases were scored."""
        return [picture for _, _, picture in sorted(self._kept, key=lambda item: -item[1])]


def _draw(case: str, masks: CaseMasks) -> CasePicture:
    predicted, truth = (_join([pair[side] for pair in masks.parts]) for side in (0, 1))
    volume = _read(masks.image, truth.grid)
    return draw_scored(volume, truth, predicted, volume.source.modality, case)


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
