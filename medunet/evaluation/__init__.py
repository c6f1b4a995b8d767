"""Scores with floors beside them, and the report that shows both."""

from medunet.evaluation.choice import Choice, choose_cases, match_labels, open_memory
from medunet.evaluation.comparison import Comparison, Measure, compare_scores
from medunet.evaluation.detections import find_detections, match_detections
from medunet.evaluation.distances import Distances, measure_distances
from medunet.evaluation.failures import Failure, find_failures, rate_failure
from medunet.evaluation.fitting import Floor, Floors, find_floors, fit_floors, read_case
from medunet.evaluation.floors import EllipsoidFit, EllipsoidFloor, ThresholdFit, ThresholdFloor, take_intensities
from medunet.evaluation.folders import Wanted, score_pairs
from medunet.evaluation.instances import InstanceScore, match_objects
from medunet.evaluation.intervals import Distribution, describe_values
from medunet.evaluation.lesions import LesionScore, count_lesions
from medunet.evaluation.masks import CaseMasks, Naming, read_masks
from medunet.evaluation.pairing import Pairing, Refused
from medunet.evaluation.pairs import Pair, Pairs, find_pairs
from medunet.evaluation.scores import CaseScore, Scores, join_scores, score_case
from medunet.evaluation.scoring import ScoredCase, score_cases, score_masks
from medunet.evaluation.spread import CrossValidation, check_held_out, summarize_folds
from medunet.evaluation.summary import PairedRow, SizeRow, Summary, SummaryRow, compare_methods, rank_cases, summarize
from medunet.evaluation.voxels import VoxelScore, measure_dice, measure_nsd, measure_nsd_voxels, measure_voxels

__all__ = [
    "CaseMasks",
    "CaseScore",
    "Choice",
    "Comparison",
    "CrossValidation",
    "Distances",
    "Distribution",
    "EllipsoidFit",
    "EllipsoidFloor",
    "Failure",
    "Floor",
    "Floors",
    "InstanceScore",
    "LesionScore",
    "Measure",
    "Naming",
    "Pair",
    "PairedRow",
    "Pairing",
    "Pairs",
    "Refused",
    "ScoredCase",
    "Scores",
    "SizeRow",
    "Summary",
    "SummaryRow",
    "ThresholdFit",
    "ThresholdFloor",
    "VoxelScore",
    "Wanted",
    "check_held_out",
    "choose_cases",
    "compare_methods",
    "compare_scores",
    "count_lesions",
    "describe_values",
    "find_detections",
    "find_failures",
    "find_floors",
    "find_pairs",
    "fit_floors",
    "join_scores",
    "match_detections",
    "match_labels",
    "match_objects",
    "measure_dice",
    "measure_distances",
    "measure_nsd",
    "measure_nsd_voxels",
    "measure_voxels",
    "open_memory",
    "rank_cases",
    "rate_failure",
    "read_case",
    "read_masks",
    "score_case",
    "score_cases",
    "score_masks",
    "score_pairs",
    "summarize",
    "summarize_folds",
    "take_intensities",
]
