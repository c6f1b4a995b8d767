from plans import make_test_plan

from medunet.networks import measure_step


def test_a_larger_patch_costs_more() -> None:
    small = make_test_plan()
    large = small.model_copy(update={"patch": (48, 48, 48)})
    assert 0 < measure_step(small) < measure_step(large)


def test_slices_are_measured_too() -> None:
    assert measure_step(make_test_plan(dims=2)) > 0
