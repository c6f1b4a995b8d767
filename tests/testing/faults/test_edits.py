from pathlib import Path

import pytest

from medunet.testing.faults import Scan, combine, make_scan
from medunet.testing.faults.edits import ODD, keep, number_tags, pick, pick_odd, set_tags


def test_a_clean_scan_is_left_as_it_is(tmp_path: Path) -> None:
    kept, clean = make_scan(), make_scan()
    keep(kept)
    kept.write(tmp_path / "kept")
    clean.write(tmp_path / "clean")
    for path in (tmp_path / "clean").iterdir():
        assert path.read_bytes() == (tmp_path / "kept" / path.name).read_bytes()


def test_tags_are_written_or_taken_out_of_some_headers() -> None:
    scan = make_scan()
    values = ["A", "B"]
    set_tags([0, 5, 99], ImageType=values, PatientID=None, SliceLocation=None)(scan)
    values.append("C")
    assert [list(item.dataset.ImageType) == ["A", "B"] for item in scan.slices] == [n in (0, 5) for n in range(9)]
    assert ["PatientID" in item.dataset for item in scan.slices] == [n not in (0, 5) for n in range(9)]
    set_tags(PatientID="X")(scan)
    assert {item.dataset.PatientID for item in scan.slices} == {"X"}
    assert scan.slices[0].dataset.ImageType is not scan.slices[5].dataset.ImageType


def test_tags_follow_the_number_of_the_slice() -> None:
    scan = make_scan()
    number_tags(InstanceNumber=lambda k: 10 - k, SliceLocation=lambda k: 2.5 * k)(scan)
    assert [item.dataset.InstanceNumber for item in scan.slices] == list(range(10, 1, -1))
    assert [item.dataset.SliceLocation for item in scan.slices] == [2.5 * k for k in range(9)]


def test_edits_are_made_in_order() -> None:
    scan = make_scan()
    combine(set_tags(PatientID="first"), set_tags([1], PatientID="second"))(scan)
    assert [item.dataset.PatientID for item in scan.slices[:3]] == ["first", "second", "first"]


@pytest.mark.parametrize("count", [9, 3])
def test_slices_are_picked_as_far_as_they_are_there(count: int) -> None:
    scan = Scan(make_scan().slices[:count])
    assert pick(scan, None) == scan.slices
    assert pick(scan, [1, 7]) == [scan.slices[n] for n in (1, 7) if n < count]
    assert pick_odd(scan) is scan.slices[min(ODD, count - 1)]
