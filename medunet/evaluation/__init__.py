"""Scores with floors beside them, and the report that shows both."""

from medunet.evaluation.choice import Choice, choose_cases, match_labels, open_memory
from medunet.evaluation.fitting import Floor, Floors, find_floors, fit_floors, read_case
from medunet.evaluation.floors import EllipsoidFit, EllipsoidFloor, ThresholdFit, ThresholdFloor, take_intensities
from medunet.evaluation.instances import InstanceScore, match_objects
from medunet.evaluation.lesions import LesionScore, count_lesions
from medunet.evaluation.scores import (
    CaseScore,
    PairedRow,
    Scores,
    SummaryRow,
    compare_methods,
    join_scores,
    rank_cases,
    score_case,
    summarize,
)
from medunet.evaluation.scoring import score_cases, score_masks
from medunet.evaluation.spread import CrossValidation, check_held_out, summarize_folds
from medunet.evaluation.voxels import VoxelScore, measure_dice, measure_nsd, measure_nsd_voxels, measure_voxels

__all__ = [
    "CaseScore",
    "Choice",
    "CrossValidation",
    "EllipsoidFit",
    "EllipsoidFloor",
    "Floor",
    "Floors",
    "InstanceScore",
    "LesionScore",
    "PairedRow",
    "Scores",
    "SummaryRow",
    "ThresholdFit",
    "ThresholdFloor",
    "VoxelScore",
    "check_held_out",
    "choose_cases",
    "compare_methods",
    "count_lesions",
    "find_floors",
    "fit_floors",
    "join_scores",
    "match_labels",
    "match_objects",
    "measure_dice",
    "measure_nsd",
    "measure_nsd_voxels",
    "measure_voxels",
    "open_memory",
    "rank_cases",
    "read_case",
    "score_case",
    "score_cases",
    "score_masks",
    "summarize",
    "summarize_folds",
    "take_intensities",
]
