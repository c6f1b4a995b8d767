"""Hand what validations found to whoever watches a training, such as who writes its page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ignite.engine import Engine, Events

from medunet.preparation import PreparedCase
from medunet.training.ranks import is_first, share_cases
from medunet.training.session import TrainingSession


@dataclass(frozen=True, slots=True, eq=False)
class ValidatedCase:
    """A held-out case as the network sees it.

    Attributes:
        case: its image and its name.
        truth: (I, J, K) uint8: 0, or the number from 1 on of the label or region; of objects 1.
        predicted: the same of the prediction.
    """

    case: PreparedCase
    truth: npt.NDArray[np.uint8]
    predicted: npt.NDArray[np.uint8]


Listener = Callable[[TrainingSession, tuple[ValidatedCase, ...]], None]
"""Takes the held-out cases of this process after a validation; the run's history and picture are written by then."""
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def watching(listener: Listener) -> Iterator[None]:
    """Hand each validation to a listener while the block runs."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class Watch:
    """What a validation predicts, kept until its epoch is noted; nothing is kept where nobody watches.

    Args:
        session: the run.
        validator: whose predictions are kept.
    """

    def __init__(self, session: TrainingSession, validator: Engine) -> None:
        self._session = session
        self._validator = validator
        self._kept: list[ValidatedCase] = []

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after its history."""
        if _LISTENER.get() is None or not is_first():
            return
        self._validator.add_event_handler(Events.STARTED, lambda _: self._kept.clear())
        self._validator.add_event_handler(Events.ITERATION_COMPLETED, self._keep)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._hand_on)

    def _keep(self, validator: Engine) -> None:
        table = self._session.plan.task.labels
        count = 1 if table.objects else len(table.structures)
        for found in validator.state.output:
            case = share_cases(self._session.validation)[len(self._kept)]
            maps = [_number(found[key], count, objects=table.objects) for key in ("label", "pred")]
            self._kept.append(ValidatedCase(case, maps[0], maps[1]))

    def _hand_on(self, _: Engine) -> None:
        listener = _LISTENER.get()
        if self._kept and listener is not None:
            listener(self._session, tuple(self._kept))
            self._kept.clear()


def _number(channels: Any, count: int, *, objects: bool) -> npt.NDArray[np.uint8]:
    """Numbers of labels or regions, whose channels follow that of the background; later ones cover earlier ones."""
    held = (torch.as_tensor(channels).detach().cpu() > 0.5).numpy()
    numbers = np.zeros(held.shape[1:], dtype=np.uint8)
    for number in range(1, count + 1):
        numbers[held[1:].any(axis=0) if objects else held[number]] = number
    return numbers if numbers.ndim == 3 else numbers[..., None]
