"""A comparison of methods for people: lines of text, a CSV, a picture, and a page."""

import csv
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from medunet.evaluation.comparison import LESS_IS_BETTER, CaseGain, ComparedRow, Comparison
from medunet.evaluation.intervals import NEEDED, is_short
from medunet.files import whole_file
from medunet.report.distributions import KINDS
from medunet.report.sheet import write_document, write_table

WIDTH, LINE, NAMES = 760, 26, 250
"""Of the picture, in its pixels: of all, of a line's height, of the names at its left."""
EDGE = 14
LIGHT = {"win": "#00796b", "lose": "#b4500a", "ink": "#1b2027", "soft": "#5b6570"}
DARK = {"win": "#40d6be", "lose": "#ff9a5c", "ink": "#e6eaee", "soft": "#9aa5b1"}
RULES = (
    ".gains text {{ fill: {ink}; font: 13px system-ui, sans-serif; }} .gains .axis {{ fill: {soft}; }} "
    ".gains .zero {{ stroke: {soft}; }} .gains .margin {{ stroke: {lose}; stroke-dasharray: 4 4; }} "
    ".gains .win {{ fill: {win}; }} .gains .lose {{ fill: {lose}; }} .gains .same {{ fill: {soft}; }} "
    ".gains circle {{ opacity: .5; }} .gains .mean {{ stroke: {ink}; stroke-width: 3; }}"
)
PLOT = f"{RULES.format(**LIGHT)} @media (prefers-color-scheme: dark) {{ {RULES.format(**DARK)} }}"
"""Colours stand in it as they are: not every program that shows SVG knows variables."""


def write_comparison(folder: Path, found: Comparison) -> None:
    """Write `comparison.csv`, `comparison.svg` and `comparison.html`.

    Raises:
        ResourceError: one can't be written.
    """
    _write_cases(folder / "comparison.csv", found)
    plot = draw_gains(found)
    with whole_file(folder / "comparison.svg") as part:
        part.write_text(plot, encoding="utf-8")
    with whole_file(folder / "comparison.html") as part:
        part.write_text(_write_page(found, plot), encoding="utf-8")


def _write_cases(path: Path, found: Comparison) -> None:
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "patient", "label", "method", found.measure, f"{found.first}", "gain"])
        for item in found.cases:
            numbers = (f"{value:.6g}" for value in (item.value, item.first, item.gain))
            writer.writerow([item.case, item.patient, item.label, item.method, *numbers])


def describe_comparison(found: Comparison) -> str:
    """The table as lines of text, and what is to be known of it."""
    head = list(_HEAD) + (["not inferior"] if found.margin is not None else [])
    rows = [head, *(_write_row(row, found) for row in found.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, *_list_notes(found)])


_HEAD = ("label", "method", "patients", "mean gain", "95 % of it", "median", "wins", "losses", "p", "p corrected")


def _write_row(row: ComparedRow, found: Comparison) -> list[str]:
    gain = row.gain
    between = "-" if gain.low is None or gain.high is None else f"{gain.low:+.3f} to {gain.high:+.3f}"
    cells = [row.label, row.method, str(gain.patients), f"{gain.mean:+.3f}", between, f"{gain.median:+.3f}"]
    cells += [str(row.wins), str(row.losses), _write_p(row.p), _write_p(row.p_corrected)]
    if row.group:
        cells[0] = f"  {row.group}"
    said = {True: "yes", False: "not shown", None: "-"}[row.not_inferior]
    return [*cells, said] if found.margin is not None else cells


def _write_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _list_notes(found: Comparison) -> list[str]:
    name = KINDS[found.measure][0].format(unit="mm")
    better = f"{found.first} minus method" if found.measure in LESS_IS_BETTER else f"method minus {found.first}"
    lines = [f"gain: {name} of {better}, so that more is better; means over patients, p of Wilcoxon's signed ranks"]
    lines += [f"p corrected: for {len(found.rows)} tests, by Holm's method"] if len(found.rows) > 1 else []
    if found.margin is not None:
        lines.append(
            f"not inferior: the lower end of the interval lies above -{found.margin:g}; where it isn't shown, that "
            "doesn't say that the method is worse"
        )
    if is_short([row.gain for row in found.rows]):
        lines.append(f"of fewer than {NEEDED} patients intervals may hold less often than they say")
    return [*lines, *(f"left out: {said}" for said in found.left_out)]


