import numpy as np
import torch

from medunet.geometry import Grid
from medunet.inference import restore_mask
from medunet.labels import LabelTable


def test_logits_go_back_linearly_before_labels_are_taken() -> None:
    coarse = Grid((20, 20, 20), np.diag([4.0, 4, 4, 1]))
    fine = Grid((76, 76, 76), np.diag([1.0, 1, 1, 1]))

    def distance(grid: Grid) -> np.ndarray:
        world = grid.to_world(np.argwhere(np.ones(grid.shape, bool)))
        return 20 - np.linalg.norm(world - 38, axis=1).reshape(grid.shape)

    logits = torch.from_numpy(np.stack([np.zeros(coarse.shape), distance(coarse)])).float()
    mask = restore_mask(logits, coarse.affine, fine, LabelTable.from_names(["ball"]))
    truth = distance(fine) > 0
    assert 2 * (mask.voxels * truth).sum() / (mask.voxels.sum() + truth.sum()) > 0.98
    assert mask.grid is fine
