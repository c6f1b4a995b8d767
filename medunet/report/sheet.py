"""What reports look like: the document with its style sheet, tables, numbers, and the plot of dots."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import metadata

STYLE = """
:root { --paper: #fbfbf9; --card: #ffffff; --ink: #1b2027; --soft: #5b6570; --line: #dfe3e6;
  --m0: #00796b; --m1: #b4500a; --m2: #5a5fb0; --m3: #7a6a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #11151a; --card: #191f26; --ink: #e6eaee; --soft: #9aa5b1;
  --line: #2b333c; --m0: #40d6be; --m1: #ff9a5c; --m2: #a9adff; --m3: #d8c64a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: clamp(1.5rem, 5vw, 2.2rem); line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .75rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: .35rem 0; overflow-wrap: anywhere; }
.lead { color: var(--soft); font-size: 1.05rem; }
.tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); margin: 0 0 1rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1.1rem; }
.tile .name { color: var(--soft); font-size: .9rem; margin: 0; }
.tile .big { font-size: 2.6rem; line-height: 1.15; font-weight: 650; color: var(--m0); margin: .1rem 0 .3rem;
  font-variant-numeric: tabular-nums; }
.tile small { font-size: 1.1rem; font-weight: 400; color: var(--soft); }
.tile ul { list-style: none; margin: 0; padding: 0; font-size: .92rem; color: var(--soft); }
.tile li { display: flex; justify-content: space-between; gap: 1rem; }
.tile b { color: var(--ink); font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; margin: 1rem 0; border: 1px solid var(--line); border-radius: .6rem;
  background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: .6rem .75rem .2rem; }
