"""The public verbs, where the parts meet; heavy libraries are imported inside the functions."""

from medunet.api.bundles import (
    audit_bundle,
    check_bundle,
    export_bundle,
    list_bundles,
    write_card,
    write_selftest,
)
from medunet.api.cohorts import check, export_cohort, init, plan
from medunet.api.comparing import Compared, compare
from medunet.api.masks import convert
from medunet.api.scans import predict, predict_each, read_volume
from medunet.api.scores import Evaluation, evaluate, evaluate_masks
from medunet.api.training import distill, train, train_folds

__all__ = [
    "Compared",
    "Evaluation",
    "audit_bundle",
    "check",
    "check_bundle",
    "compare",
    "convert",
    "distill",
    "evaluate",
    "evaluate_masks",
    "export_bundle",
    "export_cohort",
    "init",
    "list_bundles",
    "plan",
    "predict",
    "predict_each",
    "read_volume",
    "train",
    "train_folds",
    "write_card",
    "write_selftest",
]
