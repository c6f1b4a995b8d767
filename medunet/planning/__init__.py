"""From what was measured of a cohort to every number of a plan."""

from medunet.planning.fingerprint import CaseMeasure, ChannelStatistics, Fingerprint, ObjectStatistics, measure_cohort
from medunet.planning.plan import NetworkPlan, Normalization, ObjectsPlan, Plan, make_plan, name_keys
from medunet.planning.rules import choose_topology, plan_patch, plan_spacing

__all__ = [
    "CaseMeasure",
    "ChannelStatistics",
    "Fingerprint",
    "NetworkPlan",
    "Normalization",
    "ObjectStatistics",
    "ObjectsPlan",
    "Plan",
    "choose_topology",
    "make_plan",
    "measure_cohort",
    "name_keys",
    "plan_patch",
    "plan_spacing",
]
