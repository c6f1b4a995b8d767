"""From what was measured of a cohort to every number of a plan."""

from medunet.planning.choice import make_plan
from medunet.planning.memory import Memory
from medunet.planning.peaks import predict_peaks, subtract_program
from medunet.planning.plan import NetworkPlan, Normalization, ObjectsPlan, Plan, Speed, name_keys
from medunet.planning.rules import choose_topology, plan_patch, plan_spacing

__all__ = [
    "Memory",
    "NetworkPlan",
    "Normalization",
    "ObjectsPlan",
    "Plan",
    "Speed",
    "choose_topology",
    "make_plan",
    "name_keys",
    "plan_patch",
    "plan_spacing",
    "predict_peaks",
    "subtract_program",
]
