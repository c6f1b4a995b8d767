"""The page of a training that is under way: curves, and the held-out cases as the network finds them so far.

It is that of `medunet evaluate`, on the grid and with the values that the network sees, and without floors.
"""

import logging
import time
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medunet.errors import MedunetError
from medunet.evaluation import CaseScore, Scores, join_scores, score_case
from medunet.geometry import Grid
from medunet.labels import LabelTable, Mask
from medunet.measures import Channel
from medunet.reading import Source, Volume
from medunet.report import CasePicture, Gallery, Shown, ShownCase, draw_scored, embed_case, write_report
from medunet.training import TrainingSession, ValidatedCase

LOGGER = logging.getLogger(__name__)
SHARE = 0.03
"""Of a run's time that its pages may take; a validation that comes sooner has none of its own."""
PICTURES = 8
"""Of the lowest cases."""


class TrainingPage:
    """Writes the page after validations, whole each time; `watching` hands them to it.

    Args:
        path: the page of all folds; None writes one for each run, `report.html` in its folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._spent = 0.0
        self._folds: dict[int, tuple[Scores, Shown]] = {}
        self._failed = False

    def __call__(self, session: TrainingSession, cases: tuple[ValidatedCase, ...]) -> None:
        """Write the page, unless those before took too much of the time; what can't be written stops no training."""
        began = time.monotonic()
        if self._spent > SHARE * (began - session.started):
            return
        try:
            self._write(session, cases)
        except (MedunetError, OSError) as error:
            if not self._failed:
                LOGGER.warning("the page of the training can't be written: %s", error)
            self._failed = True
        self._spent += time.monotonic() - began

    def _write(self, session: TrainingSession, cases: tuple[ValidatedCase, ...]) -> None:
        self._folds[session.fold] = _look_at(session, cases)
        path = self._path or session.run.page
        joined = join_scores([held for held, _ in self._folds.values()])
        shown = Shown(
            pictures=[picture for _, held in self._folds.values() for picture in held.pictures],
            cases=[case for _, held in self._folds.values() for case in held.cases],
            curves=[curve for _, held in self._folds.values() for curve in held.curves],
        )
        folds = ", ".join(map(str, self._folds))
        title = f"{session.bundle.metadata.name}: training, fold{'s' if len(self._folds) > 1 else ''} {folds}"
        facts = {
            "state": "as of the last validation, by the mean weights of that epoch; on the grid and with the values "
            "that the network sees, each case in a frame of its own",
            "plan": f"{session.plan.window.patch} voxels of {session.plan.grid.spacing_mm} mm in a patch",
        }
        write_report(path, title, joined, shown, facts)


def _look_at(session: TrainingSession, cases: tuple[ValidatedCase, ...]) -> tuple[Scores, Shown]:
    """Scores, pictures and volumes of the held-out cases of a run."""
    task = session.plan.task
    names = ["object"] if task.labels.objects else [region.name for region in task.labels.structures]
    table = LabelTable.from_names(names)
    scores: list[CaseScore] = []
    gallery = Gallery(most=PICTURES)
    for item in cases:
        i, j, k = item.truth.shape
        grid = Grid((i, j, k), np.diag([*session.plan.grid.spacing_mm, 1.0]), task.unit)
        truth, predicted = (Mask("classes", voxels, grid, table) for voxels in (item.truth, item.predicted))
        own = score_case(predicted, truth, item.case.id)
        images = np.asarray(item.case.image()).reshape(-1, i, j, k)
        drawn = item.case.id, images, truth, predicted
        gallery.show(own, partial(_draw, *drawn), partial(_embed, session, *drawn))
        scores += own
    patients = {case.id: case.patient for case in session.bundle.cohort().cases if case.id in {s.case for s in scores}}
    with Image.open(session.run.picture) as picture:
        curve = CasePicture(f"fold {session.fold}: loss and mean Dice of held-out cases", picture.convert("RGB"))
    held = Scores(unit=task.unit, patients=patients, methods={"medunet": tuple(scores)})
    return held, Shown(gallery.list_pictures(), gallery.list_cases(), [curve])


def _draw(name: str, images: npt.NDArray[np.float32], truth: Mask, predicted: Mask) -> CasePicture:
    return draw_scored(Volume(images, truth.grid, Source(path="")), truth, predicted, "", name)


def _embed(
    session: TrainingSession, name: str, images: npt.NDArray[np.float32], truth: Mask, predicted: Mask
) -> ShownCase:
    channels = session.plan.task.channels
    named = channels if len(channels) == len(images) else [f"{n + 1}" for n in range(len(images))]
    shown = [Channel(one, "", image[None], truth.grid) for one, image in zip(named, images, strict=True)]
    return embed_case(name, shown, truth, predicted)
