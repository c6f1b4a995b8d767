import numpy as np
import pytest

from medunet.cohort import check_patients, find_apart
from medunet.cohort.companions import measure_overlap
from medunet.errors import InputError
from medunet.geometry import Grid


def make_grid(shift: float = 0.0, size: float = 2.0, unit: str = "mm") -> Grid:
    affine = np.diag([size, size, size, 1.0])
    affine[0, 3] = shift
    return Grid((20, 20, 10), affine, unit)  # type: ignore[arg-type]


def test_channels_of_several_patients_are_refused_where_headers_tell() -> None:
    check_patients({"ct": "P1", "pet": ""}, "a case")
    check_patients({"ct": "P1", "pet": "p1 "}, "a case")
    with pytest.raises(InputError, match="its ct is of the patient P1, its pet of the patient P2") as caught:
        check_patients({"ct": "P1", "mr": "", "pet": "P2"}, "a case")
    assert caught.value.code == "patients-mixed"


def test_the_smaller_field_of_view_counts() -> None:
    assert measure_overlap(make_grid(), make_grid()) == 1
    assert measure_overlap(make_grid(size=8.0), make_grid(4.0, 0.5)) == 1
    assert measure_overlap(make_grid(), make_grid(20.0)) == 0.5
    assert measure_overlap(make_grid(), make_grid(3000.0)) == 0


def test_channels_that_hardly_overlap_are_told() -> None:
    assert not [*find_apart({"ct": make_grid(), "pet": make_grid(10.0), "mr": make_grid(size=0.5)}, "a case")]
    # A quarter turn of the stored axes is the same place.
    turned = Grid((10, 20, 20), np.array([[0, 0, 2.0, 0], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1]]))
    assert not [*find_apart({"ct": make_grid(), "pet": turned}, "a case")]
    near, far = find_apart({"ct": make_grid(), "pet": make_grid(34.0), "mr": make_grid(3000.0)}, "a case")
    assert (near.code, near.severity, near.subject) == ("channels-apart", "warning", "a case")
    assert "only 12% of the smaller one lies in the other, their centres are 34 mm apart" in near.found
    assert "they don't overlap at all, their centres are 3000 mm apart" in far.found
    assert not [*find_apart({"ct": make_grid(unit="px"), "pet": make_grid(3000.0, unit="px")}, "a picture")]
