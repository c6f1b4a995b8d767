"""What others measure of two masks, each by its own functions: surface-distance, MONAI, panoptica; and medunet."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.evaluation.lesions import count_lesions
from medunet.evaluation.voxels import measure_voxels
from medunet.geometry import Grid

Bools = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]
Measured = dict[str, float]
"""By name of the measure; what isn't there wasn't offered, NaN was answered."""
Measure = Callable[[Bools, Bools, Spacing, float], Measured]
"""Prediction, truth, spacing in mm and tolerance of NSD in mm."""


def measure_medunet(predicted: Bools, truth: Bools, spacing: Spacing, tolerance: float) -> Measured:
    """Ours."""
    score = measure_voxels(predicted, truth, Grid(truth.shape, np.diag([*spacing, 1.0])), tolerance)
    found = {"Dice": score.dice, "NSD": score.nsd, "HD95": score.hd95_mm, "ASSD": score.assd_mm}
    lesions = count_lesions(predicted, truth)
    counts = {"found": lesions.found, "missed": lesions.missed, "false": lesions.false_found}
    return {name: math.nan if value is None else float(value) for name, value in (found | counts).items()}


def measure_surface_distance(predicted: Bools, truth: Bools, spacing: Spacing, tolerance: float) -> Measured:
    """Google DeepMind's; its two average distances are weighted by the areas of their surfaces, as ASSD is defined."""
    import surface_distance as sd

    found = sd.compute_surface_distances(truth, predicted, spacing)
    there, back = sd.compute_average_surface_distance(found)
    weights = float(found["surfel_areas_gt"].sum()), float(found["surfel_areas_pred"].sum())
    return {
        "Dice": float(sd.compute_dice_coefficient(truth, predicted)),
        "NSD": float(sd.compute_surface_dice_at_tolerance(found, tolerance)),
        "HD95": float(sd.compute_robust_hausdorff(found, 95)),
        "ASSD": (there * weights[0] + back * weights[1]) / sum(weights) if all(weights) else math.nan,
    }


def measure_monai(predicted: Bools, truth: Bools, spacing: Spacing, tolerance: float) -> Measured:
    """MONAI's; surfaces are voxels there."""
    import torch
    from monai.metrics import (
        compute_average_surface_distance,
        compute_dice,
        compute_hausdorff_distance,
        compute_surface_dice,
    )

    pair: list[Any] = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (predicted, truth)]
    how: dict[str, Any] = {"include_background": True, "spacing": spacing}
    return {
        "Dice": float(compute_dice(*pair, include_background=True)),
        "NSD": float(compute_surface_dice(*pair, class_thresholds=[tolerance], **how)),
        "HD95": float(compute_hausdorff_distance(*pair, percentile=95, **how)),
        "ASSD": float(compute_average_surface_distance(*pair, symmetric=True, **how)),
    }


def measure_panoptica(predicted: Bools, truth: Bools, spacing: Spacing, tolerance: float) -> Measured:
    """panoptica's: distances of both masks as one instance, counts of parts that it matches above an IoU of one half.

    Its metrics of all voxels together (`global_bin_hd95`) don't take the spacing, and its evaluator no tolerance, so
    that NSD is asked of the function itself.
    """
    import panoptica
    from panoptica.metrics.normalized_surface_dice import _compute_normalized_surface_dice

    metric, kind = panoptica.Metric, panoptica.InputType
    pair = predicted.astype(np.uint8), truth.astype(np.uint8)
    parts = panoptica.Panoptica_Evaluator(
        expected_input=kind.SEMANTIC,
        instance_approximator=panoptica.ConnectedComponentsInstanceApproximator(),
        instance_matcher=panoptica.NaiveThresholdMatching(matching_threshold=0.5),
        instance_metrics=[metric.IOU],
    )
    answers = [_ask(parts, pair, spacing)]
    found: Measured = {}
    if predicted.any() and truth.any():
        one = panoptica.Panoptica_Evaluator(
            expected_input=kind.MATCHED_INSTANCE, instance_metrics=[metric.DSC, metric.IOU, metric.ASSD, metric.HD95]
        )
        answers.append(_ask(one, pair, spacing))
        nsd = _compute_normalized_surface_dice(*pair[::-1], voxelspacing=spacing, threshold=tolerance)
        found = {"NSD": float(nsd), "Dice": answers[1]["sq_dsc"]}
        found |= {"HD95": answers[1]["sq_hd95"], "ASSD": answers[1]["sq_assd"]}
    counts = {"found": "tp", "missed": "fn", "false": "fp"}
    return found | {name: float(answers[0].get(key, math.nan)) for name, key in counts.items()}


def _ask(evaluator: Any, pair: tuple[Any, Any], spacing: Spacing) -> dict[str, Any]:
    """What its evaluator answers, without the groups that it has for several labels."""
    answer = evaluator.evaluate(*pair, voxelspacing=spacing)
    found: dict[str, Any] = (answer["ungrouped"] if isinstance(answer, dict) else answer).to_dict()
    return found


PEERS: dict[str, Measure] = {
    "medunet": measure_medunet,
    "surface-distance": measure_surface_distance,
    "MONAI": measure_monai,
    "panoptica": measure_panoptica,
}
"""By the names that the tables have."""
