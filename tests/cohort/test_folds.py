from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medunet.cohort import Case, Channel, Cohort, fold_cohort, read_folds, split_folds
from medunet.errors import RecordError
from medunet.labels import LabelTable
from medunet.records import write_json


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


@given(st.lists(st.sampled_from([0.0, 0.0, 0.5, 3.0, 900.0]), min_size=2, max_size=40), st.integers(0, 5))
def test_folds_by_volume_are_as_large_and_hold_as_many_healthy_patients(volumes: list[float], seed: int) -> None:
    of_patient = {str(n): volume for n, volume in enumerate(volumes)}
    folds = split_folds(make(list(of_patient)), seed=seed, volumes=of_patient)
    assert sorted(name for fold in folds for name in fold) == sorted(of_patient)
    for counts in (list(map(len, folds)), [sum(of_patient[name] == 0 for name in fold) for fold in folds]):
        assert max(counts) - min(counts) <= 1
    assert split_folds(make(list(of_patient)), seed=seed, volumes=of_patient) == folds


def test_folds_by_volume_have_closer_means_than_chance_gives() -> None:
    spread: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(40):
        drawn = np.random.default_rng(seed).lognormal(3, 1.0, 38)
        volumes = {f"p{n:02}": float(volume) for n, volume in enumerate(drawn)}
        for by_volume, found in spread.items():
            folds = split_folds(make(list(volumes)), seed=seed, volumes=volumes if by_volume else None)
            means = [np.mean([volumes[name] for name in fold]) for fold in folds]
            found.append(float(np.std(means) / np.mean(means)))
    assert np.mean(spread[True]) < 0.5 * np.mean(spread[False])
    closer = [ours < chance for ours, chance in zip(spread[True], spread[False], strict=True)]
    assert sum(closer) >= 36


def test_the_seed_decides_which_fold_holds_out_the_largest() -> None:
    volumes = {str(n): float(n) for n in range(10)}
    places = {
        next(k for k, fold in enumerate(split_folds(make(list(volumes)), seed=seed, volumes=volumes)) if "9" in fold)
        for seed in range(20)
    }
    assert len(places) > 2


@pytest.mark.parametrize(
    "content",
    [
        [["a"], ["b", "c"]],
        {"0": ["a"], "1": ["c", "b"]},
        [{"train": ["b", "c"], "val": ["a"]}, {"train": ["a"], "val": ["b", "c"]}],
        [["0"], ["1", "2"]],
    ],
    ids=["lists", "object", "nnU-Net", "cases"],
)
def test_given_folds_are_taken(content: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "folds.json", content)
    assert read_folds(tmp_path / "folds.json", make(["a", "b", "c"])).folds == (("a",), ("b", "c"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([["a", "d"]], "fold 0 holds out 'd', a patient of no case"),
        ([["a"], ["a", "b", "c"]], "fold 1 leaves no patient"),
        ([[]], "fold 0 holds out no patient"),
        ([{"train": ["a"]}], "fold 0 is no list of patients"),
        ("a", "it lists no folds"),
    ],
)
def test_folds_that_can_not_be_are_refused(content: Any, message: str, tmp_path: Path) -> None:
    write_json(tmp_path / "folds.json", content)
    with pytest.raises(RecordError, match=message):
        read_folds(tmp_path / "folds.json", make(["a", "b", "c"]))


def test_folds_beside_a_cohort_are_taken(tmp_path: Path) -> None:
    cohort = make(["a", "b", "c"])
    write_json(tmp_path / "splits_final.json", [{"train": ["a"], "val": ["b", "c"]}])
    assert fold_cohort(cohort, tmp_path / "cohort.json").folds == (("b", "c"),)
    write_json(tmp_path / "folds.json", [["a"]])
    assert fold_cohort(cohort, tmp_path).folds == (("a",),)
    own = cohort.model_copy(update={"folds": (("c",),)})
    assert fold_cohort(own, tmp_path).folds == (("c",),)
    assert len(fold_cohort(cohort, tmp_path / "other" / "cohort.json").folds or ()) == 3
    volumes = {"a": 1.0, "b": 2.0, "c": 0.0}
    assert fold_cohort(cohort, tmp_path, volumes).folds == (("a",),)
    elsewhere = tmp_path / "other" / "cohort.json"
    assert fold_cohort(cohort, elsewhere, volumes).folds == split_folds(cohort, volumes=volumes)
