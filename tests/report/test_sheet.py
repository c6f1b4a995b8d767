import re
from xml.etree import ElementTree

from medunet.report.sheet import NAMED, STYLE, draw_dots, write_document


def parse(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{html}</div>")  # noqa: S314, our own text


def test_each_case_has_a_dot_a_method_at_its_place() -> None:
    tree = parse(draw_dots({"medunet": {"one": 0.5, "two": 0.75}, "ellipsoid": {"one": 0.25, "two": 0.8}}))
    plot = tree.findall(".//div[@class='plot']")[0]
    places = {dot.find("title").text: dot.get("cx") for dot in plot.iter("circle")}
    assert places == {
        "medunet 0.750": "75.00%",
        "ellipsoid 0.800": "80.00%",
        "medunet 0.500": "50.00%",
        "ellipsoid 0.250": "25.00%",
    }
    assert [item.text for item in plot.iter("li")] == ["two", "one"]
    assert [item.find("svg").tail for item in tree.findall("./ul/li")] == ["medunet", "ellipsoid"]


def test_the_first_method_lies_on_top() -> None:
    plot = draw_dots({"medunet": {"one": 0.5}, "ellipsoid": {"one": 0.5}}).split('class="plot"')[1]
    assert re.findall(r'circle class="(m\d)"', plot) == ["m1", "m0"]


def test_names_are_escaped() -> None:
    html = draw_dots({"<b>": {'"><script>': 0.5}})
    assert "<script>" not in html
    assert "<b>" not in html


def test_many_cases_are_drawn_without_names() -> None:
    tree = parse(draw_dots({"medunet": {f"case{n}": n / 100 for n in range(NAMED + 1)}}))
    assert "case1" not in "".join(tree.itertext())
    assert len(tree.findall(".//div[@class='plot']//circle")) == NAMED + 1


def test_style_knows_dark_and_loads_nothing() -> None:
    assert "prefers-color-scheme: dark" in STYLE
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert STYLE.count("{") == STYLE.count("}")


def test_a_document_says_when_and_by_what_it_was_made() -> None:
    page = write_document("A & B", ["<h1>A</h1>"])
    assert "<title>A &amp; B</title>" in page
    assert re.search(r"medunet [\d.]+, \d{4}-\d\d-\d\d\. Not a medical device\.", page)
    assert "@media print" in page
