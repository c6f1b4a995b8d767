from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from medunet.errors import SeriesError
from medunet.geometry import flip_lps_ras
from medunet.reading.dicom.headers import Header, fit_grid, order_headers, read_header

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
        ([0, 3, 6, 12, 15, 18], "after it slices are missing.*: 1 between"),
        ([0, 3, 9, 12, 24, 27], r"missing.*: 1 between 14\.00 and 20\.00 mm, 3 between 23\.00 and 35\.00 mm"),
        ([0, 0.01, 3, 3.01, 6, 6.01], "different images"),
        ([0, 3, 6, 9, 14, 19], "away from any regular grid"),
        ([0, 3, 6, 6, 9, 12], "different images"),
        ([0, 3, 6.5, 9, 12, 15], "away from any regular grid"),
        ([0], "single slice"),
        (
            [*range(0, 40, 2), 17.25],
            r"20\.dcm: it is one slice too many among steps of 2\.00 mm: it lies at 28\.25 mm along the normal, "
            r"1\.25 mm from the one below and 0\.75 mm from the one above",
        ),
        ([*range(0, 40, 2), 38.3], r"one slice too many .*at 49\.30 mm along the normal, 0\.30 mm from the one below;"),
        ([*range(0, 40, 2), 7.3, 17.3], r"20\.dcm: 2 slices are too many .*, 21\.dcm at 28\.30 mm"),
        (np.cumsum([1, 2] * 8).tolist(), r"1 between 12\.00 and 14\.00 mm, .* and 3 more gaps"),
    ],
)
def test_irregular_series_are_refused_by_name(steps: list[float], words: str) -> None:
    with pytest.raises(SeriesError, match=words):
        fit_grid(order_headers(make_headers(np.eye(3), np.array(steps, float))))


def test_small_jitter_is_measured() -> None:
    _, distance = fit_grid(make_headers(np.eye(3), np.array([0, 3, 6.1, 9, 12, 15])))
    assert 0.05 < distance < 0.2


def test_thin_slices_are_no_copies_and_large_jitter_names_its_place() -> None:
    assert fit_grid(make_headers(np.eye(3), np.arange(6) * 0.02))[1] < 1e-9
    with pytest.raises(SeriesError, match=r"steps from 3\.000 to 5\.000 mm, the largest after 3\.dcm"):
        fit_grid(make_headers(np.eye(3), np.array([0, 3, 6, 9, 14, 17], float)))


@pytest.mark.parametrize("factor", [0.99999, 1.0009])
def test_rounded_directions_count_by_how_far_they_move_a_corner(factor: float) -> None:
    def round_off(shape: tuple[int, int]) -> list[Header]:
        headers = make_headers(np.eye(3), np.arange(5) * 3.0)
        return [replace(header, orientation=header.orientation * factor, shape=shape) for header in headers]

    grid, distance = fit_grid(round_off((40, 30)))
    assert grid.spacing == pytest.approx((0.6, 0.9, 3.0), abs=1e-9)
    assert distance == pytest.approx(abs(factor - 1) * np.hypot(39 * 0.6, 29 * 0.9), rel=1e-6)
    far = 60_000 if factor < 1 else 480
    with pytest.raises(SeriesError, match="away from any regular grid"):
        fit_grid(round_off((far, far)))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NumberOfFrames", 7, "multi-frame"),
        ("Rows", 0, "0 Rows"),
        ("PixelSpacing", [float("nan"), 1.0], "2 finite numbers"),
        ("ImagePositionPatient", [1.0, 2.0], "3 finite numbers"),
        ("ImageOrientationPatient", [0, 0, 0, 0, 1, 0], "perpendicular"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "perpendicular"),
    ],
)
def test_a_header_that_places_no_pixel_is_refused(name: str, value: object, words: str) -> None:
    dataset = Dataset()
    dataset.Rows, dataset.Columns, dataset.PixelSpacing = 4, 5, [1, 1]
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    assert read_header(dataset, "f").shape == (5, 4)
    setattr(dataset, name, value)
    with pytest.raises(SeriesError, match=words):
        read_header(dataset, "f")
