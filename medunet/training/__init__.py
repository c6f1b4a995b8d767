"""Training on MONAI's engines: a schedule fitted to the minutes, exact resume, and a model that is always usable."""

from medunet.training.checkpoints import KeepBest, RunCheckpoint
from medunet.training.handlers import Deadline, EpochSeed, NanStop, TrainingProgress
from medunet.training.history import History
from medunet.training.run import train_bundle
from medunet.training.schedule import Schedule, make_schedule
from medunet.training.session import TrainingSession, open_session

__all__ = [
    "Deadline",
    "EpochSeed",
    "History",
    "KeepBest",
    "NanStop",
    "RunCheckpoint",
    "Schedule",
    "TrainingProgress",
    "TrainingSession",
    "make_schedule",
    "open_session",
    "train_bundle",
]
