"""From what was measured of a cohort to every number of a plan."""

from medunet.planning.choice import make_plan
from medunet.planning.fingerprint import Fingerprint, ObjectStatistics, measure_cohort
from medunet.planning.measures import CaseMeasure, ChannelStatistics
from medunet.planning.memory import Memory, compare_peak
from medunet.planning.peaks import predict_peaks, subtract_program
from medunet.planning.plan import NetworkPlan, Normalization, ObjectsPlan, Plan, Speed, name_keys
from medunet.planning.rules import choose_topology, plan_patch, plan_spacing

__all__ = [
    "CaseMeasure",
    "ChannelStatistics",
    "Fingerprint",
    "Memory",
    "NetworkPlan",
    "Normalization",
    "ObjectStatistics",
    "ObjectsPlan",
    "Plan",
    "Speed",
    "choose_topology",
    "compare_peak",
    "make_plan",
    "measure_cohort",
    "name_keys",
    "plan_patch",
    "plan_spacing",
    "predict_peaks",
    "subtract_program",
]
