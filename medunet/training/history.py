"""What a run went through, epoch by epoch: a table, a picture, and a diagnosis where nothing is learnt."""

import csv
import logging
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events

from medunet.files import whole_file
from medunet.training.checkpoints import read_metric
from medunet.training.curves import draw_curves
from medunet.training.handlers import read_loss
from medunet.training.ranks import is_first
from medunet.training.session import TrainingSession
from medunet.training.watching import Watch

LOGGER = logging.getLogger(__name__)
AS_FOUND = 0.01
"""A Dice below this counts as nothing learnt."""
EARLY = 0.3
"""Share of a run after which nothing learnt is worth a diagnosis."""
FALLEN = 0.05
"""A loss that fell by less than this share didn't fall."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of the table.

    Attributes:
        epoch: counted from 1.
        steps: of the run, at its end.
        loss: mean over its steps.
        learning_rate: at its end.
        with_label: share of its patches that hold a label.
        foreground: share of the voxels of its patches that are of a label.
        dice: mean over the held-out cases; None where it wasn't validated.
    """

    epoch: int
    steps: int
    loss: float
    learning_rate: float
    with_label: float
    foreground: float
    dice: float | None


class History:
    """Handler that keeps `history.csv` and `progress.png` in the folder of a run, and warns where Dice stays 0.

    A resumed run goes on with the rows of the epochs that it doesn't repeat.

    Args:
        session: the run.
        optimizer: whose learning rate is noted.
        validator: whose key metric is the Dice.
    """

    def __init__(self, session: TrainingSession, optimizer: torch.optim.Optimizer, validator: Engine) -> None:
        self._session = session
        self._optimizer = optimizer
        self._validator = validator
        self._ignore = session.plan.task.labels.ignore or 0
        self._dice: float | None = None
        self._seen: list[tuple[float, float, float]] = []

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after validation and before the checkpoint."""
        self._validator.add_event_handler(Events.COMPLETED, self._note_dice)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._note_step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._close_epoch)
        Watch(self._session, self._validator).attach(engine)

    def _note_dice(self, validator: Engine) -> None:
        self._dice = read_metric(validator)

    def _note_step(self, engine: Engine) -> None:
        labels = engine.state.batch["label"][:, :1].flatten(1)
        labelled = (labels > 0) & (labels != self._ignore)
        shares = labelled.any(dim=1).float().mean(), labelled.float().mean()
        self._seen.append((read_loss(engine), float(shares[0]), float(shares[1])))

    def _close_epoch(self, engine: Engine) -> None:
        means = idist.all_reduce(torch.tensor(np.mean(self._seen, axis=0))) / idist.get_world_size()
        if is_first():
            self._note_epoch(engine, *means.tolist())
        self._dice, self._seen = None, []

    def _note_epoch(self, engine: Engine, loss: float, with_label: float, foreground: float) -> None:
        path = self._session.run.history
        row = Epoch(
            epoch=engine.state.epoch,
            steps=engine.state.iteration,
            loss=round(loss, 5),
            learning_rate=float(f"{self._optimizer.param_groups[0]['lr']:.4g}"),
            with_label=round(with_label, 4),
            foreground=round(foreground, 6),
            dice=None if self._dice is None else round(self._dice, 4),
        )
        rows = [*(item for item in read_history(path) if item.epoch < row.epoch), row]
        _write_history(path, rows)
        self._draw(rows)
        if advice := diagnose(rows, self._session.schedule.epochs):
            LOGGER.warning("%s", advice)

    def _draw(self, rows: list[Epoch]) -> None:
        schedule = self._session.schedule
        best = max((row.dice for row in rows if row.dice is not None), default=None)
        title = f"epoch {rows[-1].epoch} of {schedule.epochs}" + ("" if best is None else f", best Dice {best:.3f}")
        picture = draw_curves(
            [(row.steps, row.loss) for row in rows],
            [(row.steps, row.dice) for row in rows if row.dice is not None],
            schedule.epochs * schedule.steps_per_epoch,
            title,
        )
        with whole_file(self._session.run.picture) as part:
            picture.save(part, format="png")


def read_history(path: Path) -> list[Epoch]:
    """Rows of a `history.csv`, none where it isn't there."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            Epoch(
                epoch=int(row["epoch"]),
                steps=int(row["steps"]),
                loss=float(row["loss"]),
                learning_rate=float(row["learning_rate"]),
                with_label=float(row["with_label"]),
                foreground=float(row["foreground"]),
                dice=float(row["dice"]) if row["dice"] else None,
            )
            for row in csv.DictReader(stream)
        ]


def _write_history(path: Path, rows: list[Epoch]) -> None:
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, [field.name for field in fields(Epoch)])
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def diagnose(rows: list[Epoch], epochs: int) -> str:
    """Say why the Dice may still be 0, once: at the first validation after `EARLY` of the run.

    Args:
        rows: of the run so far.
        epochs: of the whole run.

    Returns:
        A sentence or two; "" where something was learnt, or it was said before.
    """
    validated = [row for row in rows if row.dice is not None and row.epoch >= EARLY * epochs]
    if len(validated) != 1 or validated[0] is not rows[-1] or max(row.dice or 0 for row in rows) >= AS_FOUND:
        return ""
    last = rows[-1]
    with_label = float(np.mean([row.with_label for row in rows]))
    foreground = float(np.mean([row.foreground for row in rows]))
    if with_label == 0:
        why = "no patch held a label: check that the training cases have labels, and on the right images"
    elif rows[0].loss - last.loss < FALLEN * abs(rows[0].loss):
        why = (
            f"the loss didn't fall ({rows[0].loss:.3f} to {last.loss:.3f}) at a learning rate of "
            f"{rows[0].learning_rate:g}: check that labels lie on what they name, or lower optimizer.lr in train.json"
        )
    else:
        why = (
            f"the loss falls ({rows[0].loss:.3f} to {last.loss:.3f}), so it learns, but too slowly for this budget: "
            "give it more minutes, with --budget and --restart"
        )
    return (
        f"Dice of the held-out cases is still {last.dice:.3f} after {last.epoch} of {epochs} epochs. "
        f"{with_label:.0%} of the patches hold a label, {foreground:.2%} of their voxels are of one; {why}"
    )
