"""From a scan to a mask on its own grid: backend, assemble, restore."""

from medunet.inference.assemble import assemble_planes, count_assembling
from medunet.inference.box import Box, parse_box
from medunet.inference.cases import find_prediction, predict_case, predict_cases
from medunet.inference.outputs import Outputs, name_mask, plan_outputs, write_outputs
from medunet.inference.predict import Predictor, load_predictor, open_predictor, predict_scan
from medunet.inference.restore import restore_mask
from medunet.inference.scans import Scan, find_scan, find_scans, name_scan

__all__ = [
    "Box",
    "Outputs",
    "Predictor",
    "Scan",
    "assemble_planes",
    "count_assembling",
    "find_prediction",
    "find_scan",
    "find_scans",
    "load_predictor",
    "name_mask",
    "name_scan",
    "open_predictor",
    "parse_box",
    "plan_outputs",
    "predict_case",
    "predict_cases",
    "predict_scan",
    "restore_mask",
    "write_outputs",
]
