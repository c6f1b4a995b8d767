import numpy as np

from medunet.training.curves import DICE, LOSS, PAPER, draw_curves


def test_both_curves_are_drawn_where_their_values_are() -> None:
    loss = [(10.0, 2.0), (20.0, 1.0), (50.0, 0.5)]
    picture = np.asarray(draw_curves(loss, [(80.0, 0.5)], 100, "epoch 5 of 10")).astype(int)
    assert picture.shape == (420, 960, 3)
    inside = picture[55:370, 75:885]
    columns = np.flatnonzero((np.abs(inside - LOSS).sum(axis=2) < 30).any(axis=0)) + 75
    assert 150 <= columns.min() <= 154
    assert 478 <= columns.max() <= 482
    dots = np.argwhere(np.abs(inside - DICE).sum(axis=2) < 30) + np.array([55, 75])
    assert np.abs(dots.mean(axis=0) - (210, 726)).max() < 2
    assert (np.asarray(draw_curves([], [], 1, ""))[100, 200] == PAPER).all()
