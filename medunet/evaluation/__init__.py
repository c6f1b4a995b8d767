"""Scores with floors beside them, and the report that shows both."""

from medunet.evaluation.floors import (
    EllipsoidFloor,
    FloorCase,
    FloorCases,
    ThresholdFloor,
    find_body,
    fit_ellipsoid,
    fit_threshold,
    keep_largest,
    take_intensities,
)
from medunet.evaluation.lesions import LesionScore, count_lesions
from medunet.evaluation.pictures import CasePicture, draw_case, draw_overview
from medunet.evaluation.report import make_page, write_report
from medunet.evaluation.scores import (
    CaseScore,
    PairedRow,
    Scores,
    SummaryRow,
    compare_methods,
    score_case,
    summarize,
)
from medunet.evaluation.table import write_table
from medunet.evaluation.voxels import VoxelScore, measure_dice, measure_nsd, measure_voxels

__all__ = [
    "CasePicture",
    "CaseScore",
    "EllipsoidFloor",
    "FloorCase",
    "FloorCases",
    "LesionScore",
    "PairedRow",
    "Scores",
    "SummaryRow",
    "ThresholdFloor",
    "VoxelScore",
    "compare_methods",
    "count_lesions",
    "draw_case",
    "draw_overview",
    "find_body",
    "fit_ellipsoid",
    "fit_threshold",
    "keep_largest",
    "make_page",
    "measure_dice",
    "measure_nsd",
    "measure_voxels",
    "score_case",
    "summarize",
    "take_intensities",
    "write_report",
    "write_table",
]
