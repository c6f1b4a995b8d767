from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medunet.bundle import open_bundle
from medunet.inference import Scan, open_predictor, predict_onto, predict_scan
from medunet.inference.computing import PLAIN
from medunet.preparation import find_images
from medunet.preparation.resample import Box


class Kept:
    def __init__(self, outputs: int, shape: tuple[int, ...]) -> None:
        self.logits = np.full((outputs, *shape), np.nan, np.float32)

    def __call__(self, scores: torch.Tensor, box: Box) -> None:
        self.logits[(slice(None), *box)] = scores.numpy()


def test_on_its_own_grid_the_largest_logits_are_the_mask(trained: Path) -> None:
    bundle = open_bundle(trained)
    case = bundle.cohort().cases[0]
    scan = Scan(case.id, find_images(case, bundle.task.channels))
    with open_predictor(bundle, computing=PLAIN) as predictor:
        mask = predict_scan(predictor, scan)
        kept = Kept(2, mask.grid.shape)
        predict_onto(predictor, scan, mask.grid, kept)
        assert mask.voxels.any()
        assert np.array_equal(kept.logits.argmax(0), mask.voxels)
        with pytest.raises(TypeError, match="own steps"):
            foreign = replace(predictor, recipe=replace(predictor.recipe, origin="elsewhere"))
            predict_onto(foreign, scan, mask.grid, kept)
