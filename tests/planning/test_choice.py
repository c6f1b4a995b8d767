from collections.abc import Callable

import numpy as np
import pytest

from medunet.cohort import Case, Channel, Cohort
from medunet.errors import InputError
from medunet.labels import LabelTable
from medunet.measuring import CaseMeasure, ChannelStatistics, Fingerprint, ObjectStatistics
from medunet.planning import Memory, Plan, make_plan
from medunet.planning.choice import count_enough_minutes, count_enough_steps, estimate_work, plan_normalization

COHORT = Cohort(
    channels=("ct", "mr"),
    modalities={"ct": "CT", "mr": "MR"},
    labels=LabelTable.from_names(["a", "b"]),
    cases=tuple(Case(id=n, patient=n, channels={"ct": Channel(path="x"), "mr": Channel(path="y")}) for n in ("p", "q")),
)
STATISTICS = ChannelStatistics(mean=60, sd=30, low=-20, high=150)
FINGERPRINT = Fingerprint(
    channels={"ct": STATISTICS, "mr": STATISTICS},
    cases=tuple(
        CaseMeasure(id=n, shape=(256, 256, 90), spacing_mm=(0.9, 0.9, 3.0), label_ml={"a": 1, "b": 2}) for n in "pq"
    ),
)


def at_speed(rate: float) -> Callable[[Plan], float]:
    return lambda plan: estimate_work(plan) / rate


def test_a_faster_machine_gets_a_wider_network_or_a_larger_patch() -> None:
    plans = [make_plan(COHORT, FINGERPRINT, at_speed(rate), memory=Memory(ram_gib=24)) for rate in (1e8, 3e10, 3e12)]
    work = [estimate_work(plan) for plan in plans]
    assert work == sorted(work)
    assert plans[0].network.filters[0] == 8
    assert plans[2].network.filters[0] == 32
    assert all(plan.reasons[name] for plan in plans for name in ("patch", "network", "spacing_mm", "learning_rate"))


def test_one_disturbed_measurement_decides_nothing() -> None:
    quiet = at_speed(3e10)
    undisturbed = make_plan(COHORT, FINGERPRINT, quiet)
    measured = []

    def measure(plan: Plan) -> float:
        shape = plan.network, plan.window.patch
        measured.append(shape)
        disturbed = shape == (undisturbed.network, undisturbed.window.patch) and measured.count(shape) == 1
        return 10 * quiet(plan) if disturbed else quiet(plan)

    assert make_plan(COHORT, FINGERPRINT, measure) == undisturbed
    assert measured.count((undisturbed.network, undisturbed.window.patch)) == 2


def test_width_is_not_bought_with_a_coarser_grid() -> None:
    """Large labels allow a grid on which even the smallest patch sees half of a case."""
    cases = tuple(case.model_copy(update={"label_ml": {"a": 800.0}}) for case in FINGERPRINT.cases)
    found = FINGERPRINT.model_copy(update={"cases": cases})
    plans = [make_plan(COHORT, found, at_speed(10**power)) for power in np.arange(8, 13, 0.1)]
    narrow, wide = ([plan for plan in plans if (plan.network.filters[0] == 8) == flag] for flag in (True, False))
    assert max(plan.grid.spacing_mm[0] for plan in narrow) > max(plan.grid.spacing_mm[0] for plan in wide)
    assert len({plan.network.filters[0] for plan in wide}) == 3


def test_memory_limits_the_patch() -> None:
    small, large = (make_plan(COHORT, FINGERPRINT, at_speed(1e13), memory=Memory(ram_gib=gib)) for gib in (2, 16))
    assert estimate_work(small) < estimate_work(large)


def test_slices() -> None:
    plan = make_plan(COHORT, FINGERPRINT, at_speed(1e11), dims=2)
    assert plan.window.patch[2] == 1
    assert plan.training.batch == 8
    assert plan.network.dims == 2
    assert make_plan(COHORT, FINGERPRINT, at_speed(1e11)).network.dims == 3


def measure(*shapes: tuple[int, int, int], **more: object) -> Fingerprint:
    cases = [CaseMeasure(id=f"p{n}", shape=s, spacing_mm=(1, 1, 1), label_ml={"a": 1}) for n, s in enumerate(shapes)]
    return FINGERPRINT.model_copy(update={"cases": tuple(cases), **more})


