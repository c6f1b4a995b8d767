import os
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from medunet import progress
from medunet.errors import ResourceError
from medunet.training import Deadline, EpochSeed, GradientClip, NanStop, TrainingProgress


def make_session(budget: float = 1000.0, started: float | None = None) -> SimpleNamespace:
    import time

    schedule = SimpleNamespace(epochs=3, steps_per_epoch=2, loader_patches_per_second=50.0, budget_seconds=budget)
    started = time.monotonic() if started is None else started
    return SimpleNamespace(schedule=schedule, started=started, ended="schedule")


def test_randomness_follows_from_seed_and_epoch() -> None:
    drawn: list[list[float]] = []
    for _ in range(2):
        epochs: list[int] = []
        values: list[float] = []
        engine = Engine(lambda *_: values.append(float(torch.rand(1))))  # noqa: B023
        EpochSeed(SimpleNamespace(set_epoch=epochs.append), 5).attach(engine)  # type: ignore[arg-type]
        engine.run([0], max_epochs=3)
        assert epochs == [1, 2, 3]
        drawn.append(values)
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (1.0, "epoch 1: the loss became nan on patches of case a, case b"),
        (float("nan"), "case b: its patch holds values that are no numbers"),
    ],
)
def test_nan_stops_at_once_and_names_the_case(image: float, message: str) -> None:
    seen: list[int] = []
    losses = iter([1.0, float("nan"), 1.0])
    engine = Engine(lambda *_: seen.append(1) or {"loss": next(losses)})
    named = SimpleNamespace(name_batch=lambda step: ["case a", "case b"] if step == 1 else [])
    NanStop(named).attach(engine)  # type: ignore[arg-type]
    batch = {"image": torch.tensor([[1.0], [image]])}
    with pytest.raises(ResourceError, match=message):
        engine.run([batch] * 3, max_epochs=1)
    assert len(seen) == 2


def test_progress_tells_loss_and_both_rates() -> None:
    seen: list[tuple[int, int, str]] = []
    sink = SimpleNamespace(update=lambda _, done, total, note: seen.append((done, total, note)))
    engine = Engine(lambda *_: {"loss": 0.25})
    TrainingProgress(make_session(), 2).attach(engine)  # type: ignore[arg-type]
    with progress.showing(sink):
        engine.run([0, 1], max_epochs=3)
    assert [done for done, _, _ in seen] == list(range(7))
    assert seen[-1][1] == 6
    assert "loss 0.250" in seen[-1][2]
    assert "loader can 50.0" in seen[-1][2]


def test_progress_of_a_resumed_run_begins_where_it_goes_on() -> None:
    seen: list[int] = []
    sink = SimpleNamespace(update=lambda _, done, *__: seen.append(done))
    engine = Engine(lambda *_: {"loss": 0.25})

    @engine.on(Events.STARTED)
    def resume() -> None:
        engine.state.epoch, engine.state.iteration = 2, 4

    TrainingProgress(make_session(), 2).attach(engine)  # type: ignore[arg-type]
    with progress.showing(sink):
        engine.run([0, 1], max_epochs=3)
    assert seen == [4, 5, 6]


def test_the_deadline_ends_a_run_after_its_epoch() -> None:
    engine = Engine(lambda *_: None)
    session = make_session(budget=1.0, started=-1e9)
    Deadline(session).attach(engine)  # type: ignore[arg-type]
    engine.run([0, 1], max_epochs=9)
    assert (engine.state.epoch, engine.state.iteration, session.ended) == (1, 2, "time")


def test_sigterm_ends_a_run_after_its_epoch() -> None:
    engine = Engine(lambda *_: os.kill(os.getpid(), signal.SIGTERM) if engine.state.iteration == 1 else None)
    session = make_session()
    Deadline(session).attach(engine)  # type: ignore[arg-type]
    engine.run([0, 1], max_epochs=9)
    assert (engine.state.epoch, engine.state.iteration, session.ended) == (1, 2, "signal")


@pytest.mark.parametrize("fails", [False, True])
def test_signals_are_given_back_when_the_run_ends(fails: bool) -> None:
    def step(*_: object) -> None:
        assert signal.getsignal(signal.SIGTERM) is not before
        if fails:
            raise ZeroDivisionError

    before = signal.getsignal(signal.SIGTERM)
    engine = Engine(step)
    Deadline(make_session()).attach(engine)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        engine.run([0], max_epochs=1)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("longest", "expected"), [(1.0, 1.0), (100.0, 5.0)])
def test_long_gradients_are_shortened(longest: float, expected: float) -> None:
    network = torch.nn.Linear(2, 1, bias=False)

    def step(engine: Engine, _: object) -> None:
        network.zero_grad()
        (network.weight * torch.tensor([[3.0, 4.0]])).sum().backward()
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    GradientClip(network, longest).attach(engine)
    engine.run([0], max_epochs=1)
    assert network.weight.grad is not None
    assert float(network.weight.grad.norm()) == pytest.approx(expected, rel=1e-4)
