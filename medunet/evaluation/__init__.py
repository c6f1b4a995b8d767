"""Scores with floors beside them, and the report that shows both."""

from medunet.evaluation.cases import Floor, Floors, find_floors, fit_floors, read_case, score_cases
from medunet.evaluation.choice import Choice, choose_cases
from medunet.evaluation.floors import (
    EllipsoidFit,
    EllipsoidFloor,
    ThresholdFit,
    ThresholdFloor,
    find_body,
    keep_largest,
    take_intensities,
)
from medunet.evaluation.instances import InstanceScore, match_objects
from medunet.evaluation.lesions import LesionScore, count_lesions
from medunet.evaluation.pictures import CasePicture, draw_case, draw_overview, part_objects
from medunet.evaluation.report import make_page, write_pages, write_report
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
from medunet.evaluation.spread import CrossValidation, check_held_out, score_masks, summarize_folds, write_spread
from medunet.evaluation.table import describe_scores, write_table
from medunet.evaluation.voxels import VoxelScore, measure_dice, measure_nsd, measure_voxels

__all__ = [
    "CasePicture",
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
    "describe_scores",
    "draw_case",
    "draw_overview",
    "find_body",
    "find_floors",
    "fit_floors",
    "join_scores",
    "keep_largest",
    "make_page",
    "match_objects",
    "measure_dice",
    "measure_nsd",
    "measure_voxels",
    "part_objects",
    "rank_cases",
    "read_case",
    "score_case",
    "score_cases",
    "score_masks",
    "summarize",
    "summarize_folds",
    "take_intensities",
    "write_pages",
    "write_report",
    "write_spread",
    "write_table",
]
