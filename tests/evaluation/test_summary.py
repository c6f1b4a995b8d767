import pytest

from medunet.evaluation import CaseScore, Pairing, Scores
from medunet.evaluation.summary import average_labels, compare_methods, summarize


def make_score(case: str, dice: float | None, **more: object) -> CaseScore:
    values = {"nsd": dice, "truth_ml": 5.0, "predicted_ml": 4.0, "found": 1, "missed": 0, "false_found": 0}
    return CaseScore(case=case, label="tumor", dice=dice, **(values | {"false_ml": 0.0} | more))


def test_summary_means_over_holding_cases_and_counts_the_rest() -> None:
    ours = (
        make_score("one", 0.8),
        make_score("two", 0.0, predicted_ml=0.0, found=0, missed=2),
        make_score("three", None, truth_ml=0.0, predicted_ml=3.0, found=0, false_found=2, false_ml=3.0),
        make_score("four", None, truth_ml=0.0, predicted_ml=0.0, found=0),
    )
    (row,) = summarize(Scores(methods={"medunet": ours}))
    assert row.dice == pytest.approx(0.4)
    assert (row.cases, row.holding) == (4, 2)
    assert (row.missed_cases, row.falsely_found_cases, row.correct_absent_cases) == (1, 1, 1)
    assert (row.found, row.missed, row.false_found, row.false_ml) == (1, 2, 2, 3)
    assert (row.truth_ml, row.predicted_ml) == (10, 7)


def test_summary_without_any_case_that_holds_the_label() -> None:
    absent = make_score("one", None, truth_ml=0.0, predicted_ml=0.0)
    scores = Scores(methods={"medunet": (absent,), "ellipsoid": (absent,)})
    assert [row.dice for row in summarize(scores)] == [None, None]
    assert compare_methods(scores) == []


def test_a_case_has_the_mean_over_the_labels_that_it_holds() -> None:
    first = make_score("one", 0.5), make_score("two", None)
    second = make_score("one", 0.7), make_score("two", 0.9)
    both = (*first, *(score.model_copy(update={"label": "node"}) for score in second))
    assert average_labels(Scores(methods={"m": both})) == {"one": pytest.approx(0.6), "two": pytest.approx(0.9)}


def test_methods_are_compared_case_by_case() -> None:
    scores = Scores(
        methods={
            "medunet": (make_score("one", 0.8), make_score("two", 0.5), make_score("three", 0.9)),
            "ellipsoid": (make_score("three", 0.4), make_score("one", 0.6), make_score("two", 0.6)),
        }
    )
    (row,) = compare_methods(scores)
    assert (row.method, row.cases, row.better) == ("ellipsoid", 3, 2)
    assert row.mean == pytest.approx(0.2)
    assert (row.lowest, row.highest) == (pytest.approx(-0.1), pytest.approx(0.5))
    assert [row.method for row in summarize(scores)] == ["medunet", "ellipsoid"]


def test_lesions_are_counted_by_their_size() -> None:
    cases = (
        make_score("one", 0.8, found=2, missed=1, found_ml=(0.1, 5.0), missed_ml=(0.09,)),
        make_score("two", 0.4, found=1, missed=1, false_found=1, found_ml=(0.5,), missed_ml=(0.99,)),
    )
    (row,) = summarize(Scores(methods={"m": cases}))
    sizes = [(size.at_least_ml, size.below_ml, size.found, size.missed) for size in row.sizes]
    assert sizes == [(0, 0.1, 0, 1), (0.1, 1, 2, 1), (1, 10, 1, 0)]
    assert row.sizes[1].recall == pytest.approx(2 / 3)
    assert sum(size.found for size in row.sizes) == row.found
    assert row.lesion_f1 == pytest.approx(2 * 3 / (2 * 3 + 2 + 1))
    (large,) = summarize(Scores(unit="px", methods={"m": (make_score("one", 1.0, found_ml=(20000.0,)),)}))[0].sizes
    assert (large.at_least_ml, large.below_ml) == (10000, None)


def test_errors_of_volume_cancel_out_or_not() -> None:
    cases = (make_score("one", 0.8, volume_error=0.5), make_score("two", 0.8, volume_error=-0.3))
    (row,) = summarize(Scores(methods={"m": cases}))
    assert (row.volume_error, row.volume_error_size) == pytest.approx((0.1, 0.4))


def test_nothing_is_rightly_empty_without_a_prediction_and_few_cases_are_told() -> None:
    empty = {"truth_ml": 0.0, "predicted_ml": 0.0, "found": 0}
    cases = (make_score("one", None, **empty), make_score("two", None, **empty), make_score("three", 0.5))
    (row,) = summarize(Scores(methods={"m": cases}, pairing=Pairing(missing=("two",))))
    assert (row.correct_absent_cases, row.holding, row.few) == (1, 1, True)
    many = tuple(make_score(str(n), 0.5) for n in range(5))
    assert not summarize(Scores(methods={"m": many}))[0].few
