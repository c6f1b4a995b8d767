import pytest
from code_tables import PAGE, PARTS, fill_page, tabulate_codes

from medunet.codes import Entry


def test_the_page_is_what_the_table_makes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert fill_page(page) == page, "run workflows/code_tables.py"


def test_a_row_has_the_severity_the_meaning_and_what_helps() -> None:
    table = tabulate_codes(
        {
            "single-slice": Entry("one slice"),
            "pet-not-suv": Entry("no SUV", "warning", "mend it, or say --pet stored", "--pet"),
            "several-phases": Entry("several", option="--phase"),
        }
    )
    assert table.splitlines()[2:] == [
        "| `single-slice` | error | one slice | |",
        "| `pet-not-suv` | warning | no SUV | mend it, or say --pet stored |",
        "| `several-phases` | error | several | `--phase` |",
    ]


def test_no_meaning_breaks_its_row() -> None:
    for entries in PARTS.values():
        assert not [code for code, entry in entries.items() if {"|", "\n"} & set(entry.meaning + entry.remedy)]


def test_a_page_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="no place for files"):
        fill_page("nothing")
