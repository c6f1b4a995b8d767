from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from medunet.training import RunFolder, TensorBoard, board
from medunet.training.board import PREDICTION, TRUTH, draw_overlay
from medunet.training.history import Epoch, _write_history


def make_trainer(folder: Path, resumed_after: int = 0) -> Engine:
    case = {"image": torch.rand(1, 8, 8, 3), "label": torch.zeros(2, 8, 8, 3), "pred": torch.zeros(2, 8, 8, 3)}
    validator = Engine(lambda *_: [case])
    trainer = Engine(lambda *_: None)

    def note(engine: Engine) -> None:
        validator.run([0])
        row = Epoch(engine.state.epoch, engine.state.iteration, 1.0 / engine.state.epoch, 0.1, 0.5, 0.1, 0.25)
        _write_history(folder / "history.csv", [row])

    def resume(engine: Engine) -> None:
        engine.state.epoch, engine.state.iteration = resumed_after, 2 * resumed_after

    trainer.add_event_handler(Events.STARTED, resume)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, note)
    TensorBoard(SimpleNamespace(run=RunFolder(folder)), validator).attach(trainer)  # type: ignore[arg-type]
    return trainer


def test_a_resumed_run_has_every_point_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    make_trainer(tmp_path).run([0, 1], max_epochs=3)
    make_trainer(tmp_path, resumed_after=2).run([0, 1], max_epochs=4)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    for name in ("loss", "learning rate", "held-out Dice"):
        assert [item.step for item in events.Scalars(name)] == [2, 4, 6, 8]
    assert events.Scalars("loss")[3].value == 0.25
    assert [item.step for item in events.Images("held-out case")][-1] == 8


def test_a_run_without_the_package_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    assert board.find_writer() is None
    make_trainer(tmp_path).run([0], max_epochs=1)
    assert not (tmp_path / "tensorboard").exists()


def test_nothing_is_written_before_the_first_epoch_is_saved(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    trainer = make_trainer(tmp_path)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.run([0], max_epochs=1)
    assert not (tmp_path / "tensorboard").exists()


def test_an_overlay_shows_both_outlines_in_the_middle_slice() -> None:
    image = np.random.default_rng(0).normal(size=(2, 40, 20, 5)).astype(np.float32)
    label, pred = (np.zeros((2, 40, 20, 5), np.float32) for _ in range(2))
    label[0], pred[0] = 1, 1
    label[0, 5:10, 5:10], pred[0, 25:30, 5:10] = 0, 0
    overlay = draw_overlay(image, label, pred)
    assert overlay.shape == (200, 400, 3)
    green, red = (np.argwhere((overlay == colour).all(axis=2)) for colour in (TRUTH, PREDICTION))
    assert (green.min(axis=0), green.max(axis=0))[0].tolist() == [100, 50]
    assert green.max(axis=0).tolist() == [149, 99]
    assert red.min(axis=0).tolist() == [100, 250]
    assert len(green) == len(red) == 4 * 49
