import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medunet.spread import describe_pieces

PERCENTILES = [0, 5, 25, 50, 75, 95, 100]
VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from((0.0, -0.0, np.nan, 1.5)))


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, st.integers(1, 60), elements=VALUES), st.integers(1, 7))
def test_pieces_are_described_as_the_whole(values: np.ndarray, step: int) -> None:
    found = describe_pieces(lambda: (values[n : n + step] for n in range(0, len(values), step)), PERCENTILES)
    known = values[np.isfinite(values)].astype(np.float64)
    assert found[0] == len(known)
    if len(known):
        assert found[1] == pytest.approx(known.mean(), rel=1e-6, abs=1e-6)
        assert found[2] == pytest.approx(known.std(), rel=1e-5, abs=1e-4)
        assert found[3] == pytest.approx(np.percentile(known, PERCENTILES).tolist(), rel=1e-9, abs=1e-12)


def test_whole_numbers_are_exact() -> None:
    values = np.random.default_rng(0).integers(-1000, 3000, 5001).astype(np.int16)
    _, _, _, found = describe_pieces(lambda: np.array_split(values, 13), PERCENTILES)
    assert found == np.percentile(values, PERCENTILES).tolist()
