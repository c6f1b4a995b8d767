"""The page's sections on how far to rely on probabilities and on the word `trust`."""

from collections.abc import Sequence
from html import escape

from medunet.calibration import Calibration, Curve, StructureCalibration
from medunet.confidence import LEVELS
from medunet.evaluation.intervals import find_share_interval
from medunet.evaluation.scores import Scores
from medunet.report.sheet import write_share, write_table

SIDE, ROOM = 200, 34
"""Pixels of a plot's side, and beside it for its numbers."""
BAD = 0.7
"""Dice below which a mask counts as bad."""
FEW_PARTS = 100
"""Parts below which their curve says little."""


def write_reliability(record: Calibration | None, scores: Scores) -> str:
    """The section on probabilities, as HTML; nothing of a bundle that nobody calibrated.

    Args:
        record: of the bundle.
        scores: tell what parts are called.
    """
    if record is None:
        return ""
    parts = "objects" if scores.objects else "lesions" if scores.unit == "mm" else "parts"
    body = "".join(_write_structure(name, item, parts) for name, item in record.structures.items())
    others = f"{min(record.others):g} to {max(record.others):g}"
    return (
        f"<section><h2>Probabilities</h2><p>Logits are divided by the temperature {record.temperature:g}, fitted on "
        f"{record.cases} held-out cases, each predicted by the network that never saw it; without a part of them it is "
        f"{others}. “After” is by the temperature of the other cases, so that none judges itself. The mean negative "
        f"log-likelihood of a voxel is {record.likelihood_before:.4f} before and {record.likelihood_after:.4f} after. "
        "Masks are the same.</p>"
        f"{body}<p>ECE: mean distance between probability and what came true, over ten bins. Voxels are drawn around "
        f"what is there and what was found, at most 20,000 a case. Of {parts} each predicted one has the mean "
        "probability of its voxels, and is true where it belongs to one that was found.</p></section>"
    )


def _write_structure(name: str, item: StructureCalibration, parts: str) -> str:
    rows = {"voxels": (item.voxels_before, item.voxels_after), parts: (item.lesions_before, item.lesions_after)}
    cells = [
        [what, f"{before.count:,}", write_share(before.ece), write_share(after.ece)]
        for what, (before, after) in rows.items()
    ]
    plots = "".join(_draw(what, before, after) for what, (before, after) in rows.items() if before.count)
    few = f"<p>Fewer than {FEW_PARTS} {parts}: their curve says little.</p>" if _is_few(item.lesions_before) else ""
    table = write_table(f"Calibration of {name}", ["of", "n", "ECE before", "ECE after"], cells)
    return f'<h3>{escape(name)}</h3><div class="tiles">{plots}</div>{table}{few}'


def _is_few(curve: Curve) -> bool:
    return 0 < curve.count < FEW_PARTS


def _draw(what: str, before: Curve, after: Curve) -> str:
    """A reliability curve as inline SVG: probability along x, the share that came true along y."""
    ticks = "".join(
        f'<text x="{_x(tick)}" y="{SIDE + 22}" text-anchor="middle">{tick:g}</text>'
        f'<text x="{ROOM - 8}" y="{_y(tick) + 4}" text-anchor="end">{tick:g}</text>'
        for tick in (0.0, 0.5, 1.0)
    )
    lines = "".join(_draw_curve(curve, number) for number, curve in ((1, before), (0, after)))
    said, size = f"reliability of {before.count} {what}", f"{SIDE + ROOM + 14} {SIDE + 40}"
    return (
        f'<figure class="tile"><svg viewBox="0 0 {size}" role="img" aria-label="{escape(said)}" '
        'fill="currentColor" font-size="11" style="max-width:22rem;width:100%">'
        f'<path d="M{_x(0)} {_y(0)}H{_x(1)}M{_x(0)} {_y(0)}V{_y(1)}M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" '
        f'fill="none" stroke="currentColor" opacity=".3"/>{ticks}{lines}'
        f'<text x="{_x(0.5)}" y="{SIDE + 36}" text-anchor="middle">probability of {escape(what)}</text></svg>'
        f"<figcaption>Share that came true. Filled: after; hollow: before. {before.count:,} {escape(what)}."
        "</figcaption>"
        "</figure>"
    )


def _draw_curve(curve: Curve, number: int) -> str:
    points = [(_x(item.probability), _y(item.share), item) for item in curve.bins]
    path = "L".join(f"{x} {y}" for x, y, _ in points)
    dots = "".join(
        f'<circle class="m{number}" cx="{x}" cy="{y}" r="{4 if number else 3.5}"><title>{item.probability:.2f}: '
        f"{item.share:.2f} of {item.count}</title></circle>"
        for x, y, item in points
    )
    colour = f"var(--m{number})"
    return f'<path d="M{path}" style="fill:none;stroke:{colour};stroke-width:1.5"/>{dots}'


def _x(value: float) -> float:
    return round(ROOM + SIDE * value, 1)


def _y(value: float) -> float:
    return round(8 + SIDE * (1 - value), 1)


def write_trust(scores: Scores) -> str:
    """How often the word `trust` stands beside bad masks, as HTML; nothing where no mask has one."""
    tables = []
    for label in scores.labels:
        words = scores.trust.get(label, {})
        known = [
            (words[score.case], score.dice)
            for score in scores.of_first()
            if score.label == label and score.case in words and score.dice is not None
        ]
        if known:
            tables.append(write_table(f"Trust and Dice of {label}", _HEAD, _count_words(known)))
    if not tables:
        return ""
    return (
        "<section><h2>Trust</h2><p>What the column <i>trust</i> of predictions says of these masks, and how many of "
        "them are bad. Ranges and limits of a bundle are made of all of its cases, these among them, so that this "
        f"flatters it a little.</p>{''.join(tables)}</section>"
    )


_HEAD = ("trust", "masks", f"Dice below {BAD:g}", "share", "95 % of it", f"Dice from {BAD:g} on")


def _count_words(known: Sequence[tuple[str, float]]) -> list[list[str]]:
    rows = []
    for word in LEVELS:
        own = [dice < BAD for given, dice in known if given == word]
        share, between = "–", "–"
        if own:
            low, high = find_share_interval(sum(own), len(own))
            share, between = f"{sum(own) / len(own):.0%}", f"{low:.0%} to {high:.0%}"
        rows.append([word, str(len(own)), str(sum(own)), share, between, str(len(own) - sum(own))])
    return rows
