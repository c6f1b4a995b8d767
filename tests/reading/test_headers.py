import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medunet.errors import SeriesError
from medunet.geometry import flip_lps_ras
from medunet.reading.headers import Header, fit_grid, order_headers

ANGLES = st.tuples(*[st.floats(-3, 3)] * 3)


def turn(angles: tuple[float, float, float]) -> np.ndarray:
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        step = np.eye(3)
        first, second = (n for n in range(3) if n != axis)
        step[first, first] = step[second, second] = np.cos(angle)
        step[first, second], step[second, first] = -np.sin(angle), np.sin(angle)
        turned = turned @ step
    return turned


def make_headers(axes: np.ndarray, steps: np.ndarray, shear: float = 0.0) -> list[Header]:
    return [
        Header(
            path=f"{k}.dcm",
            instance_uid=str(k),
            shape=(40, 30),
            spacing=(0.9, 0.6),
            orientation=axes[:, :2].T,
            position=np.array([5.0, -7, 11]) + axes[:, 2] * step + axes[:, 1] * shear * step,
        )
        for k, step in enumerate(steps)
    ]


@given(ANGLES, st.floats(0.5, 8), st.floats(-0.4, 0.4), st.permutations(range(6)))
def test_each_voxel_lies_where_its_slice_says(
    angles: tuple[float, float, float], spacing: float, shear: float, order: list[int]
) -> None:
    headers = make_headers(turn(angles), np.arange(6) * spacing, shear)
    ordered = order_headers([headers[n] for n in order])
    grid, distance = fit_grid(ordered)
    assert distance < 1e-6
    for k, header in enumerate(ordered):
        for i, j in ((0, 0), (39, 0), (0, 29), (17, 5)):
            own = header.position + i * 0.6 * header.orientation[0] + j * 0.9 * header.orientation[1]
            world = grid.to_world([[i, j, k]])[0] * (-1, -1, 1)
            assert np.allclose(world, own, atol=1e-6)
    assert np.allclose(flip_lps_ras(grid.affine)[:3, 0], ordered[0].orientation[0] * 0.6)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([0, 3, 6, 12, 15, 18], "1 slices are missing between"),
        ([0, 3, 6, 9, 14, 19], "away from any regular grid"),
        ([0, 3, 6, 6, 9, 12], "different images"),
        ([0, 3, 6.5, 9, 12, 15], "away from any regular grid"),
        ([0], "single slice"),
    ],
)
def test_irregular_series_are_refused_by_name(steps: list[float], words: str) -> None:
    with pytest.raises(SeriesError, match=words):
        fit_grid(make_headers(np.eye(3), np.array(steps, float)))


def test_small_jitter_is_measured() -> None:
    _, distance = fit_grid(make_headers(np.eye(3), np.array([0, 3, 6.1, 9, 12, 15])))
    assert 0.05 < distance < 0.2
