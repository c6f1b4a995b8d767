import numpy as np
import pytest
from pydicom import Dataset

from medunet.findings import Note
from medunet.reading.dicom.claims import note_places, read_claims

STACK = np.diag([0.6, 0.9, 3.0, 1.0])
LEANING = np.array([[0.6, 0, 0, 0], [0, 0.9, 0.8, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]])


def claim(**values: list[float]) -> list[dict[str, float]]:
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def test_numbers_are_taken_and_nonsense_is_left_out() -> None:
    dataset = Dataset()
    dataset.SliceThickness, dataset.InstanceNumber, dataset.SliceLocation = "2.50", "7", None
    assert read_claims(dataset) == {"SliceThickness": 2.5, "InstanceNumber": 7}
    dataset.SliceThickness = ["1", "2"]
    assert read_claims(dataset) == {"InstanceNumber": 7}


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({}, ""),
        ({"SpacingBetweenSlices": [3.02] * 4}, ""),
        ({"SpacingBetweenSlices": [-3.0] * 4}, "SpacingBetweenSlices is -3 mm, but slices lie 3 mm apart"),
        ({"SliceThickness": [3, 3, 5, 3]}, "SliceThickness is 5 mm, but slices lie 3 mm apart"),
        ({"SliceThickness": [2.5] * 4}, "SliceThickness is 2.5 mm, but slices lie 3 mm apart"),
        ({"SliceThickness": [np.nan] * 4}, "SliceThickness is nan"),
        ({"SliceLocation": [9.2, 6.1, 3.0, 0.0]}, ""),
        ({"SliceLocation": [0, 3, 9, 6]}, "SliceLocation contradicts"),
        ({"SliceLocation": [0, 3.2, 6.4, 9.6]}, "SliceLocation contradicts"),
        ({"InstanceNumber": [40, 31, 22, 13]}, ""),
        ({"InstanceNumber": [1, 1, 1, 1]}, ""),
        ({"NumberOfSlices": [4, 4, 4, 4]}, ""),
        ({"NumberOfSlices": [6, 6, 6, 6]}, "NumberOfSlices is 6, but there are 4"),
        ({"InstanceNumber": [1, 3, 2, 4]}, "InstanceNumber orders 2 of 4 slices otherwise"),
    ],
)
def test_claims_that_contradict_the_positions_are_noted(values: dict[str, list[float]], note: str) -> None:
    notes = note_places(claim(**values) if values else [{}] * 4, STACK)
    assert len(notes) == bool(note)
    assert note in "".join(map(str, notes))
    assert {item.code for item in notes} <= {"header-contradicts"}


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"SliceThickness": [2.5] * 4}, ""),
        ({"SliceThickness": [1.0] * 4}, "SliceThickness is 1 mm"),
        ({"SliceThickness": [5.0] * 4}, "SliceThickness is 5 mm"),
        ({"SliceThickness": [6.0] * 4, "SpacingBetweenSlices": [3.0] * 4}, ""),
        ({"SliceThickness": [2.5] * 4, "SpacingBetweenSlices": [9.0] * 4}, "SpacingBetweenSlices is 9 mm"),
    ],
)
def test_slices_of_an_mr_are_thinner_than_they_lie_apart(values: dict[str, list[float]], note: str) -> None:
    notes = note_places(claim(**values), STACK, "MR")
    assert len(notes) == bool(note)
    assert note in "".join(map(str, notes))


def test_a_location_may_count_along_the_axis_of_the_patient() -> None:
    cos, sin = np.cos(0.6), np.sin(0.6)
    oblique = np.array([[0.6, 0, 0, 0], [0, 0.9 * cos, -3 * sin, 0], [0, 0.9 * sin, 3 * cos, 0], [0, 0, 0, 1]])
    for step in (3, 3 * cos, -3 * cos):
        assert note_places(claim(SliceLocation=[7 + step * k for k in range(4)]), oblique) == ()
    for locations in ([0, 3 * sin, 6 * sin, 9 * sin], [0, 3 * cos, 9 * cos, 6 * cos], [5] * 4):
        assert len(note_places(claim(SliceLocation=locations), oblique)) == 1


def test_a_leaning_stack_may_claim_the_step_along_its_table() -> None:
    step = float(np.hypot(3, 0.8))
    for distance in (3, step):
        claims = claim(SpacingBetweenSlices=[distance] * 3, SliceLocation=[0, distance, 2 * distance])
        said = "slices are sheared by 14.93 degrees, which the affine keeps"
        assert note_places(claims, LEANING) == (Note("slices-sheared", said),)


def test_what_one_slice_lacks_is_claimed_by_none() -> None:
    assert note_places([{"InstanceNumber": 2}, {"InstanceNumber": 1}, {}], STACK) == ()
    assert note_places([{"SliceLocation": 9}, {}, {}], STACK) == ()