def test_pictures_are_planned_flat_and_not_resampled() -> None:
    found = measure((256, 256, 1), (320, 256, 1), (1024, 1024, 1), unit="px", components={"ct": 3})
    plan = make_plan(COHORT, found, at_speed(1e11))
    assert (plan.network.dims, plan.task.unit, plan.task.count_inputs()) == (2, "px", 4)
    assert plan.grid.spacing_mm == (1, 1, 1)
    assert "no physical size" in plan.reasons["spacing_mm"]
    assert plan.window.patch[0] % 2 ** (len(plan.network.strides) - 1) == 0
    assert plan.grid.normalization["ct"].kind == "each"


def test_the_slowest_machine_gets_the_smallest_slices() -> None:
    found = measure(*[(1024, 1024, 1)] * 3, unit="px")
    plans = [make_plan(COHORT, found, at_speed(rate)) for rate in (1e6, 1e13)]
    assert plans[0].window.patch[0] <= 96
    assert plans[1].window.patch[0] >= 256


def test_slices_and_volumes_together_need_a_word() -> None:
    mixed = measure((64, 64, 1), (64, 64, 30))
    with pytest.raises(InputError, match="case p0 is one slice, case p1 has 30; add --dims 2"):
        make_plan(COHORT, mixed, at_speed(1e11))
    assert make_plan(COHORT, mixed, at_speed(1e11), dims=2).network.dims == 2
    with pytest.raises(InputError, match="case p0 is one slice"):
        make_plan(COHORT, mixed, at_speed(1e11), dims=3)


def test_ct_and_pet_keep_their_scale_and_mr_is_normalised_by_itself() -> None:
    assert plan_normalization("CT", STATISTICS).kind == plan_normalization("PT", STATISTICS).kind == "fixed"
    assert plan_normalization("MR", STATISTICS).kind == "each"
    constant = STATISTICS.model_copy(update={"low": 60.0, "high": 60.0})
    assert plan_normalization("CT", constant).kind == "each"
    assert plan_normalization("CT", STATISTICS, components=2).kind == "each"


def test_objects_are_learnt_with_a_border() -> None:
    labels = LabelTable.from_names(["nucleus"], objects=True)
    objects = ObjectStatistics(count=40, smallest=0.2, median=3)
    fingerprint = FINGERPRINT.model_copy(update={"objects": objects})
    plan = make_plan(COHORT.model_copy(update={"labels": labels}), fingerprint, at_speed(1e11))
    assert plan.task.objects is not None
    assert plan.task.objects.smallest == 0.2
    assert plan.task.name_classes() == ("background", "interior", "border")
    assert "border" in plan.reasons["objects"]
    without = make_plan(COHORT, FINGERPRINT, at_speed(1e11))
    assert (without.task.objects, without.task.name_classes()) == (None, ("background", "a", "b"))
    assert "objects" not in without.reasons


def test_memory_of_a_gpu_limits_the_patch_too() -> None:
    free, tight = (
        make_plan(COHORT, FINGERPRINT, at_speed(1e13), memory=Memory(ram_gib=32, vram_gib=gib)) for gib in (32, 3)
    )
    assert estimate_work(tight) < estimate_work(free)
    assert tight.foreseen.peak_gib["train_vram"] <= 3 < free.foreseen.peak_gib["train_vram"]
    assert "3 GiB of a GPU" in tight.reasons["patch"]
    assert set(tight.foreseen.peak_gib) == {"measure", "prepare", "train", "predict", "train_vram", "predict_vram"}


def test_minutes_that_are_enough_grow_with_what_more_minutes_want() -> None:
    planned = make_plan(COHORT, measure((64, 64, 32)), at_speed(1e9), memory=Memory(ram_gib=8), budget_minutes=60)
    for seconds in (0.1, 1.0, 5.0):
        minutes = count_enough_minutes(planned.with_step(seconds))
        enough = planned.change(training={"budget_minutes": minutes}).with_step(seconds)
        assert enough.count_steps() == pytest.approx(count_enough_steps(minutes), rel=0.01)
