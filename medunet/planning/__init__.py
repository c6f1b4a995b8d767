"""From what was measured of a cohort to every number of a plan."""

from medunet.planning.choice import count_enough_minutes, make_plan, state_task
from medunet.planning.further import Given, keep_given, plan_further
from medunet.planning.memory import Memory, describe_gib
from medunet.planning.mirroring import list_mirrored
from medunet.planning.peaks import predict_peaks, subtract_program
from medunet.planning.plan import (
    Foreseen,
    GivenNetwork,
    GridPlan,
    NetworkPlan,
    Normalization,
    Plan,
    Speed,
    Teacher,
    TimedScan,
    TrainingPlan,
    WindowPlan,
    read_plan,
)
from medunet.planning.rules import choose_topology, plan_patch, plan_spacing
from medunet.planning.swapped import Swapped

__all__ = [
    "Foreseen",
    "Given",
    "GivenNetwork",
    "GridPlan",
    "Memory",
    "NetworkPlan",
    "Normalization",
    "Plan",
    "Speed",
    "Swapped",
    "Teacher",
    "TimedScan",
    "TrainingPlan",
    "WindowPlan",
    "choose_topology",
    "count_enough_minutes",
    "describe_gib",
    "keep_given",
    "list_mirrored",
    "make_plan",
    "plan_further",
    "plan_patch",
    "plan_spacing",
    "predict_peaks",
    "read_plan",
    "state_task",
    "subtract_program",
]
