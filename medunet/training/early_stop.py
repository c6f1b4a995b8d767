"""End a run whose held-out cases are no longer segmented better."""

import logging
import math

from ignite.engine import Engine, Events
from ignite.handlers import EarlyStopping

from medunet.training.checkpoints import RunCheckpoint, read_metric
from medunet.training.session import TrainingSession

LOGGER = logging.getLogger(__name__)


class EarlyStop:
    """Handler that ends training after the schedule's `patience` validations without a better key metric.

    It is Ignite's EarlyStopping with two things added: the count is part of a checkpoint, so that a resumed run ends
    where an uninterrupted one does, and a run that was killed between its end and its result doesn't go on.

    Args:
        session: the run, whose schedule says how long it waits; 0 never ends a run.
        validator: whose key metric counts.
        checkpoint: that keeps the count.
    """

    def __init__(self, session: TrainingSession, validator: Engine, checkpoint: RunCheckpoint) -> None:
        self._session = session
        self._validator = validator
        self._checkpoint = checkpoint
        self._stopping: EarlyStopping | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after the checkpoint that restores the count."""
        if not self._session.schedule.patience:
            return
        self._stopping = EarlyStopping(self._session.schedule.patience, _read_number, engine)
        self._validator.add_event_handler(Events.COMPLETED, self._stopping)
        self._checkpoint.keep_counter("early_stop", self._stopping)
        engine.add_event_handler(Events.STARTED | Events.EPOCH_COMPLETED, self._check)

    def _check(self, engine: Engine) -> None:
        if self._stopping is None or self._stopping.counter < self._stopping.patience:
            return
        if self._session.ended == "schedule":
            LOGGER.info("stops after epoch %d: no gain in %d validations", engine.state.epoch, self._stopping.patience)
            self._session.ended = "patience"
        engine.terminate()


def _read_number(validator: Engine) -> float:
    metric = read_metric(validator)
    return -1.0 if math.isnan(metric) else metric
