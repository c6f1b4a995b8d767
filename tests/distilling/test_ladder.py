import numpy as np
import pytest
from plans import make_test_plan

from medunet.distilling import count_windows, list_students
from medunet.distilling.ladder import coarsen, describe_network, estimate_scan
from medunet.errors import BundleError
from medunet.measuring import Fingerprint
from medunet.planning import NetworkPlan

NOTHING = Fingerprint(cases=(), channels={})
SCAN = (64, 64, 40), (3.0, 3.0, 4.0)


@pytest.mark.parametrize(("spacing", "factor", "dims"), [((1, 1, 3), 1.25, 3), ((1, 1, 3), 2, 3), ((1, 2, 9), 1.5, 2)])
def test_voxels_grow_as_cubes_would_and_the_finest_axes_first(
    spacing: tuple[float, float, float], factor: float, dims: int
) -> None:
    grown = coarsen(spacing, factor, dims)
    assert np.prod(grown[:dims]) == pytest.approx(np.prod(spacing[:dims]) * factor**dims, rel=1e-3)
    assert all(new >= old for new, old in zip(grown, spacing, strict=True))
    assert grown[dims:] == tuple(spacing[dims:])
    assert min(grown[:dims]) >= min(max(spacing[:dims]), grown[0])


def test_students_are_smaller_and_sorted_by_their_work() -> None:
    teacher = make_test_plan().change(network={"filters": (16, 32, 64)})
    students = list_students(teacher, NOTHING, *SCAN)
    work = [estimate_scan(plan, *SCAN) for plan in students]
    assert work == sorted(work, reverse=True)
    assert max(work) < estimate_scan(teacher, *SCAN)
    assert {plan.network.filters[0] for plan in students} == {16, 12, 8, 4}
    assert {plan.grid.spacing_mm[0] for plan in students} > {3.0}
    same = next(plan for plan in students if plan.grid == teacher.grid)
    assert (same.window, same.network.strides) == (teacher.window, teacher.network.strides)
    assert describe_network(same) == "features 12-24-48 on 3 × 3 × 5 mm"
    for plan in students:
        divisor = np.prod(plan.network.strides, axis=0)
        assert not (np.array(plan.window.patch) % divisor).any()
        assert plan.network.heads == len(plan.network.filters) - 2


def test_a_student_of_another_network_is_a_unet() -> None:
    teacher = make_test_plan()
    given = {"filters": (), "strides": (), "kernels": (), "heads": 0}
    network = {"definition": {"_target_": "SegResNet"}, "patch_bytes": 100}
    swapped = NetworkPlan.model_validate({**teacher.network.model_dump(), **given, "given": network})
    students = list_students(teacher.model_copy(update={"network": swapped}), NOTHING, *SCAN)
    assert all(plan.network.given is None for plan in students)
    assert {plan.network.filters[0] for plan in students} == {32, 24, 16, 12, 8}


def test_the_smallest_network_has_no_student() -> None:
    tiny = make_test_plan().change(grid={"spacing_mm": (30.0, 30.0, 30.0)}, window={"patch": (8, 8, 8)})
    with pytest.raises(BundleError, match="the smallest that there is"):
        list_students(tiny.change(window={"patch": (4, 4, 4)}), NOTHING, *SCAN)


def test_windows_are_those_of_the_prepared_scan() -> None:
    flat = make_test_plan(dims=2)
    assert count_windows(flat, (32, 32, 7), (3.0, 3.0, 4.0)) == 3 * 3 * 7
    assert count_windows(make_test_plan(), (32, 32, 16), (3.0, 3.0, 10.0)) == 3 * 3 * 3
    assert count_windows(make_test_plan(), (8, 8, 8), (3.0, 3.0, 5.0)) == 1
