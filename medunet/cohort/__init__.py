"""Cases from folders and lists, checked, and split into folds by patient."""

from medunet.cohort.cases import (
    Case,
    Channel,
    Cohort,
    LabelSource,
    check_cohort,
    check_labelled,
    read_channel,
    read_cohort,
    read_label,
    write_cohort,
)
from medunet.cohort.discovery import find_cohort
from medunet.cohort.export import export_cohort
from medunet.cohort.folds import find_folds, fold_cohort, read_folds, split_folds

__all__ = [
    "Case",
    "Channel",
    "Cohort",
    "LabelSource",
    "check_cohort",
    "check_labelled",
    "export_cohort",
    "find_cohort",
    "find_folds",
    "fold_cohort",
    "read_channel",
    "read_cohort",
    "read_folds",
    "read_label",
    "split_folds",
    "write_cohort",
]
