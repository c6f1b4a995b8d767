"""How the scores of cases spread, measure by measure: a dot a case over a box of the quartiles."""

from collections.abc import Collection, Iterator, Sequence
from html import escape

from medunet.evaluation.intervals import Distribution
from medunet.evaluation.scores import CaseScore, Scores
from medunet.evaluation.summary import SummaryRow
from medunet.report.distributions import KINDS
from medunet.report.sheet import link_case

HIGH = 34
"""Pixels of a line."""
SHARES = ("precision", "panoptic", "dice", "iou", "nsd", "sensitivity", "voxel_precision", "lesion_f1")
"""Measures from 0 to 1; others have a scale of their own."""
STEP, STEPS = 4, 3
"""Dots of cases are moved up and down by so many pixels, up to so many times, so that equal ones show apart."""


def draw_spreads(row: SummaryRow, scores: Scores, links: Collection[str]) -> str:
    """A line a measure, as HTML with inline SVG; nothing where there are fewer than two cases.

    Args:
        row: the first method's, of one label.
        scores: of its cases.
        links: cases that the viewer of the page can open.
    """
    held = [score for score in scores.of_first() if score.label == row.label]
    lines = [
        _draw_line(key, found, held, scores.unit, links)
        for key, (_, _) in KINDS.items()
        if (found := row.distributions.get(key)) is not None and found.patients > 1
    ]
    if not lines:
        return ""
    key = (
        '<ul class="key"><li><svg aria-hidden="true"><circle class="m0" cx="50%" cy="7" r="4"/></svg>a case</li>'
        '<li><svg aria-hidden="true"><rect class="box" x="0" y="2" width="14" height="10"/></svg>quartiles</li>'
        '<li><svg aria-hidden="true"><line class="middle" x1="7" x2="7" y1="1" y2="13"/></svg>median</li></ul>'
    )
    return f'<h3>Spread of each measure</h3>{key}<div class="spreads">{"".join(lines)}</div>'


def _draw_line(key: str, found: Distribution, held: Sequence[CaseScore], unit: str, links: Collection[str]) -> str:
    name, write = KINDS[key]
    values = {score.case: value for score in held if (value := getattr(score, key)) is not None}
    low, high = (0.0, 1.0) if key in SHARES else (min(0.0, *values.values()), max(*values.values(), 0.0))
    size = high - low or 1.0

    def place(value: float) -> str:
        return f"{100 * (value - low) / size:.2f}%"

    left, right = place(found.lower_quartile), f"{100 * (found.upper_quartile - found.lower_quartile) / size:.2f}%"
    middle = place(found.median)
    parts = [
        f'<line class="rule" x1="0" x2="100%" y1="{HIGH / 2}" y2="{HIGH / 2}"/>',
        f'<rect class="box" x="{left}" width="{right}" y="7" height="{HIGH - 14}"/>',
        f'<line class="middle" x1="{middle}" x2="{middle}" y1="5" y2="{HIGH - 5}"/>',
    ]
    for (case, value), shift in zip(values.items(), _shift(list(values.values()), size), strict=True):
        said = f"<title>{escape(case)} {write(value)}</title>"
        dot = f'<circle class="m0" cx="{place(value)}" cy="{HIGH / 2 + shift}" r="3.5">{said}</circle>'
        parts.append(link_case(case, dot) if case in links else dot)
    label = escape(name.format(unit=unit))
    ends = "0 to 1" if key in SHARES else f"{write(low)} to {write(high)}"
    return (
        f'<span>{label}</span><svg height="{HIGH}" role="img" aria-label="{label} of {len(values)} cases">'
        f'{"".join(parts)}</svg><span class="ends">{ends}</span>'
    )


def _shift(values: Sequence[float], size: float) -> Iterator[int]:
    """How far down each dot lies: those that would cover each other are apart."""
    taken: dict[int, int] = {}
    for value in values:
        column = round(60 * value / size)
        count = taken[column] = taken.get(column, -1) + 1
        yield (count + 1) // 2 % (STEPS + 1) * STEP * (1 if count % 2 else -1)
