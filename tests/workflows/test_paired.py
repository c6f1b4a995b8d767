import pytest
from paired import compare_values, mean_dice, take_values

from medunet.evaluation import CaseScore, Scores


def score(case: str, label: str, dice: float | None) -> CaseScore:
    numbers = dict.fromkeys(("truth_ml", "predicted_ml", "false_ml"), 1.0) | dict.fromkeys(
        ("found", "missed", "false_found"), 0
    )
    return CaseScore(case=case, label=label, dice=dice, nsd=dice, **numbers)


def test_differences_are_taken_case_by_case() -> None:
    first = {"a": 0.9, "b": 0.8, "c": 0.5}
    found = compare_values(first, {"c": 0.6, "a": 0.7, "b": 0.5})
    assert (found.cases, found.better) == (3, 2)
    assert (found.lowest, found.mean, found.highest) == pytest.approx((-0.1, 0.4 / 3, 0.3))
    assert str(found).startswith("+0.133 (-0.100 to +0.300), better in 2 of 3 cases, Wilcoxon p = ")


def test_the_test_is_exact_and_sees_no_difference_where_there_is_none() -> None:
    names = "abcdefg"
    base = dict.fromkeys(names, 0.5)
    gained = compare_values({name: 0.5 + n / 100 for n, name in enumerate(names, start=1)}, base)
    assert gained.p == pytest.approx(2 / 2**7)
    assert compare_values(base, base).p == 1.0


def test_cases_without_the_label_have_no_value() -> None:
    held = (score("a", "liver", 0.9), score("b", "liver", 0.7), score("a", "tumor", None), score("b", "tumor", 0.4))
    scores = Scores(methods={"medunet": held})
    assert take_values(scores, "medunet", "tumor") == {"b": 0.4}
    assert mean_dice(scores, "medunet") == pytest.approx((0.8 + 0.4) / 2)
