"""Cases from folders and lists, checked, and split into folds by patient."""

from medunet.cohort.agreement import agree_on_components, agree_on_labels, agree_on_unit, agree_on_values
from medunet.cohort.body import find_body, keep_largest, measure_body
from medunet.cohort.cases import (
    Case,
    Channel,
    Cohort,
    LabelSource,
    check_cohort,
    check_labelled,
    make_absolute,
    read_channel,
    read_cohort,
    read_label,
    write_cohort,
)
from medunet.cohort.check import check_path
from medunet.cohort.discovery import find_cohort
from medunet.cohort.export import export_cohort
from medunet.cohort.facts import CaseFacts, ImageFacts, LabelFacts, gather_facts, measure_image
from medunet.cohort.folds import count_folds, find_folds, fold_cohort, read_folds, split_cases, split_folds
from medunet.cohort.oddities import compare_cases

__all__ = [
    "Case",
    "CaseFacts",
    "Channel",
    "Cohort",
    "ImageFacts",
    "LabelFacts",
    "LabelSource",
    "agree_on_components",
    "agree_on_labels",
    "agree_on_unit",
    "agree_on_values",
    "check_cohort",
    "check_labelled",
    "check_path",
    "compare_cases",
    "count_folds",
    "export_cohort",
    "find_body",
    "find_cohort",
    "find_folds",
    "fold_cohort",
    "gather_facts",
    "keep_largest",
    "make_absolute",
    "measure_body",
    "measure_image",
    "read_channel",
    "read_cohort",
    "read_folds",
    "read_label",
    "split_cases",
    "split_folds",
    "write_cohort",
]
