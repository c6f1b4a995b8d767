import csv
from pathlib import Path
from xml.etree import ElementTree

from medunet.evaluation import CaseScore, Scores, compare_scores
from medunet.evaluation.comparison import Comparison, Wish
from medunet.report import describe_comparison, write_comparison
from medunet.report.comparison import draw_gains

EVIL = "<script>alert('x')</script> & \"co\""
SVG = "{http://www.w3.org/2000/svg}"


def make_scores(*values: float) -> Scores:
    parts = {"found": 1, "missed": 0, "false_found": 0, "false_ml": 0.0, "truth_ml": 1.0, "predicted_ml": 1.0}
    held = [
        CaseScore(case=f"case {n}", label=label, dice=value, nsd=value, **parts)
        for n, value in enumerate(values)
        for label in ("liver", EVIL)
    ]
    return Scores(methods={"it": tuple(held)})


def make_comparison(margin: float | None = 0.05) -> Comparison:
    given = {"base": make_scores(0.5, 0.6, 0.7, 0.8), EVIL: make_scores(0.6, 0.6, 0.75, 0.78)}
    return compare_scores(given, Wish(margin=margin))


def test_the_table_has_a_line_for_each_label() -> None:
    text = describe_comparison(make_comparison())
    assert "+0.033" in text
    assert "not inferior: the lower end" in text
    assert "for 2 tests" in text
    assert "fewer than 50 patients" in text
    assert "not inferior" not in describe_comparison(make_comparison(None))


def test_files_hold_all_and_escape_names(tmp_path: Path) -> None:
    write_comparison(tmp_path, make_comparison())
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    with (tmp_path / "comparison.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    assert float(rows[0]["gain"]) == round(float(rows[0]["dice"]) - float(rows[0]["base"]), 6)


def test_the_picture_has_a_dot_for_each_case_at_its_gain() -> None:
    root = ElementTree.fromstring(draw_gains(make_comparison()))  # noqa: S314 - our own
    dots = root.findall(f"{SVG}circle")
    assert len(dots) == 8
    zero = next(float(line.get("x1", 0)) for line in root.findall(f"{SVG}line") if line.get("class") == "zero")
    for dot in dots:
        x, kind = float(dot.get("cx", 0)), dot.get("class")
        assert (x > zero, x < zero) == (kind == "win", kind == "lose")
