import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ellipsoids import make_ellipsoid, make_patient

from medunet.cohort import keep_largest
from medunet.evaluation.floors import (
    EllipsoidFit,
    EllipsoidFloor,
    ThresholdFit,
    ThresholdFloor,
    take_intensities,
)
from medunet.evaluation.voxels import measure_dice
from medunet.geometry import Grid
from medunet.reading.volume import Source, Volume

Bools = npt.NDArray[np.bool_]
FloorCase = tuple[npt.NDArray[Any], Bools, Grid]

SHAPE = (40, 30, 20)


def make_case(seed: int, shape: tuple[int, int, int] = SHAPE, inside: float = 6.0, outside: float = 1.0) -> FloorCase:
    """A bright ellipsoid near the middle, with noise."""
    random = np.random.default_rng(seed)
    truth = make_ellipsoid(shape, np.array(shape) / 2 - 0.5 + random.uniform(-1, 1, 3), np.array(shape) / 4)
    image = random.normal(np.where(truth, inside, outside), 0.5).astype(np.float32)
    return image, truth, Grid(shape, np.diag([2.0, 2.0, 4.0, 1.0]))


def fit_ellipsoid(cases: Iterable[FloorCase]) -> EllipsoidFloor:
    fit = EllipsoidFit()
    for _, truth, grid in cases:
        fit.add(truth, grid)
    return fit.finish()


def fit_threshold(cases: Iterable[FloorCase], modality: str) -> ThresholdFloor:
    fit = ThresholdFit(modality)
    for image, truth, grid in cases:
        fit.add(image, truth, grid)
    return fit.finish()


def test_ellipsoid_finds_the_mean_place_and_size() -> None:
    floor = fit_ellipsoid(make_case(seed) for seed in range(5))
    assert floor.centre == pytest.approx((0.5, 0.5, 0.5), abs=0.05)
    assert floor.half_axes == pytest.approx((0.25, 0.25, 0.25), abs=0.03)
    image, truth, grid = make_case(9)
    guess = floor.predict(image, grid)
    assert (guess.shape, guess.dtype) == (SHAPE, np.bool_)
    assert measure_dice(guess, truth) > 0.8


