"""The table of the worst cases on a page, with what went wrong."""

from collections.abc import Collection

from medunet.evaluation import Scores, find_failures
from medunet.report.sheet import write_share, write_table

RULE = (
    "<b>Missed</b> and <b>falsely found</b>: most of the wrong volume lies in whole lesions that only one of both "
    "masks has; <b>border</b>: it lies around lesions that were found; <b>wrong place</b>: both masks are there, and "
    "share less than a tenth of the smaller one."
)


def write_failures(scores: Scores, links: Collection[str]) -> str:
    """The section of a page with the worst cases, as HTML; nothing where nothing is wrong.

    Args:
        scores: of any methods; the first counts.
        links: cases that the viewer of the page can open.
    """
    found = find_failures(scores)
    if not found:
        return ""
    unit = "mL" if scores.unit == "mm" else "voxels"
    head = ["case", "label", scores.measure, "what went wrong", f"{unit} missed", f"{unit} falsely found"]
    cells = [
        [
            item.case,
            item.label,
            write_share(item.value),
            item.kind,
            *map(_write_volume, (item.missed, item.false, item.border)),
        ]
        for item in found
    ]
    worst = "The worst case" if len(found) == 1 else f"The {len(found)} worst"
    table = write_table(f"{worst}, by {scores.measure}", [*head, f"{unit} at borders"], cells, links)
    return f'<section><h2>What went wrong</h2><div class="words">{table}</div><p class="note">{RULE}</p></section>'


def _write_volume(value: float) -> str:
    return "0" if not value else "< 0.01" if value < 0.005 else f"{value:.2f}" if value < 10 else f"{value:.0f}"
