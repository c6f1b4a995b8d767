from pathlib import Path

import pytest
from pet_ct import write_pet_ct

from medunet.cohort import Case, Cohort
from medunet.evaluation import fit_floors, score_cases, score_masks
from medunet.labels import Mask


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return write_pet_ct(tmp_path)


def test_scores_stand_beside_floors_and_each_case_is_shown(cohort: Cohort) -> None:
    floors = fit_floors(cohort, cohort.cases, 0)
    assert list(floors.methods) == ["ellipsoid", "threshold ct", "threshold pet"]

    def repeat(case: Case, truth: Mask) -> Mask:
        assert case in cohort.cases
        return truth

    shown = []
    scores = score_cases(cohort, cohort.cases, floors, repeat, lambda *scored: shown.append(scored))
    dice = {name: [score.dice for score in cases] for name, cases in scores.methods.items()}
    assert dice["medunet"] == [1.0, 1.0, None]
    assert all(value is not None and value > 0.8 for value in dice["threshold pet"][:2])
    assert all(value is not None and value < 0.5 for value in dice["threshold ct"][:2])
    assert [case.id for case, *_ in shown] == ["P0", "P1", "P2"]
    assert all(volume.grid.shape == truth.grid.shape and mask is truth for _, volume, truth, mask in shown)


def test_masks_of_folds_are_scored_each_by_its_own(cohort: Cohort) -> None:
    folds = [[cohort.cases[0]], [cohort.cases[1], cohort.cases[2]]]
    asked = []

    def find(fold: int, case: Case, truth: Mask) -> Mask:
        asked.append((fold, case.id))
        return truth

    validation = score_masks(cohort, folds, find)
    assert asked == [(0, "P0"), (1, "P1"), (1, "P2")]
    assert validation.folds == (("P0",), ("P1", "P2"))
    assert validation.summary[0].dice == 1.0
