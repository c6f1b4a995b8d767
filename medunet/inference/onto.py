"""Predict a scan onto another grid than its own, and keep its logits there."""

import torch

from medunet.geometry import Grid
from medunet.inference.assemble import Assembly, assemble_planes
from medunet.inference.predict import Predictor, check_memory, prepare_scan
from medunet.inference.scans import Scan
from medunet.preparation import Keep, resample_planes


def predict_onto(predictor: Predictor, scan: Scan, grid: Grid, keep: Keep) -> None:
    """Hand on the logits of a scan, interpolated linearly on a grid.

    Args:
        predictor: from `open_predictor`, of a bundle with medunet's own steps.
        scan: what to read.
        grid: where logits are wanted.
        keep: is given those of each box of it.

    Raises:
        ResourceError: they take more memory than is free.
        MedunetError: a file is refused by its reader.
    """
    recipe = predictor.recipe
    if recipe.origin != "medunet":
        raise TypeError("logits are those of a scan by medunet's own steps alone")
    prepared = prepare_scan(recipe, scan)
    check_memory(predictor, prepared.network, grid, scan.id)
    window = recipe.window
    patch, how = window.fit(prepared.network.shape), Assembly(window.mode, window.padding)
    planes = assemble_planes(prepared.voxels, predictor.backend, patch, window.overlap, f"predicting {scan.id}", how)
    resample_planes(planes, prepared.network, grid, _decide_nothing, keep)


def _decide_nothing(scores: torch.Tensor) -> torch.Tensor:
    return torch.zeros(scores.shape[1:], dtype=torch.uint8)
