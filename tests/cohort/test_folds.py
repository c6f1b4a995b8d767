from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medunet.cohort import Case, Channel, Cohort, split_folds
from medunet.labels import LabelTable


def make(patients: list[str]) -> Cohort:
    cases = tuple(Case(id=f"{n}", patient=p, channels={"ct": Channel(path="x")}) for n, p in enumerate(patients))
    labels = LabelTable.from_names(["a"])
    return Cohort(channels=("ct",), modalities={"ct": "CT"}, labels=labels, cases=cases)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 30).map(str), min_size=2, max_size=60), st.integers(0, 5))
def test_each_patient_is_held_out_once(patients: list[str], seed: int) -> None:
    folds = split_folds(make(patients), seed=seed)
    assert sorted(name for fold in folds for name in fold) == sorted(set(patients))
    sizes = [len(fold) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    assert len(folds) == min(5, len(set(patients)))


@pytest.mark.parametrize("count", [2, 5])
def test_a_seed_repeats_its_folds(count: int, tmp_path: Path) -> None:
    cohort = make([str(n) for n in range(20)])
    assert split_folds(cohort, count, 1) == split_folds(cohort, count, 1) != split_folds(cohort, count, 2)
