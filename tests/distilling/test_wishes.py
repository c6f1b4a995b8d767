import pytest
from pydantic import ValidationError

from medunet.distilling import Wishes


def test_seconds_and_sizes_are_above_zero() -> None:
    wishes = Wishes(seconds=2, shape=(64, 64, 40), spacing_mm=(1, 1, 2))
    assert (wishes.preset, wishes.weight, wishes.fold) == ("exact", 1.0, None)
    with pytest.raises(ValidationError):
        Wishes(seconds=0, shape=(64, 64, 40), spacing_mm=(1, 1, 2))
