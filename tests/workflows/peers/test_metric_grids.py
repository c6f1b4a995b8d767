import pytest
from metric_grids import GAP_MM, make_grids, measure_grid, tabulate_grids

GRIDS = dict(make_grids())


@pytest.mark.parametrize("name", GRIDS)
def test_known_shapes_on_odd_grids(name: str) -> None:
    volume, dice, far, mean, none, near, moved_far, moved_mean, moved_near = measure_grid(GRIDS[name])
    assert volume == pytest.approx(33.51, rel=0.01)
    assert dice == pytest.approx(0.733, abs=0.005)
    assert (far, mean) == (pytest.approx(4, abs=0.5), pytest.approx(4, abs=0.25))
    assert (none, near) == (pytest.approx(0, abs=0.05), pytest.approx(1, abs=0.02))
    assert (moved_far, moved_mean) == (pytest.approx(0.95 * GAP_MM, abs=0.5), pytest.approx(GAP_MM / 2, abs=0.2))
    assert moved_near == pytest.approx(1 / 3, abs=0.04)


def test_order_and_direction_of_axes_make_no_difference() -> None:
    plain, turned = (GRIDS[name] for name in ("0.75 × 0.75 × 3 mm", "its axes in another order, one mirrored"))
    assert measure_grid(turned) == pytest.approx(measure_grid(plain), abs=1e-9)


def test_the_table_has_a_line_a_grid() -> None:
    assert len(tabulate_grids()) == len(GRIDS) + 3
