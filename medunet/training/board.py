"""Scalars and overlays of a run for TensorBoard, where it is installed."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ignite.engine import Engine, Events
from scipy import ndimage

from medunet.training.history import read_history
from medunet.training.ranks import is_first
from medunet.training.session import TrainingSession

TRUTH, PREDICTION = (0, 255, 0), (255, 0, 0)
SIZE = 384
"""Pixels, at least, of the longer side of an overlay."""


def find_writer() -> Any:
    """Torch's SummaryWriter, or None where the package tensorboard isn't installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter


class TensorBoard:
    """Handler that writes loss, learning rate and Dice of every epoch, and an overlay of the first held-out case.

    MONAI's TensorBoardStatsHandler and TensorBoardImageHandler know no purging: a resumed run would draw the epochs
    that it repeats twice.

    Args:
        session: the run, in whose folder the logs lie.
        validator: whose first case is drawn.
    """

    def __init__(self, session: TrainingSession, validator: Engine) -> None:
        self._session = session
        self._validator = validator
        self._kind: Any = None
        self._first_step = 1
        self._writer: Any = None
        self._overlay: npt.NDArray[np.uint8] | None = None

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after the history and the checkpoint that restores the epoch."""
        engine.add_event_handler(Events.STARTED, self._begin)
        self._validator.add_event_handler(Events.ITERATION_COMPLETED(once=1), self._draw)
        self._validator.add_event_handler(Events.STARTED, self._forget)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._close)

    def _begin(self, engine: Engine) -> None:
        self._kind = find_writer() if is_first() else None
        self._first_step = engine.state.iteration + 1

    def _forget(self, _: Engine) -> None:
        self._overlay = None

    def _draw(self, validator: Engine) -> None:
        if self._kind is not None:
            case = validator.state.output[0]
            self._overlay = draw_overlay(*(_take(case[key]) for key in ("image", "label", "pred")))

    def _write(self, engine: Engine) -> None:
        rows = read_history(self._session.run.history)
        if self._kind is None or not rows:
            return
        if self._writer is None:
            # Not before the first checkpoint is written: on a full disk the thread of a writer ends with a traceback.
            self._writer = self._kind(str(self._session.run.board), purge_step=self._first_step)
        row, step = rows[-1], engine.state.iteration
        for name, value in (("loss", row.loss), ("learning rate", row.learning_rate), ("held-out Dice", row.dice)):
            if value is not None:
                self._writer.add_scalar(name, value, step)
        if self._overlay is not None:
            self._writer.add_image("held-out case", self._overlay, step, dataformats="HWC")
            self._overlay = None
        self._writer.flush()

    def _close(self, _: Engine) -> None:
        if self._writer is not None:
            self._writer.close()


def _take(value: Any) -> npt.NDArray[Any]:
    return torch.as_tensor(value).detach().cpu().float().numpy()


def draw_overlay(image: npt.NDArray[Any], label: npt.NDArray[Any], pred: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Draw the middle slice of a case with the outlines of truth (green) and prediction (red).

    Args:
        image: (C, I, J, K), of which the first channel is shown, from its least to its greatest value.
        label: one-hot (classes, I, J, K), background first.
        pred: as `label`.

    Returns:
        (rows, columns, 3), the patient's front at the top where J points there.
    """
    middle = image.shape[3] // 2
    plane = image[0, :, :, middle]
    grey = (plane - plane.min()) / max(float(np.ptp(plane)), 1e-6) * 255
    scale = max(1, -(-SIZE // max(plane.shape)))
    shown = np.repeat(_enlarge(grey, scale)[..., None], 3, axis=2).astype(np.uint8)
    for mask, colour in ((label, TRUTH), (pred, PREDICTION)):
        inside = _enlarge(mask[0, :, :, middle] < 0.5, scale)
        shown[inside & ~ndimage.binary_erosion(inside)] = colour
    return np.ascontiguousarray(shown.transpose(1, 0, 2)[::-1])


def _enlarge(plane: npt.NDArray[Any], scale: int) -> npt.NDArray[Any]:
    return plane.repeat(scale, axis=0).repeat(scale, axis=1)
