from medunet.evaluation import CaseScore, Scores
from medunet.report.method import name_parts, write_method

SCORE = CaseScore(
    case="a", label="b", dice=1, nsd=1, truth_ml=1, predicted_ml=1, found=1, missed=0, false_found=0, false_ml=0
)


def test_it_speaks_of_what_there_is() -> None:
    alone = write_method(Scores(methods={"prediction": (SCORE,)}, tolerances_mm={"<b>": 1.0}))
    assert "Floors" not in alone
    assert "26 neighbours" in alone
    assert "2 mm of the other (&lt;b&gt; 1 mm)" in alone
    beside = write_method(Scores(unit="px", objects=True, methods={"medunet": (SCORE,), "components": (SCORE,)}))
    assert "<b>Floors</b>" in beside
    assert "panoptic quality" in beside
    assert "length of both surfaces" in beside


def test_names_of_what_is_counted() -> None:
    methods = {"m": (SCORE,)}
    assert name_parts(Scores(methods=methods)) == "lesions"
    assert name_parts(Scores(unit="px", methods=methods)) == "parts"
    assert name_parts(Scores(unit="px", objects=True, methods=methods)) == "objects"
