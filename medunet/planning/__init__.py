"""From what was measured of a cohort to every number of a plan."""

from medunet.planning.choice import count_enough_minutes, make_plan
from medunet.planning.memory import Memory
from medunet.planning.peaks import predict_peaks, subtract_program
from medunet.planning.plan import (
    Foreseen,
    GridPlan,
    NetworkPlan,
    Normalization,
    Plan,
    Speed,
    TrainingPlan,
    WindowPlan,
    read_plan,
)
from medunet.planning.rules import choose_topology, plan_patch, plan_spacing

__all__ = [
    "Foreseen",
    "GridPlan",
    "Memory",
    "NetworkPlan",
    "Normalization",
    "Plan",
    "Speed",
    "TrainingPlan",
    "WindowPlan",
    "choose_topology",
    "count_enough_minutes",
    "make_plan",
    "plan_patch",
    "plan_spacing",
    "predict_peaks",
    "read_plan",
    "subtract_program",
]
