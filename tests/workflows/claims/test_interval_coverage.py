import pytest
from interval_coverage import KINDS, measure_coverage


def test_coverage_is_a_share_and_follows_what_is_drawn() -> None:
    normal = measure_coverage(KINDS["normal, 0.80 ± 0.05"], 8, 300, 1)
    assert normal[0] == pytest.approx(0.95, abs=0.04)
    assert normal[2] >= max(normal[:2])
    assert 0.05 < normal[3] < 0.12
    missed = measure_coverage(KINDS["one in ten missed"], 8, 300, 1)
    assert missed[2] < 0.8
