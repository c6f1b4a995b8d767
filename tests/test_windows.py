import numpy as np
import pytest

from medunet.windows import SOFT_TISSUE, find_window


def test_a_window_is_level_and_width() -> None:
    assert find_window(np.zeros(3), SOFT_TISSUE) == (-160.0, 240.0)


def test_without_one_nearly_all_values_are_shown() -> None:
    low, high = find_window(np.arange(1001, dtype=np.float32).reshape(7, 11, 13), None)
    assert (low, high) == (pytest.approx(5), pytest.approx(995))


def test_values_shown_black_and_white_differ() -> None:
    for image in (np.full(5, 3.0), np.array([]), np.array([np.nan])):
        low, high = find_window(image, None)
        assert low < high
    low, high = find_window(np.zeros(3), (5.0, 0.0))
    assert low < high
