from pathlib import Path

import pytest

from medunet.bundle import open_bundle
from medunet.errors import BundleError, InputError
from medunet.evaluation import choose_cases


def test_held_out_patients_are_scored_and_the_others_fit_floors(trained: Path) -> None:
    (chosen,) = choose_cases(open_bundle(trained), None)
    assert chosen.own is not None
    assert {case.patient for case in chosen.cases} == set((chosen.own.folds or ())[0])
    assert len(chosen.training) + len(chosen.cases) == len(chosen.own.cases)


def test_patients_of_training_are_refused_and_so_is_a_bundle_without_its_cohort(
    trained: Path, cohort_folder: Path, tmp_path: Path
) -> None:
    bundle = open_bundle(trained)
    with pytest.raises(InputError, match="was in training"):
        choose_cases(bundle, cohort_folder)
    (tmp_path / "configs").symlink_to(trained / "configs")
    with pytest.raises(BundleError, match="give another one with --cohort"):
        choose_cases(open_bundle(tmp_path), None)
