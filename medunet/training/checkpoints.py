"""The state of a run at the end of an epoch: enough to go on bit for bit."""

import logging
import math
import time
from pathlib import Path
from typing import Any, Protocol

import torch
from ignite.engine import Engine, Events

from medunet.networks import DeepSupervision
from medunet.training.averaging import WeightAverage
from medunet.training.ranks import is_first, on_first
from medunet.training.runs import RunFolder

LOGGER = logging.getLogger(__name__)


class Counter(Protocol):
    """What has a state beside weights and schedule, of plain numbers and tensors."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


class RunCheckpoint:
    """Handler that resumes a run when training starts and saves it after every epoch.

    Saved are weights and their mean, optimizer, learning-rate schedule, epoch, best weights and their metric, and
    the seconds spent; randomness needs no saving, since it comes from (seed, epoch, index). Two generations are
    kept, each with a SHA-256 beside it; one that doesn't match is left for the previous.

    Args:
        folder: of the run.
        network: `DeepSupervision` around the network of the bundle.
        average: the mean of its weights, which is what is kept as best.
        optimizer: its optimizer.
        lr_scheduler: its learning-rate schedule.
    """

    def __init__(
        self,
        folder: Path,
        network: DeepSupervision,
        average: WeightAverage,
        optimizer: torch.optim.Optimizer,
        lr_scheduler: Any,
    ) -> None:
        self._run = RunFolder(Path(folder))
        self._network = network
        self._average = average.network
        self._optimizer = optimizer
        self._lr_scheduler = lr_scheduler
        self._counters: dict[str, Counter] = {}
        self._best: dict[str, torch.Tensor] = {}
        self._resumed_at = time.monotonic()
        self._spent = 0.0
        self.best_metric: float | None = None
        self.epoch = 0

    @property
    def seconds(self) -> float:
        """Time spent by the run in all its processes."""
        return self._spent + time.monotonic() - self._resumed_at

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.STARTED, self._resume)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def keep_counter(self, name: str, counter: Counter) -> None:
        """Save and restore the state of another handler, too; of the trainer's, before it starts."""
        self._counters[name] = counter

    def keep_best(self, metric: float) -> None:
        """Remember the present mean weights if their metric is the best; NaN never is, unless it is the only one."""
        if self.best_metric is None or metric > self.best_metric:
            self.best_metric = None if math.isnan(metric) else metric
            self._best = self.present_state()

    def best_state(self) -> dict[str, torch.Tensor]:
        """The best validated weights of the plain network, or the present ones before any validation."""
        return self._best or self.present_state()

    def present_state(self) -> dict[str, torch.Tensor]:
        """A copy of the mean weights of the plain network."""
        return {key: value.detach().cpu().clone() for key, value in self._average.network.state_dict().items()}

    def _save(self, engine: Engine) -> None:
        self.epoch = engine.state.epoch
        if is_first():
            self._run.save_checkpoint(self.epoch, self._describe())

    def _describe(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "lr_scheduler": self._lr_scheduler.state_dict(),
            "epoch": self.epoch,
            "best": self._best,
            "best_metric": self.best_metric,
            "seconds": self.seconds,
            "counters": {name: counter.state_dict() for name, counter in self._counters.items()},
        }

    def _resume(self, engine: Engine) -> None:
        self._resumed_at = time.monotonic()
        state = on_first(self._run.load_checkpoint)
        if state is None:
            return
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._lr_scheduler.load_state_dict(state["lr_scheduler"])
        self._best, self.best_metric = state["best"], state["best_metric"]
        for name, counter in self._counters.items():
            if name in state.get("counters", {}):
                counter.load_state_dict(state["counters"][name])
        self._spent, self.epoch = state["seconds"], state["epoch"]
        engine.state.epoch = self.epoch
        engine.state.iteration = self.epoch * engine.state.epoch_length
        LOGGER.info("goes on after epoch %d of %d", self.epoch, engine.state.max_epochs)


def read_metric(validator: Engine) -> float:
    """Key metric of the validation that ended."""
    return float(validator.state.metrics[validator.state.key_metric_name])


class KeepBest:
    """Handler of the validator that hands its key metric to the run's checkpoint.

    Args:
        checkpoint: of the run.
    """

    def __init__(self, checkpoint: RunCheckpoint) -> None:
        self._checkpoint = checkpoint

    def attach(self, engine: Engine) -> None:
        """Attach to the validator."""
        engine.add_event_handler(Events.COMPLETED, self._keep)

    def _keep(self, engine: Engine) -> None:
        metric = read_metric(engine)
        LOGGER.info("mean Dice of the held-out cases: %.3f", metric)
        self._checkpoint.keep_best(metric)
