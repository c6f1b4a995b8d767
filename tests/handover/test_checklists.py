import re

from medunet.handover.card_sections import Facts, list_sections
from medunet.handover.checklists import LINES, NONE
from medunet.handover.statements import Statements

PLACES = {line.place for line in LINES}


def test_every_statement_has_a_line_and_every_other_place_is_a_section() -> None:
    keys = set(Statements.model_fields)
    assert keys <= PLACES
    assert {place for place in PLACES - keys if not place[0].isupper()} == set()


def test_items_are_numbers_of_the_checklists() -> None:
    claim = {int(item) for line in LINES if line.claim != NONE for item in line.claim.split(", ")}
    # Of a title, an abstract and the flow of patients the card has nothing; items 1 to 44 are all there are.
    assert claim == set(range(1, 45)) - {2}
    stard = {item for line in LINES if line.stard != NONE for item in line.stard.split(", ")}
    assert all(re.fullmatch(r"\d{1,2}[a-d]?", item) and int(item.rstrip("abcd")) <= 40 for item in stard)
    assert {"3", "12", "15d", "23", "31", "39", "40b"} <= stard


def test_sections_are_those_that_lines_name(facts: Facts) -> None:
    titles = [title for title, _ in list_sections(facts)]
    assert PLACES - set(Statements.model_fields) <= set(titles)
