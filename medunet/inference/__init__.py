"""From a scan to a mask on its own grid, and from many scans to files: backend, assemble, restore, jobs."""

from medunet.inference.assemble import assemble_planes, count_assembling
from medunet.inference.box import Box, parse_box
from medunet.inference.cases import check_predictions, find_prediction, predict_case, predict_cases
from medunet.inference.computing import Computing
from medunet.inference.fit import check_fit
from medunet.inference.inputs import Input, list_inputs
from medunet.inference.jobs import Wanted, finish_job, plan_job, predict_found, run_jobs
from medunet.inference.maker import Maker, make_maker
from medunet.inference.memory import Means, Provision, provide
from medunet.inference.onto import predict_onto
from medunet.inference.outputs import Outputs, name_mask
from medunet.inference.predict import Predictor, load_predictor, open_predictor, predict_scan
from medunet.inference.record import PredictionRecord
from medunet.inference.restore import restore_mask
from medunet.inference.results import Job, Prediction, Refusal
from medunet.inference.scans import Scan, find_scan, name_scan
from medunet.inference.status import Status, find_refusal

__all__ = [
    "Box",
    "Computing",
    "Input",
    "Job",
    "Maker",
    "Means",
    "Outputs",
    "Prediction",
    "PredictionRecord",
    "Predictor",
    "Provision",
    "Refusal",
    "Scan",
    "Status",
    "Wanted",
    "assemble_planes",
    "check_fit",
    "check_predictions",
    "count_assembling",
    "find_prediction",
    "find_refusal",
    "find_scan",
    "finish_job",
    "list_inputs",
    "load_predictor",
    "make_maker",
    "name_mask",
    "name_scan",
    "open_predictor",
    "parse_box",
    "plan_job",
    "predict_case",
    "predict_cases",
    "predict_found",
    "predict_onto",
    "predict_scan",
    "provide",
    "restore_mask",
    "run_jobs",
]
