"""Cases from folders and lists, checked, and split into folds by patient."""

from medunet.cohort.agreement import (
    agree_on_components,
    agree_on_labels,
    agree_on_missing,
    agree_on_modality,
    agree_on_unit,
    agree_on_values,
)
from medunet.cohort.body import find_body, keep_largest, measure_body
from medunet.cohort.carry import carry_series, pack_series, unpack_series
from medunet.cohort.cases import (
    Case,
    Channel,
    Cohort,
    LabelSource,
    check_cohort,
    check_labelled,
    make_absolute,
    read_cohort,
    write_cohort,
)
from medunet.cohort.check import check_path
from medunet.cohort.choices import AS_FOUND, LabelChoices, choose_labels, raise_unknown_values
from medunet.cohort.companions import check_patients, find_apart
from medunet.cohort.discovery import find_cohort
from medunet.cohort.export import export_cohort
from medunet.cohort.facts import CaseFacts, ImageFacts, LabelFacts, gather_facts, measure_image, take_percentiles
from medunet.cohort.folds import count_folds, find_folds, fold_cohort, read_folds, split_cases, split_folds
from medunet.cohort.identity import hash_files, list_case_files, stamp_files
from medunet.cohort.lists import read_rows, split_names
from medunet.cohort.oddities import compare_cases, find_rare_labels
from medunet.cohort.opening import find_channel, open_case, read_channel, read_label
from medunet.cohort.opposite import find_opposite
from medunet.cohort.patients import describe_split, group_cases
from medunet.cohort.seen import hash_image, salt_hashes
from medunet.cohort.unlabelled import Unfit, list_cases, list_patients

__all__ = [
    "AS_FOUND",
    "Case",
    "CaseFacts",
    "Channel",
    "Cohort",
    "ImageFacts",
    "LabelChoices",
    "LabelFacts",
    "LabelSource",
    "Unfit",
    "agree_on_components",
    "agree_on_labels",
    "agree_on_missing",
    "agree_on_modality",
    "agree_on_unit",
    "agree_on_values",
    "carry_series",
    "check_cohort",
    "check_labelled",
    "check_path",
    "check_patients",
    "choose_labels",
    "compare_cases",
    "count_folds",
    "describe_split",
    "export_cohort",
    "find_apart",
    "find_body",
    "find_channel",
    "find_cohort",
    "find_folds",
    "find_opposite",
    "find_rare_labels",
    "fold_cohort",
    "gather_facts",
    "group_cases",
    "hash_files",
    "hash_image",
    "keep_largest",
    "list_case_files",
    "list_cases",
    "list_patients",
    "make_absolute",
    "measure_body",
    "measure_image",
    "open_case",
    "pack_series",
    "raise_unknown_values",
    "read_channel",
    "read_cohort",
    "read_folds",
    "read_label",
    "read_rows",
    "salt_hashes",
    "split_cases",
    "split_folds",
    "split_names",
    "stamp_files",
    "take_percentiles",
    "unpack_series",
    "write_cohort",
]
