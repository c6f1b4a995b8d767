from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine
from PIL import Image

from medunet.training import History, RunFolder
from medunet.training.history import Epoch, diagnose, read_history


def make_run(folder: Path, dice: float, losses: list[float]) -> Engine:
    """A trainer of two steps an epoch, validated after every second epoch."""
    schedule = SimpleNamespace(epochs=4, steps_per_epoch=2)
    validator = Engine(lambda *_: None)
    validator.state.key_metric_name = "dice"
    validator.add_event_handler("EPOCH_COMPLETED", lambda engine: engine.state.metrics.update(dice=dice))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    step = iter(losses)
    trainer = Engine(lambda *_: {"loss": next(step)})
    trainer.add_event_handler("EPOCH_COMPLETED", lambda engine: None if engine.state.epoch % 2 else validator.run([0]))
    task = SimpleNamespace(labels=SimpleNamespace(ignore=2))
    session = SimpleNamespace(run=RunFolder(folder), schedule=schedule, plan=SimpleNamespace(task=task))
    History(session, optimizer, validator).attach(trainer)  # type: ignore[arg-type]
    return trainer


BATCH = {"label": torch.tensor([[[0.0, 2.0]], [[0.0, 1.0]]])}
"""The 2 is to be ignored."""


def test_every_epoch_has_a_row_and_the_run_a_picture(tmp_path: Path) -> None:
    make_run(tmp_path, 0.5, [1.0, 2.0, 3.0, 4.0]).run([BATCH] * 2, max_epochs=2)
    rows = read_history(tmp_path / "history.csv")
    assert [(row.steps, row.loss, row.dice) for row in rows] == [(2, 1.5, None), (4, 3.5, 0.5)]
    assert (rows[0].with_label, rows[0].foreground, rows[0].learning_rate) == (0.5, 0.25, 0.1)
    with Image.open(tmp_path / "progress.png") as picture:
        assert picture.size == (960, 420)


def test_a_resumed_run_replaces_the_rows_that_it_repeats(tmp_path: Path) -> None:
    make_run(tmp_path, 0.5, [1.0] * 6).run([BATCH] * 2, max_epochs=3)
    engine = make_run(tmp_path, 0.6, [2.0] * 6)
    engine.add_event_handler("STARTED", lambda trainer: setattr(trainer.state, "epoch", 1))
    engine.run([BATCH] * 2, max_epochs=3)
    assert [(row.epoch, row.loss) for row in read_history(tmp_path / "history.csv")] == [(1, 1.0), (2, 2.0), (3, 2.0)]


def test_dice_that_stays_0_is_diagnosed_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_run(tmp_path, 0.0, [2.0] * 8).run([BATCH] * 2, max_epochs=4)
    assert caplog.text.count("still 0.000 after 2 of 4 epochs") == 1
    assert "50% of the patches hold a label, 25.00% of their voxels are of one; the loss didn't fall" in caplog.text


def test_a_diagnosis_depends_on_what_was_seen() -> None:
    first = Epoch(epoch=1, steps=2, loss=2.0, learning_rate=0.1, with_label=0.5, foreground=0.1, dice=None)
    last = replace(first, epoch=4, steps=8, loss=1.0, dice=0.0)
    assert "too slowly for this budget" in diagnose([first, last], 10)
    assert diagnose([first, last], 100) == ""
    assert diagnose([first, replace(last, dice=0.4)], 10) == ""
    unlabelled = [replace(row, with_label=0.0, foreground=0.0) for row in (first, last)]
    assert "no patch held a label" in diagnose(unlabelled, 10)
