import pytest

from medunet.evaluation import CaseScore, Scores, find_failures, rate_failure


def make_score(case: str, dice: float | None, truth: float, predicted: float, **more: object) -> CaseScore:
    counts = {"nsd": dice, "found": 0, "missed": 0, "false_found": 0, "false_ml": 0.0}
    return CaseScore(case=case, label="a", dice=dice, truth_ml=truth, predicted_ml=predicted, **(counts | more))


MISSED = make_score("missed", 0.5, 10, 6, missed_ml=(5.0,), found_ml=(5.0,))
"""4 mL are shared: 6 lack, 5 of them in a lesion that was missed; 2 are too many."""
FALSE = make_score("false", 0.6, 8, 12, false_ml=5.0)
BORDER = make_score("border", 0.7, 10, 10)
PLACE = make_score("place", 0.02, 10, 8, missed_ml=(10.0,), false_ml=8.0)
EMPTY = make_score("empty", 0.0, 10, 0)
HEALTHY = make_score("healthy", None, 0, 3, false_ml=3.0)


@pytest.mark.parametrize(
    ("score", "kind", "volumes"),
    [
        (MISSED, "missed", (5, 0, 3)),
        (FALSE, "falsely found", (0, 5, 3)),
        (BORDER, "border", (0, 0, 6)),
        (PLACE, "wrong place", (9.82, 7.82, 0)),
        (EMPTY, "missed", (10, 0, 0)),
        (HEALTHY, "falsely found", (0, 3, 0)),
    ],
)
def test_what_went_wrong_is_most_of_the_wrong_volume(score: CaseScore, kind: str, volumes: tuple[float, ...]) -> None:
    (found,) = find_failures(Scores(methods={"m": (score,)}))
    assert found.kind == kind
    assert (found.missed, found.false, found.border) == pytest.approx(volumes)
    assert found.wrong == pytest.approx(sum(volumes))


def test_the_worst_come_first_and_what_is_right_is_none() -> None:
    right = make_score("right", 1.0, 10, 10)
    absent = make_score("absent", None, 0, 0)
    scores = (right, BORDER, absent, HEALTHY, MISSED, EMPTY, PLACE)
    held = Scores(methods={"m": scores, "floor": tuple(score.model_copy(update={"dice": 0.1}) for score in scores)})
    assert [item.case for item in find_failures(held)] == ["empty", "healthy", "place", "missed", "border"]
    assert [item.case for item in find_failures(held, 2)] == ["empty", "healthy"]
    ranked = sorted(scores, key=lambda score: rate_failure([score]), reverse=True)
    assert [score.case for score in ranked][:5] == ["empty", "healthy", "place", "missed", "border"]


def test_objects_are_rated_by_their_precision() -> None:
    score = BORDER.model_copy(update={"precision": 0.25})
    (found,) = find_failures(Scores(objects=True, methods={"m": (score,)}))
    assert found.value == 0.25
    assert rate_failure([score], objects=True)[0] == -0.25
    assert rate_failure([], objects=True) < rate_failure([score], objects=True)
