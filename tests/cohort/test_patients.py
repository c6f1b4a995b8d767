from collections import Counter

import pytest

from medunet.cohort import Case, Channel, Cohort, describe_split, group_cases
from medunet.cohort.patients import guess_patients, tell_split
from medunet.labels import LabelTable


def make(*names: str) -> Cohort:
    cases = tuple(Case(id=name, patient=name, channels={"ct": Channel(path="x")}) for name in names)
    labels = LabelTable.from_names(["a"])
    return Cohort(channels=("ct",), modalities={"ct": "CT"}, labels=labels, cases=cases)


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        ("pat00_tp0 pat00_tp1 pat01_tp0 pat01_tp1", "pat00 pat00 pat01 pat01"),
        ("A-visit2 A-visit10 B-visit1 C", "A A B-visit1 C"),
        ("P1_ses-01 P1_ses-02 P2_ses-01", "P1 P1 P2_ses-01"),
        ("sub-01_ses-1_T1w sub-01_ses-2_T1w sub-02_ses-1_T1w", "sub-01 sub-01 sub-02_ses-1_T1w"),
        ("case12a case12b case13a", "case12 case12 case13a"),
        ("case12 case12_b case13", "case12 case12 case13"),
        ("p1_t0 p1_t1 p2_t0 p2_t1", "p1 p1 p2 p2"),
        ("P1_20190304 P1_2020-05-06 P2_20190304", "P1 P1 P2_20190304"),
        ("p1_baseline p1_followup2 p2_pre p2_post", "p1 p1 p2 p2"),
        ("p1_tp0_left p1_tp0_right p1_tp1_left p2_tp0_left", "p1 p1 p1 p2_tp0_left"),
        ("P01_ED P01_ES P02_frame01 P02_frame12", "P01 P01 P02 P02"),
        ("slide1_tile07 slide1_tile08 slide2_tile01", "slide1 slide1 slide2_tile01"),
        ("P1_TP0 P1_tp1 P2_TP0", "P1 P1 P2_TP0"),
    ],
)  # fmt: skip
def test_names_that_differ_in_their_end_are_of_one_patient(names: str, patients: str) -> None:
    assert [guess_patients(names.split())[name] for name in names.split()] == patients.split()


@pytest.mark.parametrize(
    "names",
    [
        [f"hippocampus_{n:03}" for n in range(30)],
        [f"case_{n}" for n in range(30)],
        [f"BRATS_{n:03}" for n in range(30)],
        [f"AMOS22_{n:04}" for n in range(30)],
        [f"LUNG1-{n:03}" for n in range(30)],
        [f"s{n:04}" for n in range(30)],
        [f"liver_{n}" for n in range(30)],
        [f"case_t{n}" for n in range(30)],  # all would be one patient
        [f"scan_{n}" for n in range(30)],
        [f"visit{n}" for n in range(30)],
        [f"IMG_2019{n:04}" for n in range(30)],
        [f"{letter}" for letter in "abcdef"],
        [f"case{letter}" for letter in "abcdef"],
        ["12a", "13b", "14a"],
    ],
    ids=lambda names: names[1],
)
def test_running_numbers_and_single_names_stay_patients_of_their_own(names: list[str]) -> None:
    assert guess_patients(names) == {name: name for name in names}


def test_how_cases_are_split_is_said() -> None:
    grouped = group_cases(make("p0_tp0", "p0_tp1", "p1"))
    assert [case.patient for case in grouped.cases] == ["p0", "p0", "p1"]
    assert describe_split(grouped) == "split by name: 3 files are of 2 patients (p0_tp0, p0_tp1 are of p0)"
    alone = group_cases(make("BRATS_001", "BRATS_002"))
    assert describe_split(alone).startswith("split by file: nobody says whose they are, so each of 2 is taken")
    (told,) = tell_split(alone, "a list")
    assert (told.code, told.severity, told.subject) == ("patients-guessed", "note", "a list")
    assert "cases.csv" in told.remedy
    assert tell_split(make("a", "b"), "a list") == []
    twice = make("a", "b", "c")
    named = [case.model_copy(update={"patient": "P"}) for case in twice.cases[:2]]
    cohort = twice.model_copy(update={"cases": (*named, twice.cases[2])})
    assert describe_split(cohort) == "split by patient: 3 cases are of 2 patients"
    assert Counter(item.remedy for item in tell_split(cohort, "a list")) == {"": 1}
