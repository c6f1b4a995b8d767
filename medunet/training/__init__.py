"""Training on MONAI's engines: a schedule fitted to the minutes, exact resume, and a model that is always usable."""

from medunet.training.averaging import WeightAverage
from medunet.training.board import TensorBoard
from medunet.training.checkpoints import KeepBest, RunCheckpoint
from medunet.training.early_stop import EarlyStop
from medunet.training.handlers import Deadline, EpochSeed, GradientClip, NanStop, TrainingProgress
from medunet.training.history import History
from medunet.training.ranks import GatheredLoss, is_launched, join_ranks, share_batch, share_cases
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
    "GatheredLoss",
    "GradientClip",
    "History",
    "KeepBest",
    "NanStop",
    "RunCheckpoint",
    "Schedule",
    "Start",
    "TensorBoard",
    "TrainingProgress",
    "TrainingSession",
    "WeightAverage",
    "fit_weights",
    "is_done",
    "is_launched",
    "join_ranks",
    "make_schedule",
    "open_session",
    "prepare_start",
    "read_result",
    "read_start",
    "share_batch",
    "share_cases",
    "train_bundle",
]
