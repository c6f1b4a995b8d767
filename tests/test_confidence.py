import pytest

from medunet.confidence import Reason, compare_range, find_worst, join_confidence

LOOK = Reason(trust="look", said="odd")
FAR = Reason(trust="outside training", said="far")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (10.0, "as trained"),
        (30.0, "as trained"),
        (14.9 * 3, "as trained"),
        (46.0, "look"),
        (91.0, "outside training"),
        (6.0, "look"),
        (3.0, "outside training"),
        (0.0, "outside training"),
    ],
)
def test_a_value_is_compared_with_the_range_of_training_by_factors(value: float, wanted: str) -> None:
    assert compare_range(value, 10, 30, 1.5, 3) == wanted
    assert compare_range(value, 10, 30, 1.5) in (wanted, "look")


def test_the_worst_of_levels_counts() -> None:
    assert find_worst([]) == "as trained"
    assert find_worst(["look", "outside training", "as trained"]) == "outside training"


def test_the_scan_is_as_bad_as_its_worst_structure_and_the_score_the_smaller_one() -> None:
    parts = {"tumor": ([LOOK], 0.9, 0.6), "organ": ([], 0.8, None), "cyst": ([], None, None)}
    sure = join_confidence([], parts, ["noise"])
    assert sure.trust == "look"
    assert [item.trust for item in sure.structures] == ["look", "as trained", "as trained"]
    assert [item.score for item in sure.structures] == [0.6, 0.8, None]
    assert sure.list_reasons() == ["tumor: odd"]
    assert sure.unknown == ("noise",)
    assert join_confidence([FAR], parts).trust == "outside training"
    assert join_confidence([FAR], parts).list_reasons() == ["far", "tumor: odd"]
