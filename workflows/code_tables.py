"""Fill the tables of codes in docs/reference/check.md from the one in `medunet/codes.py`: run it after a change there.

The prose between the tables is written by hand; each table stands between two comments that name its part.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from medunet.codes import COHORTS, COMMANDS, FILES, Code, Entry

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "check.md"
PARTS: dict[str, Mapping[Code, Entry]] = {"files": FILES, "cohorts": COHORTS, "commands": COMMANDS}
HEAD = "| code | usually | is | what helps |\n|---|---|---|---|\n"


def tabulate_codes(entries: Mapping[Code, Entry]) -> str:
    """A table in Markdown: a row for each code, in order."""
    rows = (
        f"| `{code}` | {entry.severity} | {entry.meaning} | {_say_help(entry)}|\n" for code, entry in entries.items()
    )
    return HEAD + "".join(rows)


def _say_help(entry: Entry) -> str:
    """The remedy of the table, or the option alone, with a space behind it; nothing where there is neither."""
    option = f"`{entry.option}`" if entry.option else ""
    words = entry.remedy or option
    return f"{words} " if words else ""


def fill_page(page: str) -> str:
    """The page with its tables made anew.

    Raises:
        ValueError: a part has no place in it.
    """
    for part, entries in PARTS.items():
        begin, end = f"<!-- codes: {part} -->\n", "<!-- end of codes -->"
        place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"the page has no place for {part}")
        filled = begin + tabulate_codes(entries) + end
        page = place.sub(lambda _, filled=filled: filled, page)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
