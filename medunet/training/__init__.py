"""Training on MONAI's engines: a schedule fitted to the minutes, exact resume, and a model that is always usable."""

from medunet.training.board import TensorBoard
from medunet.training.checkpoints import KeepBest, RunCheckpoint
from medunet.training.early_stop import EarlyStop
from medunet.training.handlers import Deadline, EpochSeed, NanStop, TrainingProgress
from medunet.training.history import History
from medunet.training.result import FoldResult, is_done, read_result
from medunet.training.run import train_bundle
from medunet.training.schedule import Schedule, make_schedule
from medunet.training.session import TrainingSession, open_session
from medunet.training.transfer import Start, fit_weights, prepare_start, read_start

__all__ = [
    "Deadline",
    "EarlyStop",
    "EpochSeed",
    "FoldResult",
    "History",
    "KeepBest",
    "NanStop",
    "RunCheckpoint",
    "Schedule",
    "Start",
    "TensorBoard",
    "TrainingProgress",
    "TrainingSession",
    "fit_weights",
    "is_done",
    "make_schedule",
    "open_session",
    "prepare_start",
    "read_result",
    "read_start",
    "train_bundle",
]
