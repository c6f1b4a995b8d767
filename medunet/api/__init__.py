"""The public verbs, where the parts meet; heavy libraries are imported inside the functions."""

from medunet.api.cohorts import check, export_cohort, init, plan
from medunet.api.masks import convert
from medunet.api.scans import predict, predict_each, read_volume
from medunet.api.scores import Evaluation, evaluate
from medunet.api.training import train, train_folds

__all__ = [
    "Evaluation",
    "check",
    "convert",
    "evaluate",
    "export_cohort",
    "init",
    "plan",
    "predict",
    "predict_each",
    "read_volume",
    "train",
    "train_folds",
]
