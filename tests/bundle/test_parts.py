"""The parts of a recipe are data: alike where they say the same, and never changed."""

from dataclasses import FrozenInstanceError, replace

import pytest

from medunet.bundle import Decision, Window


def test_parts_are_compared_by_what_they_say() -> None:
    window = Window((96, 96, 64), 0.5, "gaussian", 3)
    assert window == Window((96, 96, 64), 0.5, "gaussian", 3)
    assert window != replace(window, overlap=0.25)
    assert Decision("largest", (0, 1)) == Decision("largest", (0, 1), thresholds=())
    with pytest.raises(FrozenInstanceError):
        window.overlap = 0.25
