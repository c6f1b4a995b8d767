"""Training on MONAI's engines: a schedule fitted to the minutes, exact resume, and a model that is always usable."""

from medunet.training.checkpoints import KeepBest, RunCheckpoint
from medunet.training.handlers import Deadline, EpochSeed, NanStop, TrainingProgress
from medunet.training.history import History
from medunet.training.result import FoldResult, is_done, read_result
from medunet.training.run import train_bundle
from medunet.training.schedule import Schedule, make_schedule
from medunet.training.session import TrainingSession, open_session

__all__ = [
    "Deadline",
    "EpochSeed",
    "FoldResult",
    "History",
    "KeepBest",
    "NanStop",
    "RunCheckpoint",
    "Schedule",
    "TrainingProgress",
    "TrainingSession",
    "is_done",
    "make_schedule",
    "open_session",
    "read_result",
    "train_bundle",
]
