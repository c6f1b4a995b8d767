import pytest
from spreads import FOLDS, SCORES, make_case, make_score

from medunet.errors import InputError
from medunet.evaluation import Scores, check_held_out, summarize_folds


def test_a_patient_counts_once_and_the_spread_is_over_patients() -> None:
    (row,) = summarize_folds(SCORES, FOLDS).summary
    assert row.patients == 3
    assert row.dice == pytest.approx(0.6)
    assert row.dice_sd == pytest.approx(0.2)
    assert (row.dice_lowest, row.dice_highest) == (pytest.approx(0.4), pytest.approx(0.8))
    assert row.fold_dice == (pytest.approx(0.6), pytest.approx(0.6))


def test_one_patient_has_no_spread() -> None:
    (row,) = summarize_folds(Scores(methods={"medunet": (make_score("c", 0.5),)}), [[], [FOLDS[1][0]]]).summary
    assert (row.dice, row.dice_sd, row.fold_dice) == (0.5, None, (None, 0.5))


def test_a_patient_of_two_folds_is_refused() -> None:
    check_held_out(FOLDS, "b")
    with pytest.raises(InputError, match="patient a is held out by fold 0 and by fold 2"):
        check_held_out([*FOLDS, [make_case("a3", "a")]], "b")
