from xml.etree import ElementTree

from medunet.evaluation import CaseScore, Scores, summarize
from medunet.report.spreads import draw_spreads

COUNTS = {"nsd": None, "found": 1, "missed": 0, "false_found": 0, "false_ml": 0.0, "truth_ml": 10, "predicted_ml": 10}


def make_scores(*values: float) -> Scores:
    cases = [
        CaseScore(case=f"c{n}", label="a", dice=value, hd95_mm=40 * value, **COUNTS) for n, value in enumerate(values)
    ]
    return Scores(methods={"m": tuple(cases)})


def test_each_case_is_a_dot_at_its_place_over_the_quartiles() -> None:
    scores = make_scores(0.2, 0.4, 0.6, 0.8)
    html = draw_spreads(summarize(scores)[0], scores, {"c1"})
    tree = ElementTree.fromstring(f"<div>{html}</div>")  # noqa: S314, our own text
    dice, distances = tree.findall(".//div[@class='spreads']/svg")
    assert [dot.get("cx") for dot in dice.iter("circle")] == ["20.00%", "40.00%", "60.00%", "80.00%"]
    assert [dot.get("cx") for dot in distances.iter("circle")] == ["25.00%", "50.00%", "75.00%", "100.00%"]
    box = dice.find("rect")
    assert (box.get("x"), box.get("width")) == ("35.00%", "30.00%")
    assert dice.find("line[@class='middle']").get("x1") == "50.00%"
    assert [link.get("data-case") for link in dice.iter("a")] == ["c1"]
    assert "HD95 mm" in html
    assert "0.00 to 32.00" in html


def test_equal_cases_lie_apart_and_one_case_has_no_spread() -> None:
    scores = make_scores(0.5, 0.5, 0.5, 0.9)
    html = draw_spreads(summarize(scores)[0], scores, ())
    dots = ElementTree.fromstring(f"<div>{html}</div>").findall(".//svg[@role]")[0].iter("circle")  # noqa: S314
    assert len({(dot.get("cx"), dot.get("cy")) for dot in dots}) == 4
    one = make_scores(0.5)
    assert draw_spreads(summarize(one)[0], one, ()) == ""
