import numpy as np
import torch

from medunet.geometry import Grid
from medunet.inference.sampling import LogitSamples

GRID = Grid((6, 5, 4), np.eye(4))


def test_voxels_are_taken_of_whatever_boxes_their_logits_come_in() -> None:
    scores = torch.arange(2 * 6 * 5 * 4, dtype=torch.float32).reshape(2, 6, 5, 4)
    places = np.array([[5, 4, 3], [0, 0, 0], [2, 3, 1], [2, 3, 1]])
    for axis in range(3):
        samples = LogitSamples(places, 2)
        assert samples.open(GRID) is samples
        for index in range(GRID.shape[axis]):
            box = [slice(None)] * 3
            box[axis] = slice(index, index + 1)
            samples(scores[(slice(None), *box)], (box[0], box[1], box[2]))
        assert (samples.logits == scores.numpy()[:, places[:, 0], places[:, 1], places[:, 2]]).all()


def test_what_has_not_come_is_no_number() -> None:
    samples = LogitSamples(np.array([[0, 0, 0], [5, 0, 0]]), 2).open(GRID)
    samples(torch.ones((2, 1, 5, 4)), (slice(0, 1), slice(None), slice(None)))
    assert np.isnan(samples.logits).tolist() == [[False, True]] * 2
