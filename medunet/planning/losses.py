"""Which loss suits the labels of a cohort."""

import numpy as np

from medunet.measuring.fingerprint import Fingerprint
from medunet.planning.plan import Plan

SMALL_LABEL = 1e-3
"""Share of a patch below which the smallest label of the median case is small."""


def choose_loss(plan: Plan, fingerprint: Fingerprint) -> Plan:
    """The plan with the loss that suits its smallest label and what is known of its cases, and why."""
    if partial := sum(bool(case.unknown) for case in fingerprint.cases):
        why = f"nobody looked for all labels in {partial} of {len(fingerprint.cases)} cases: what is none of the known "
        why += "ones there may be any of the others, so their probabilities are added to the background's"
        plan = plan.change(training={"partial": True}, reasons={"partial": why})
    volumes = [min(case.label_ml.values()) for case in fingerprint.cases if case.label_ml]
    patch_ml = float(np.prod(plan.window.patch) * np.prod(plan.grid.spacing_mm)) / 1000
    share = float(np.median(volumes)) / patch_ml if volumes else 1.0
    if plan.task.unit == "px" or share >= SMALL_LABEL:
        return plan.change(reasons={"loss": "Dice and cross-entropy (Isensee 2021)"})
    why = f"the smallest label fills {share:.2%} of a patch in the median case, so what is missed costs more than "
    return plan.change(training={"loss": "tversky_ce"}, reasons={"loss": why + "what is too much (Salehi 2017)"})
