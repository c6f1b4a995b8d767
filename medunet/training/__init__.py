"""Training on MONAI's engines: a schedule fitted to the minutes, exact resume, and a model that is always usable."""

from medunet.training.averaging import WeightAverage
from medunet.training.begun import check_untrained, find_training
from medunet.training.board import TensorBoard
from medunet.training.checkpoints import KeepBest, RunCheckpoint
from medunet.training.config import CONFIGS, make_multi_gpu_config, make_train_config
from medunet.training.early_stop import EarlyStop
from medunet.training.given import Fitted, fit_outputs, fit_start, take_start, write_start
from medunet.training.handlers import Deadline, EpochSeed, GradientClip, NanStop, TrainingProgress
from medunet.training.history import History
from medunet.training.prepared import list_untaught, prepare_fold
from medunet.training.ranks import GatheredLoss, is_launched, join_ranks, share_batch, share_cases
from medunet.training.run import train_bundle
from medunet.training.runs import FoldResult, RunFolder, State, find_run
from medunet.training.schedule import Schedule, make_schedule
from medunet.training.session import TrainingSession, open_session
from medunet.training.transfer import Start, fit_weights, prepare_start, read_start
from medunet.training.watching import ValidatedCase, watching

__all__ = [
    "CONFIGS",
    "Deadline",
    "EarlyStop",
    "EpochSeed",
    "Fitted",
    "FoldResult",
    "GatheredLoss",
    "GradientClip",
    "History",
    "KeepBest",
    "NanStop",
    "RunCheckpoint",
    "RunFolder",
    "Schedule",
    "Start",
    "State",
    "TensorBoard",
    "TrainingProgress",
    "TrainingSession",
    "ValidatedCase",
    "WeightAverage",
    "check_untrained",
    "find_run",
    "find_training",
    "fit_outputs",
    "fit_start",
    "fit_weights",
    "is_launched",
    "join_ranks",
    "list_untaught",
    "make_multi_gpu_config",
    "make_schedule",
    "make_train_config",
    "open_session",
    "prepare_fold",
    "prepare_start",
    "read_start",
    "share_batch",
    "share_cases",
    "take_start",
    "train_bundle",
    "watching",
    "write_start",
]