def draw_gains(found: Comparison) -> str:
    """A line for each label and method as SVG: a dot a case, and the interval of the mean over patients."""
    rows = [row for row in found.rows if not row.group]
    ends = [value for row in rows for value in (row.gain.low, row.gain.high) if value is not None]
    reach = max([abs(item.gain) for item in found.cases] + [abs(end) for end in ends] + [found.margin or 0, 1e-3])
    height = LINE * len(rows) + 2 * LINE

    def place(value: float) -> float:
        return NAMES + EDGE + (value / reach + 1) / 2 * (WIDTH - NAMES - 2 * EDGE)

    parts = [_draw_rule(place(0), height, "zero")]
    if found.margin is not None:
        parts.append(_draw_rule(place(-found.margin), height, "margin"))
    for number, row in enumerate(rows):
        held = [item for item in found.cases if (item.label, item.method) == (row.label, row.method)]
        parts += _draw_row(row, held, LINE * (number + 1), place)
    for value, anchor in ((-reach, "start"), (0.0, "middle"), (reach, "end")):
        shown = f"{value:+.3g}" if value else "0"
        parts.append(
            f'<text class="axis" x="{place(value):.1f}" y="{height - 6}" text-anchor="{anchor}">{shown}</text>'
        )
    title = escape(f"gains over {found.first}: a dot for each case, a bar for the interval of the mean")
    return (
        f'<svg class="gains" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{title}"><style>{PLOT}</style>' + "".join(parts) + "</svg>\n"
    )


def _draw_rule(x: float, height: int, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{height - LINE}"/>'


def _draw_row(row: ComparedRow, held: Sequence[CaseGain], y: int, place: Callable[[float], float]) -> list[str]:
    name = f"{row.label}, {row.method}"
    short = name if len(name) <= 34 else f"{name[:33]}…"
    parts = [f'<text x="4" y="{y + 4}">{escape(short)}<title>{escape(name)}</title></text>']
    for item in held:
        kind = "win" if item.gain > 0 else "lose" if item.gain < 0 else "same"
        said = escape(f"{item.case}: {item.gain:+.3f} ({item.first:.3f}, {item.value:.3f})")
        parts.append(
            f'<circle class="{kind}" cx="{place(item.gain):.1f}" cy="{y}" r="4.5"><title>{said}</title></circle>'
        )
    if row.gain.low is not None and row.gain.high is not None:
        low, high = place(row.gain.low), place(row.gain.high)
        parts.append(f'<line class="mean" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 8}" y2="{y + 8}"/>')
    middle = place(row.gain.mean)
    parts.append(f'<line class="mean" x1="{middle:.1f}" x2="{middle:.1f}" y1="{y + 4}" y2="{y + 12}"/>')
    return parts


def _write_page(found: Comparison, plot: str) -> str:
    title = f"{', '.join(found.methods)} against {found.first}"
    head = [*_HEAD, *(["not inferior"] if found.margin is not None else [])]
    rows = [_write_row(row, found) for row in found.rows]
    notes = "".join(f"<li>{escape(note)}</li>" for note in _list_notes(found))
    cases = []
    for item in sorted(found.cases, key=lambda one: one.gain):
        numbers = f"{item.first:.3f}", f"{item.value:.3f}", f"{item.gain:+.3f}"
        cases.append([item.case, item.patient, item.label, item.method, *numbers])
    columns = ["case", "patient", "label", "method", found.first, "it", "gain"]
    listed = write_table("cases, the greatest loss first", columns, cases)
    gains = write_table("gains over patients", head, rows)
    parts = [f"<h1>{escape(title)}</h1>", f"<figure>{plot}</figure>", gains, f"<ul>{notes}</ul>", listed]
    return write_document(title, parts)