def test_ellipsoid_is_placed_in_the_patient_whatever_the_order_of_the_axes() -> None:
    grid = Grid(SHAPE, np.eye(4))
    truth = make_ellipsoid(SHAPE, (8, 20, 5), (4, 5, 3))
    floor = fit_ellipsoid([(truth, truth, grid)])
    # The same patient, stored from left to right and with its first two axes exchanged.
    affine = np.array([[0, -1.0, 0, 39], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    turned = truth[::-1].transpose(1, 0, 2)
    guess = floor.predict(turned, Grid(turned.shape, affine))
    assert measure_dice(guess, turned) > 0.7
    assert np.array_equal(guess, floor.predict(truth, grid)[::-1].transpose(1, 0, 2))


def test_ellipsoid_looks_at_no_image() -> None:
    image, _, grid = make_case(0)
    floor = fit_ellipsoid([make_case(1)])
    assert np.array_equal(floor.predict(image, grid), floor.predict(np.zeros_like(image), grid))


def test_floors_without_a_case_that_holds_the_label_predict_nothing() -> None:
    image, truth, grid = make_case(0)
    empty = [(image, np.zeros_like(truth), grid)]
    for floor in (fit_ellipsoid(empty), fit_threshold(empty, "PT")):
        assert not floor.predict(image, grid).any()


def test_threshold_separates_what_is_bright() -> None:
    floor = fit_threshold((make_case(seed) for seed in range(4)), "PT")
    assert floor.low is not None
    assert 1.5 < floor.low < 5.5
    image, truth, grid = make_case(7)
    assert measure_dice(floor.predict(image, grid), truth) > 0.98


def test_threshold_finds_an_interval_between_brighter_and_darker_tissue() -> None:
    def make_layers(seed: int) -> FloorCase:
        image, truth, grid = make_case(seed)
        image[30:] = 20.0
        truth = truth & (image < 15)
        return image, truth, grid

    floor = fit_threshold([make_layers(seed) for seed in range(3)], "MR")
    assert floor.high is not None
    assert floor.high < 15
    image, truth, grid = make_layers(5)
    assert measure_dice(floor.predict(image, grid), truth) > 0.95


def test_fitted_thresholds_are_the_best_of_a_search() -> None:
    # Overlapping intensities, so that the best Dice is well below 1.
    cases = [make_case(seed, inside=2.0) for seed in range(3)]
    floor = fit_threshold(cases, "PT")
    fitted = np.mean([measure_dice((image >= floor.low), truth) for image, truth, _ in cases])
    tried = [np.mean([measure_dice(image >= low, truth) for image, truth, _ in cases]) for low in np.arange(0, 4, 0.02)]
    assert max(tried) < 0.95
    assert fitted == pytest.approx(max(tried), abs=0.005)


def test_only_the_largest_part_is_kept() -> None:
    image, truth, grid = make_case(0)
    image[0:3, 0:3, 0:3] = 6.0
    floor = ThresholdFloor(low=3.5, high=None, modality="PT")
    guess = floor.predict(image, grid)
    assert not guess[0:3, 0:3, 0:3].any()
    assert guess[truth].mean() > 0.98
    assert keep_largest(np.zeros((2, 2, 2), dtype=bool)).sum() == 0


def test_threshold_in_ct_stays_inside_the_body() -> None:
    image, _, lung = make_patient()
    grid = Grid(image.shape, np.eye(4))
    floor = fit_threshold([(image, lung, grid)], "CT")
    guess = floor.predict(image, grid)
    assert measure_dice(guess, lung) == 1
    assert not guess[0].any()
    bones = ThresholdFloor(low=100.0, high=None, modality="CT")
    assert not bones.predict(image, grid).any()


def test_values_that_are_no_numbers_are_left_out() -> None:
    image, truth, grid = make_case(0)
    image[0:2] = np.nan
    floor = fit_threshold([(image, truth, grid)], "PT")
    assert floor.low is not None
    assert np.isfinite(floor.low)
    assert not floor.predict(image, grid)[0:2].any()


def test_floors_are_records() -> None:
    for floor in (fit_ellipsoid([make_case(0)]), fit_threshold([make_case(0)], "PT")):
        assert type(floor).model_validate_json(floor.model_dump_json()) == floor
    assert EllipsoidFloor(centre=(0, 0, 0), half_axes=(0, 0, 0)).half_axes == (0, 0, 0)


def test_fitting_is_quick() -> None:
    cases = [make_case(seed, (112, 88, 44)) for seed in range(12)]
    started = time.process_time()
    fit_ellipsoid(cases)
    fit_threshold(cases, "PT")
    assert time.process_time() - started < 5


def test_a_picture_is_looked_at_as_one_z_score_and_keeps_all_its_parts() -> None:
    grid = Grid((40, 30, 1), np.eye(4), "px")
    truth = np.zeros(grid.shape, dtype=bool)
    truth[5:10, 5:10], truth[25:32, 10:20] = True, True

    def expose(gain: int) -> Volume:
        grey = np.where(truth, 20, 5).astype(np.uint8) * gain
        return Volume(np.stack([grey, grey, grey]), grid, Source("a"))

    dark, bright = (take_intensities(expose(gain)) for gain in (1, 10))
    assert np.allclose(dark, bright, atol=1e-5)
    floor = fit_threshold([(dark, truth, grid)], "OT")
    assert measure_dice(floor.predict(dark, grid), truth) == 1
    volume = Volume(np.stack([dark, dark]), Grid(grid.shape, np.eye(4)), Source("a"))
    assert np.array_equal(take_intensities(volume), dark)


def test_thresholds_are_fitted_where_somebody_looked() -> None:
    fit = ThresholdFit("MR")
    for seed in range(3):
        image, truth, grid = make_case(seed)
        known = np.zeros(truth.shape, dtype=bool)
        known[:20] = True
        # The hidden half is as bright all over, and would make no threshold the best one.
        image[20:] = 6.0
        fit.add(image, truth & known, grid, known)
    floor = fit.finish()
    image, truth, grid = make_case(9)
    assert measure_dice(floor.predict(image, grid), truth) > 0.95
