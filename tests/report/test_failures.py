from medunet.evaluation import CaseScore, Scores
from medunet.report.failures import write_failures

COUNTS = {"nsd": 0.5, "found": 1, "missed": 0, "false_found": 0, "false_ml": 0.0}
SCORE = CaseScore(case="<b>one", label="tumor", dice=0.7, truth_ml=10, predicted_ml=10, **COUNTS)


def test_the_worst_are_listed_and_can_be_opened() -> None:
    html = write_failures(Scores(methods={"m": (SCORE,)}), {"<b>one"})
    assert '<a href="#viewer" data-case="&lt;b&gt;one">&lt;b&gt;one</a>' in html
    assert "<td>border</td><td>0</td><td>0</td><td>6.00</td>" in html
    assert "The worst case, by Dice" in html
    assert "<a " not in write_failures(Scores(unit="px", methods={"m": (SCORE,)}), ())
    assert "voxels missed" in write_failures(Scores(unit="px", methods={"m": (SCORE,)}), ())


def test_where_nothing_is_wrong_nothing_is_said() -> None:
    right = SCORE.model_copy(update={"dice": 1.0})
    assert write_failures(Scores(methods={"m": (right,)}), ()) == ""
