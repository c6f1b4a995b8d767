"""Handlers of the trainer: seed of an epoch, NaN, progress, deadline and signals."""

import logging
import math
import signal
import time
from types import FrameType
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from medunet.errors import ResourceError
from medunet.preparation import PatchDataset
from medunet.progress import report
from medunet.training.ranks import gather_batch
from medunet.training.session import TrainingSession

LOGGER = logging.getLogger(__name__)


class EpochSeed:
    """Seeds everything random from (seed, epoch) when an epoch starts.

    Args:
        dataset: whose patches depend on the epoch.
        seed: of the run.
    """

    def __init__(self, dataset: PatchDataset, seed: int) -> None:
        self._dataset = dataset
        self._seed = seed

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)

    def _start(self, engine: Engine) -> None:
        self._dataset.set_epoch(engine.state.epoch)
        torch.manual_seed(int(np.random.SeedSequence((self._seed, engine.state.epoch)).generate_state(1)[0]))


class NanStop:
    """Stops within an iteration when the loss is no number, and names the cases; the last checkpoint stays.

    The loss is that of the batch of all ranks, so they stop together.

    Args:
        dataset: where the batches come from.
    """

    def __init__(self, dataset: PatchDataset) -> None:
        self._dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._check)

    def _check(self, engine: Engine) -> None:
        loss = read_loss(engine)
        if math.isfinite(loss):
            return
        names = self._dataset.name_batch((engine.state.iteration - 1) % engine.state.epoch_length)
        finite = torch.isfinite(engine.state.batch["image"]).flatten(1).all(dim=1)
        whole = gather_batch(finite.int()).tolist()
        if not all(whole):
            broken = names[whole.index(0)]
            raise ResourceError(
                broken, "its patch holds values that are no numbers", "check the case", code="values-not-finite"
            )
        raise ResourceError(
            f"epoch {engine.state.epoch}",
            f"the loss became {loss} on patches of {', '.join(names)}",
            "look at these cases, or train again with a lower learning rate",
            code="loss-not-finite",
        )


def read_loss(engine: Engine) -> float:
    """Loss of the iteration that ended."""
    output = engine.state.output
    loss = output["loss"] if isinstance(output, dict) else output[0]["loss"]
    return float(torch.as_tensor(loss).detach())


class TrainingProgress:
    """Reports steps, loss and both rates as training goes.

    Args:
        session: the run.
        batch: patches in a step.
    """

    def __init__(self, session: TrainingSession, batch: int) -> None:
        self._session = session
        self._batch = batch
        self._loss = float("nan")
        self._seconds = 0.0
        self._steps = 0
        self._begin = 0.0

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.STARTED, self._start)
        # From the request for a batch on, so that waiting for the loader counts, but validation doesn't.
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._begin_step)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)

    def _begin_step(self, _: Engine) -> None:
        self._begin = time.monotonic()

    def _start(self, engine: Engine) -> None:
        report("training", engine.state.iteration, self._total())  # not 0 where a run goes on

    def _total(self) -> int:
        return self._session.schedule.epochs * self._session.schedule.steps_per_epoch

    def _step(self, engine: Engine) -> None:
        loss = read_loss(engine)
        self._loss = loss if math.isnan(self._loss) else 0.95 * self._loss + 0.05 * loss
        self._seconds += time.monotonic() - self._begin
        self._steps += 1
        rate = self._steps * self._batch / self._seconds
        loader = self._session.schedule.loader_patches_per_second
        note = f"loss {self._loss:.3f}, {rate:.1f} patches/s (loader can {loader:.1f})"
        report("training", engine.state.iteration, self._total(), note)


class Deadline:
    """Ends the run after its epoch when time is up or a SIGTERM or Ctrl-C came, so that a usable model stays.

    What ends one rank ends all, after the same epoch.

    Args:
        session: the run.
        grace: share of the budget that a run may take longer.
    """

    def __init__(self, session: TrainingSession, grace: float = 0.1) -> None:
        self._session = session
        self._limit = session.schedule.budget_seconds * (1 + grace)
        self._signalled = False
        self._former: dict[int, Any] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.STARTED, self._listen)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._check)
        engine.add_event_handler(Events.COMPLETED | Events.TERMINATE | Events.EXCEPTION_RAISED, self._give_back)

    def _listen(self, _: Engine) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._former[number] = signal.signal(number, self._remember)

    def _give_back(self, _: Engine, error: BaseException | None = None) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former.clear()
        if error is not None:
            raise error

    def _remember(self, number: int, _: FrameType | None) -> None:
        if self._signalled:
            raise KeyboardInterrupt
        self._signalled = True
        LOGGER.info(
            "%s: ends after this epoch, and the same command goes on then; once more stops at once",
            "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name,
        )

    def _check(self, engine: Engine) -> None:
        late = time.monotonic() - self._session.started > self._limit
        # A signal of any rank is one to all, and says more than that time is up.
        reason = int(idist.all_reduce(2 if self._signalled else int(late), "MAX"))
        if reason:
            if reason == 2 or self._session.ended == "schedule":
                self._session.ended = "signal" if reason == 2 else "time"
            LOGGER.info("stops after epoch %d of %d", engine.state.epoch, engine.state.max_epochs)
            engine.terminate()


class GradientClip:
    """Shortens the gradient of all weights together where it is longer than a limit.

    Args:
        network: whose gradient.
        longest: its largest Euclidean length (12 in Isensee 2021).
    """

    def __init__(self, network: torch.nn.Module, longest: float) -> None:
        self._network = network
        self._longest = longest

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._clip)

    def _clip(self, _: Engine) -> None:
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._longest)
