from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medunet.errors import InputError
from medunet.evaluation import CaseScore, Scores, compare_scores
from medunet.evaluation.comparison import ComparedRow, Wish
from medunet.findings import listening

PLAIN = Wish()


def make_scores(values: Mapping[str, float | None], label: str = "tumor", **more: object) -> Scores:
    parts = {"found": 1, "missed": 0, "false_found": 0, "false_ml": 0.0}
    held = [
        CaseScore(case=case, label=label, dice=dice, nsd=dice, hd95_mm=dice, truth_ml=2.0, predicted_ml=1.0, **parts)
        for case, dice in values.items()
    ]
    return Scores(methods={"it": tuple(held)}, **more)


def compare(first: Scores, second: Scores, wish: Wish = PLAIN) -> ComparedRow:
    return compare_scores({"a": first, "b": second}, wish).rows[0]


FIRST = {"1": 0.5, "2": 0.6, "3": 0.7, "4": 0.8, "5": 0.55, "6": 0.65}
SECOND = {"1": 0.55, "2": 0.7, "3": 0.7, "4": 0.78, "5": 0.65, "6": 0.7}


def test_gains_are_those_of_patients() -> None:
    row = compare(make_scores(FIRST), make_scores(SECOND))
    gains = [SECOND[case] - FIRST[case] for case in FIRST]
    assert row.gain.mean == pytest.approx(np.mean(gains))
    assert (row.wins, row.losses, row.gain.patients) == (4, 1, 6)
    assert row.p == pytest.approx(stats.wilcoxon([gain for gain in gains if abs(gain) > 1e-9]).pvalue)
    assert row.gain.low is not None
    assert row.gain.low < row.gain.mean < (row.gain.high or 0)


def test_cases_of_one_patient_count_once() -> None:
    patients = {"1": "p", "2": "p"}
    row = compare(make_scores(FIRST, patients=patients), make_scores(SECOND))
    assert row.gain.patients == 5
    assert row.gain.mean == pytest.approx(np.mean([0.075, 0.0, -0.02, 0.1, 0.05]))


def test_of_distances_less_is_a_gain() -> None:
    found = compare_scores({"a": make_scores(FIRST), "b": make_scores(SECOND)}, Wish("hd95_mm"))
    assert (found.rows[0].wins, found.rows[0].losses) == (1, 4)
    assert found.cases[0].gain == pytest.approx(-0.05)


@given(st.lists(st.floats(0.2, 0.8), min_size=3, max_size=12), st.integers(0, 99))
def test_both_ways_are_mirrored(values: list[float], seed: int) -> None:
    moved = np.clip(np.array(values) + np.random.default_rng(seed).normal(0.05, 0.1, len(values)), 0, 1)
    one = make_scores({str(n): value for n, value in enumerate(values)})
    other = make_scores({str(n): float(value) for n, value in enumerate(moved)})
    there, back = compare(one, other), compare(other, one)
    assert there.gain.mean == pytest.approx(-back.gain.mean)
    assert (there.wins, there.losses, there.p) == (back.losses, back.wins, pytest.approx(back.p))


def test_a_margin_is_held_by_the_lower_end_of_the_interval() -> None:
    worse = {case: value - 0.01 + 0.002 * number for number, (case, value) in enumerate(FIRST.items())}
    row = compare(make_scores(FIRST), make_scores(worse), Wish(margin=0.02))
    assert row.not_inferior
    assert not compare(make_scores(FIRST), make_scores(worse), Wish(margin=0.005)).not_inferior
    assert compare(make_scores(FIRST), make_scores(worse)).not_inferior is None
    assert compare(make_scores(FIRST), make_scores(FIRST), Wish(margin=0.001)).not_inferior
    # Of one patient nothing can be said.
    assert compare(make_scores({"1": 0.5}), make_scores({"1": 0.9}), Wish(margin=0.1)).not_inferior is None


def test_several_tests_are_corrected_by_holm() -> None:
    shifts = {"b": 0.1, "c": 0.0, "d": -0.05}
    random = np.random.default_rng(3)
    base = {str(n): float(value) for n, value in enumerate(random.uniform(0.3, 0.7, 9))}
    scores = {"a": make_scores(base)} | {
        name: make_scores({case: value + shift + float(random.normal(0, 0.03)) for case, value in base.items()})
        for name, shift in shifts.items()
    }
    rows = compare_scores(scores, PLAIN).rows
    ordered = sorted(rows, key=lambda row: row.p)
    wanted = np.minimum(1, np.maximum.accumulate([row.p * (3 - n) for n, row in enumerate(ordered)]))
    assert [row.p_corrected for row in ordered] == pytest.approx(wanted.tolist())


def test_groups_follow_a_column() -> None:
    sites = {"1": "Bern", "2": "Bern", "3": "Ulm", "4": "Ulm", "5": "Ulm"}
    found = compare_scores({"a": make_scores(FIRST), "b": make_scores(SECOND)}, Wish(by=("site", sites)))
    groups = {row.group: row.gain.patients for row in found.rows}
    assert groups == {"": 6, "site: Bern": 2, "site: Ulm": 3, "site: not said": 1}


def test_many_numbers_make_three_groups() -> None:
    values = {str(n): 0.5 for n in range(9)}
    sizes = {case: str(10 * int(case)) for case in values}
    found = compare_scores({"a": make_scores(values), "b": make_scores(values)}, Wish(by=("size", sizes)))
    assert [(row.group, row.gain.patients) for row in found.rows[1:]] == [
        ("size: up to 26.67", 3),
        ("size: 26.67 to 53.33", 3),
        ("size: above 53.33", 3),
    ]


def test_what_only_one_has_is_left_out_and_told() -> None:
    first, second = {**FIRST, "7": 0.4, "8": None}, {**SECOND, "8": None, "9": 0.3}
    found = compare_scores({"a": make_scores(first), "b": make_scores(second)}, PLAIN)
    assert found.rows[0].gain.patients == 6
    assert found.left_out == ("cases of a alone, beside b: 7", "cases of b alone, beside a: 9")


def test_other_truths_are_warned_of() -> None:
    other = make_scores(SECOND)
    moved = tuple(item.model_copy(update={"truth_ml": 3.0}) for item in other.of_first())
    with listening() as heard:
        compare(make_scores(FIRST), other.model_copy(update={"methods": {"it": moved}}))
    assert "another volume" in heard[0].found


@pytest.mark.parametrize(
    ("first", "second", "wish", "sentence"),
    [
        (make_scores({"1": 0.5}), make_scores({"2": 0.5}), PLAIN, "no case of a"),
        (make_scores(FIRST), make_scores(FIRST, label="node"), PLAIN, "no case of a"),
        (make_scores(FIRST), make_scores(FIRST, unit="px"), PLAIN, "in px"),
        (make_scores(FIRST), make_scores(FIRST, tolerance_mm=1.0), Wish("nsd"), "at 1 mm, that of a at 2"),
    ],
)
def test_what_can_not_be_compared_is_refused(first: Scores, second: Scores, wish: Wish, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        compare(first, second, wish)