th, td { padding: .35rem .75rem; text-align: right; } td { white-space: nowrap; }
.words :is(th, td):is(:nth-child(2), :nth-child(4)) { text-align: left; }
thead th { color: var(--soft); font-weight: 500; vertical-align: bottom; border-bottom: 1px solid var(--line);
  line-height: 1.25; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
tbody th { font-weight: 500; white-space: nowrap; max-width: 14rem; overflow: hidden; text-overflow: ellipsis; }
.plot { display: grid; grid-template-columns: minmax(3rem, auto) minmax(0, 1fr); column-gap: .6rem; font-size: 13px; }
.plot ol { list-style: none; margin: 0; padding: 0; max-width: 32vw; }
.plot li { height: 24px; line-height: 24px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.plot svg { display: block; width: 100%; overflow: visible; }
.plot text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.plot .rule { stroke: var(--line); }
.plot .span { stroke: var(--line); stroke-width: 3; }
a { color: var(--m0); text-underline-offset: .15em; text-decoration-thickness: 1px; }
a:focus-visible { outline: 2px solid var(--m0); outline-offset: 2px; border-radius: .15rem; }
svg a:hover circle { stroke: var(--ink); stroke-width: 2; }
.note { color: var(--soft); font-size: .9rem; }
.summary h2 { margin-top: 1.5rem; }
.spreads { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0 1rem; align-items: center;
  font-size: .88rem; font-variant-numeric: tabular-nums; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; padding: .6rem 1rem; }
.spreads svg { display: block; width: 100%; overflow: visible; } .spreads .ends { color: var(--soft); }
.spreads .m0 { fill-opacity: .75; stroke: none; } .rule { stroke: var(--line); }
.box { fill: var(--line); stroke: none; } .middle { stroke: var(--ink); stroke-width: 2; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .9rem; margin: 0 0 .5rem; padding: 0;
  list-style: none; }
.key svg { width: 14px; height: 14px; margin-right: .4rem; vertical-align: -2px; overflow: visible; }
.m0 { fill: var(--m0); stroke: var(--m0); } .m1 { fill: var(--card); stroke: var(--m1); stroke-width: 2; }
.m2 { fill: var(--card); stroke: var(--m2); stroke-width: 2; }
.m3 { fill: var(--card); stroke: var(--m3); stroke-width: 2; }
figure { margin: 1rem 0 1.5rem; } figure img { max-width: 100%; height: auto; border-radius: .5rem; display: block; }
figcaption { color: var(--soft); font-size: .92rem; margin-top: .4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(7rem, auto) 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .85rem; margin-top: 3rem; border-top: 1px solid var(--line); }
@page { margin: 14mm; }
@media print { :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
  --m0: #00796b; --m1: #b4500a; --m2: #5a5fb0; --m3: #7a6a00; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; } .tile .big { font-size: 20pt; }
  .scroll { overflow: visible; border: 0; } table { font-size: 7pt; } th, td { padding: 2pt 3pt; }
  th:first-child { position: static; } tbody th { white-space: normal; max-width: 3.5cm; overflow-wrap: break-word; }
  td { white-space: normal; overflow-wrap: break-word; } a { color: inherit; text-decoration: none; }
  .plot ol { max-width: 5cm; } figure, tr, .tile, .plot li, .spreads { break-inside: avoid; }
  h2, h3, .key, caption, thead { break-after: avoid; } figure { margin: 0 0 .5cm; }
  figure img { max-height: 11.2cm; width: auto; }
  .spreads { font-size: 8pt; } section { margin: 0; } }
"""

NAMED = 60
"""More cases than these are drawn on narrow lines without their names."""
HIGH, LOW = 24, 6
"""Pixels of a line with and without a name; the first is the height of `.plot li` in the style sheet."""
AXIS = 22
"""Pixels below the lines for the numbers."""


def write_document(title: str, parts: Sequence[str]) -> str:
    """A whole HTML document that needs no network.

    Args:
        title: plain text.
        parts: HTML of its body, below each other.
    """
    day, version = datetime.now(UTC).date().isoformat(), metadata.version("medunet")
    footer = f"<footer><p>medunet {escape(version)}, {day}. Not a medical device.</p></footer>"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body><main>\n"
        + "\n".join([*parts, footer])
        + "\n</main></body>\n</html>\n"
    )


def draw_dots(
    values: Mapping[str, Mapping[str, float]], measure: str = "Dice", links: Collection[str] = frozenset()
) -> str:
    """Draw a line a case from 0 to 1 with a dot a method, the best case of the first method on top.

    Places are in percent of the width, so that text and dots keep their size on a narrow screen.

    Args:
        values: 0 to 1 by case, by method; the first method has filled dots, the others have hollow ones.
        measure: what the values are.
        links: cases that the viewer of the page can open.

    Returns:
        HTML with inline SVG; names are escaped.
    """
    first, *others = values
    cases = sorted(values[first], key=lambda case: -values[first][case])
    high = HIGH if len(cases) <= NAMED else LOW
    bottom = high * len(cases)
    parts = [
        f'<line class="rule" x1="{tick}%" x2="{tick}%" y1="0" y2="{bottom}"/>'
        f'<text x="{tick}%" y="{bottom + 16}" text-anchor="{anchor}">{tick / 100:g}</text>'
        for tick, anchor in ((0, "start"), (25, "middle"), (50, "middle"), (75, "middle"), (100, "end"))
    ]
    for row, case in enumerate(cases):
        line = _draw_line({method: values[method][case] for method in values if case in values[method]}, row, high)
        parts.append(link_case(case, line) if case in links else line)
    key = "".join(
        f'<li><svg aria-hidden="true">{_draw_mark(number, "50%", 7, "")}</svg>{escape(method)}</li>'
        for number, method in enumerate([first, *others])
    )
    names = (
        "".join(
            f'<li title="{escape(case)}">{link_case(case, escape(case)) if case in links else escape(case)}</li>'
            for case in cases
        )
        if high == HIGH
        else ""
    )
    return (
        f'<ul class="key">{key}</ul><div class="plot"><ol>{names}</ol>'
        f'<svg height="{bottom + AXIS}" role="img" aria-label="{measure} of {len(cases)} cases, from 0 to 1">'
        + "".join(parts)
        + "</svg></div>"
    )


def _draw_line(values: Mapping[str, float], row: int, high: int) -> str:
    """The dots of one case, joined by a bar; the first method lies on top."""
    middle = high * row + high / 2
    places = [100 * value for value in values.values()]
    span = f'<line class="span" x1="{min(places):.2f}%" x2="{max(places):.2f}%" y1="{middle}" y2="{middle}"/>'
    marks = [
        _draw_mark(number, f"{100 * value:.2f}%", middle, f"{method} {value:.3f}")
        for number, (method, value) in enumerate(values.items())
    ]
    return span + "".join([*marks[1:], marks[0]])


def _draw_mark(number: int, x: str, y: float, title: str) -> str:
    """A dot in the colour of a method; from the third on they are smaller, for those who see no colours."""
    told = f"<title>{escape(title)}</title>" if title else ""
    radius = (5.5, 5, 3.5, 2.5)[min(number, 3)]
    return f'<circle class="m{min(number, 3)}" cx="{x}" cy="{y:g}" r="{radius}">{told}</circle>'


def link_case(case: str, html: str) -> str:
    """HTML or SVG that opens a case in the viewer of the page."""
    return f'<a href="#viewer" data-case="{escape(case)}">{html}</a>'


def write_table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], links: Collection[str] = frozenset()
) -> str:
    """A table that scrolls sideways on its own where the screen is narrow; the first column names the row.

    Args:
        caption: of the table.
        head: of its columns.
        rows: text of its cells.
        links: names of rows that the viewer of the page can open.
    """
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "\n".join(
        f'<tr><th scope="row">{link_case(row[0], escape(row[0])) if row[0] in links else escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    # The region takes the keyboard's focus, or it couldn't be scrolled without a mouse.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>\n{lines}\n</tbody></table></div>"
    )


def write_share(value: float | None) -> str:
    """A number from 0 to 1, or a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def write_length(value: float | None) -> str:
    """A distance, or a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def write_percent(value: float | None) -> str:
    """A share in percent, or a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"
