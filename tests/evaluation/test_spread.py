import pytest

from medunet.cohort import Case, Channel
from medunet.errors import InputError
from medunet.evaluation import CaseScore, Scores, check_held_out, summarize_folds, write_spread
from medunet.evaluation.table import describe_scores


def make_case(name: str, patient: str) -> Case:
    return Case(id=name, patient=patient, channels={"ct": Channel(path="x")})


def make_score(case: str, dice: float | None) -> CaseScore:
    held = {"truth_ml": 0.0 if dice is None else 5.0, "predicted_ml": 4.0, "false_ml": 0.0}
    return CaseScore(case=case, label="tumor", dice=dice, nsd=dice, found=1, missed=0, false_found=0, **held)


FOLDS = [[make_case("a1", "a"), make_case("a2", "a"), make_case("b", "b")], [make_case("c", "c"), make_case("d", "d")]]
DICE = {"a1": 0.2, "a2": 0.6, "b": 0.8, "c": 0.6, "d": None}
SCORES = Scores(methods={"medunet": tuple(make_score(*pair) for pair in DICE.items())})


def test_a_patient_counts_once_and_the_spread_is_over_patients() -> None:
    (row,) = summarize_folds(SCORES, FOLDS).summary
    assert row.patients == 3
    assert row.dice == pytest.approx(0.6)
    assert row.dice_sd == pytest.approx(0.2)
    assert (row.dice_lowest, row.dice_highest) == (pytest.approx(0.4), pytest.approx(0.8))
    assert row.fold_dice == (pytest.approx(0.6), pytest.approx(0.6))


def test_the_table_has_a_line_a_label() -> None:
    lines = write_spread(summarize_folds(SCORES, FOLDS)).splitlines()
    assert lines[1].split() == ["tumor", "3", "0.600", "±", "0.200", "0.400", "0.600", "±", "0.200", "0.600", "0.600"]
    assert "Dice of each fold" in describe_scores(SCORES, FOLDS)
    assert "Dice of each fold" not in describe_scores(SCORES, FOLDS[:1])


def test_one_patient_has_no_spread() -> None:
    (row,) = summarize_folds(Scores(methods={"medunet": (make_score("c", 0.5),)}), [[], [FOLDS[1][0]]]).summary
    assert (row.dice, row.dice_sd, row.fold_dice) == (0.5, None, (None, 0.5))


def test_a_patient_of_two_folds_is_refused() -> None:
    check_held_out(FOLDS, "b")
    with pytest.raises(InputError, match="patient a is held out by fold 0 and by fold 2"):
        check_held_out([*FOLDS, [make_case("a3", "a")]], "b")
