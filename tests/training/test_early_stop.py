from types import SimpleNamespace

import pytest
from ignite.engine import Engine
from ignite.handlers import EarlyStopping

from medunet.training import EarlyStop


def make_run(dice: list[float], patience: int) -> tuple[Engine, EarlyStopping, SimpleNamespace]:
    """A trainer that is validated after every epoch, with these metrics."""
    session = SimpleNamespace(schedule=SimpleNamespace(patience=patience), ended="schedule")
    metrics = iter(dice)
    validator = Engine(lambda *_: None)
    validator.state.key_metric_name = "dice"
    validator.add_event_handler("EPOCH_COMPLETED", lambda engine: engine.state.metrics.update(dice=next(metrics)))
    trainer = Engine(lambda *_: None)
    trainer.add_event_handler("EPOCH_COMPLETED", lambda _: validator.run([0]))
    kept: list[EarlyStopping] = [None]  # type: ignore[list-item]
    checkpoint = SimpleNamespace(keep_counter=lambda _, counter: kept.insert(0, counter))
    EarlyStop(session, validator, checkpoint).attach(trainer)  # type: ignore[arg-type]
    return trainer, kept[0], session


@pytest.mark.parametrize(
    ("dice", "patience", "epochs"),
    [
        ([0.1, 0.3, 0.2, 0.3, 0.9], 2, 4),
        ([0.1, 0.3, 0.2, 0.4, 0.3], 2, 5),
        ([float("nan"), float("nan"), 0.1, 0.2, 0.3], 2, 5),
        ([0.5, 0.4, 0.3, 0.2, 0.1], 0, 5),
    ],
)
def test_a_run_ends_after_so_many_validations_without_a_gain(dice: list[float], patience: int, epochs: int) -> None:
    trainer, _, session = make_run(dice, patience)
    trainer.run([0], max_epochs=5)
    assert trainer.state.epoch == epochs
    assert session.ended == ("patience" if epochs < 5 else "schedule")


def test_a_resumed_run_ends_where_one_in_one_go_does() -> None:
    trainer, stop, _ = make_run([0.3, 0.2], 3)
    trainer.run([0], max_epochs=2)
    trainer, resumed, session = make_run([0.1, 0.2, 0.9], 3)
    resumed.load_state_dict(stop.state_dict())
    trainer.run([0], max_epochs=9)
    assert (trainer.state.epoch, session.ended) == (2, "patience")


def test_a_run_that_was_killed_after_its_end_does_nothing_more() -> None:
    trainer, stop, _ = make_run([0.3, 0.2], 1)
    trainer.run([0], max_epochs=9)
    trainer, resumed, session = make_run([0.9], 1)
    resumed.load_state_dict(stop.state_dict())
    trainer.run([0], max_epochs=9)
    assert (trainer.state.epoch, session.ended) == (0, "patience")


def test_without_patience_nothing_is_counted() -> None:
    assert make_run([], 0)[1] is None
