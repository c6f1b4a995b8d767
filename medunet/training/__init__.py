"""Training on MONAI's engines: a schedule fitted to the minutes, exact resume, and a model that is always usable."""

from medunet.training.averaging import WeightAverage
from medunet.training.checkpoints import KeepBest, RunCheckpoint
from medunet.training.handlers import Deadline, EpochSeed, GradientClip, NanStop, TrainingProgress
from medunet.training.history import History
from medunet.training.ranks import GatheredLoss, join_ranks, share_batch, share_cases
from medunet.training.run import train_bundle
from medunet.training.schedule import Schedule, make_schedule
from medunet.training.session import TrainingSession, open_session, split_cases

__all__ = [
    "Deadline",
    "EpochSeed",
    "GatheredLoss",
    "GradientClip",
    "History",
    "KeepBest",
    "NanStop",
    "RunCheckpoint",
    "Schedule",
    "TrainingProgress",
    "TrainingSession",
    "WeightAverage",
    "join_ranks",
    "make_schedule",
    "open_session",
    "share_batch",
    "share_cases",
    "split_cases",
    "train_bundle",
]
