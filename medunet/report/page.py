"""The report: one HTML page that needs no network, with the floors beside every score."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from math import inf
from pathlib import Path
from typing import Any

from medunet.bundle import Metadata
from medunet.evaluation.scores import CaseScore, PairedRow, Scores, SummaryRow, compare_methods, rank_cases, summarize
from medunet.files import whole_file
from medunet.report.drawings import CasePicture, draw_overview
from medunet.report.sheet import STYLE, draw_dots

SHOWN = 8
"""Cases of the overview."""
PRECISIONS = {False: (), True: ("AP", "AP 0.5")}
"""Columns that only labels that number objects have."""
OUTCOMES = {
    "both": "",
    "missed": "missed entirely",
    "falsely_found": "not there, but found",
    "correct_absent": "not there, not found",
}

PARTS = (
    "<li><b>{}</b>: what is connected by {} neighbours, so objects that touch are one. "
    "One of the truth is found when the prediction covers at least a tenth of its voxels. A predicted one that "
    "touches none of the truth is falsely found; none is too small to count.</li>"
)
PRECISION = (
    "<li><b>AP</b>: objects match where their intersection over union (IoU) is above a threshold; the precision is "
    "TP / (TP + FP + FN), averaged over the thresholds 0.50, 0.55, … 0.95 and then over the cases (2018 Data Science "
    "Bowl). Objects are found, missed and falsely found at 0.50.</li>"
    "<li><b>components</b>: the connected parts of the foreground that the same network found; of floors, too, each "
    "connected part is an object.</li>"
)


def write_report(
    path: Path, title: str, scores: Scores, pictures: Sequence[CasePicture], facts: Mapping[str, str]
) -> None:
    """Write the page, whole or not at all; an older one is replaced.

    Args:
        path: the HTML file.
        title: heading of the page.
        scores: of the method in question and of its floors.
        pictures: pictures of cases with captions.
        facts: what else the reader should know (cohort, fold, time, versions), as names and plain text.

    Raises:
        ResourceError: the file can't be written.
    """
    with whole_file(path) as part:
        part.write_text(make_page(title, scores, pictures, facts), encoding="utf-8")


def write_pages(folder: Path, metadata: Metadata, scores: Scores, pictures: Sequence[CasePicture]) -> None:
    """Write `report.html` and `overview.png` of a trained bundle.

    Args:
        folder: that is there.
        metadata: of the bundle.
        scores: of it and of its floors.
        pictures: of cases, captioned by their names; of many the overview shows eight, from the lowest score on.
    """
    name, subjects = metadata.name, "patients" if scores.unit == "mm" else "pictures"
    known = metadata.training.to_json() if metadata.training else {}
    facts = {key: _write_fact(value) for key, value in known.items()}
    facts["weights"] = str(metadata.weights_sha256)
    write_report(folder / "report.html", f"{name}: evaluation", scores, pictures, facts)
    title = f"{name}: held-out {subjects}"
    if len(pictures) > SHOWN:
        title += f", from the lowest {scores.measure} to the highest"
    sheet = draw_overview([picture.image for picture in choose_pictures(scores, pictures)], title)
    sheet.save(folder / "overview.png")


def choose_pictures(scores: Scores, pictures: Sequence[CasePicture]) -> list[CasePicture]:
    """All pictures if there are few, else some with evenly spread ranks, from the lowest mean of labels to the highest.

    Args:
        scores: the first method's count; cases without a score come last.
        pictures: of cases, captioned by their names.
    """
    if len(pictures) <= SHOWN:
        return list(pictures)
    values: dict[str, list[float]] = {}
    for label in scores.labels:
        for case, value in rank_cases(scores, next(iter(scores.methods)), label).items():
            values.setdefault(case, []).append(value)
    means = {case: sum(found) / len(found) for case, found in values.items()}
    ranked = sorted(pictures, key=lambda picture: means.get(picture.caption, inf))
    return [ranked[round(rank * (len(ranked) - 1) / (SHOWN - 1))] for rank in range(SHOWN)]


def _write_fact(value: Any) -> str:
    return ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, Mapping) else str(value)


def make_page(title: str, scores: Scores, pictures: Sequence[CasePicture], facts: Mapping[str, str]) -> str:
    """Make the HTML of the page; arguments as of `write_report`. All text is escaped."""
    summary = summarize(scores)
    paired = compare_methods(scores)
    body = [f"<h1>{escape(title)}</h1>", _write_intro(scores)]
    for label in scores.labels:
        rows = [row for row in summary if row.label == label]
        body.append(_write_label(label, rows, [row for row in paired if row.label == label], scores))
    if pictures:
        body += ["<section><h2>Pictures</h2>", *map(_write_picture, pictures), "</section>"]
    body.append(_write_method(scores))
    if facts:
        items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
        body.append(f"<section><h2>About this run</h2><dl>{items}</dl></section>")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body>\n</html>\n"
    )


def _write_intro(scores: Scores) -> str:
    first, *floors = scores.methods
    cases = len({score.case for score in scores.of_first()})
    beside = f", beside {_enumerate(floors)} on the same cases" if floors else "; no floor was computed"
    lead = f'<p class="lead">{escape(first)} on {_count(cases, "case")}{escape(beside)}.</p>'
    if not scores.seen:
        return lead
    return (
        f"{lead}<p><b>Seen in training, so that their scores prove nothing: {escape(', '.join(scores.seen))}.</b></p>"
    )


def _write_label(label: str, rows: Sequence[SummaryRow], paired: Sequence[PairedRow], scores: Scores) -> str:
    first, measure = rows[0], scores.measure
    values = {method: rank_cases(scores, method, label) for method in scores.methods}
    if not values[first.method]:
        plot = (
            f"<p>No case holds this label, so there is no {measure}; what was falsely found stands in the tables.</p>"
        )
    else:
        plot = f"<h3>{measure} case by case</h3>{draw_dots(values, measure)}"
    return "\n".join(
        [
            f"<section><h2>{escape(label)}</h2>",
            _write_headline(rows, scores),
            "".join(f"<p>{_describe_pair(row, first.method, measure)}</p>" for row in paired),
            _write_summary(rows, scores),
            plot,
            "<h3>Each case</h3>",
            _write_cases(label, scores),
            "</section>",
        ]
    )


def _write_headline(rows: Sequence[SummaryRow], scores: Scores) -> str:
    first, *floors = rows
    tiles = []
    shown = [("Dice", "dice"), (_name_nsd(scores), "nsd")]
    for name, key in [("AP of objects", "precision"), *shown] if scores.objects else shown:
        beside = "".join(f"<li>{escape(row.method)} <b>{_share(getattr(row, key))}</b></li>" for row in floors)
        mean = f"mean over {_count(first.holding, 'case')}"
        tiles.append(
            f'<div class="tile"><p class="name">{escape(name)}, {mean}</p>'
            f'<p class="big">{_share(getattr(first, key))}</p><ul>{beside}</ul></div>'
        )
    lesions = first.found + first.missed
    tiles.append(
        f'<div class="tile"><p class="name">{_name_parts(scores).capitalize()} found</p><p class="big">{first.found}'
        f"<small> of {lesions}</small></p><ul><li>falsely found <b>{first.false_found}</b></li></ul></div>"
    )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _describe_pair(row: PairedRow, first: str, measure: str) -> str:
    spread = f" ({row.lowest:+.3f} to {row.highest:+.3f})" if row.cases > 1 else ""
    return escape(
        f"{first} has a higher {measure} than {row.method} in {row.better} of {_count(row.cases, 'case')}; "
        f"the difference is {row.mean:+.3f} on average{spread}."
    )


def _write_summary(rows: Sequence[SummaryRow], scores: Scores) -> str:
    volume = _name_volume(scores)
    head = [
        "method",
        "cases",
        *PRECISIONS[scores.objects],
        "Dice",
        _name_nsd(scores),
        f"{volume} truth",
        f"{volume} predicted",
    ]
    head += [f"{_name_parts(scores)} found", "missed"]
    head += ["falsely found", f"{volume} falsely found", "cases missed", "cases falsely found", "cases rightly empty"]
    cells = [
        [
            row.method,
            f"{row.holding} of {row.cases}",
            *([_share(row.precision), _share(row.precision_50)] if scores.objects else []),
            _share(row.dice),
            _share(row.nsd),
            _volume(row.truth_ml),
            _volume(row.predicted_ml),
            *map(str, (row.found, row.missed, row.false_found)),
            _volume(row.false_ml),
            *map(str, (row.missed_cases, row.falsely_found_cases, row.correct_absent_cases)),
        ]
        for row in rows
    ]
    return _write_table("Means over the cases that hold the label, totals over all cases", head, cells)


def _write_cases(label: str, scores: Scores) -> str:
    first, *floors = scores.methods
    volume = _name_volume(scores)
    measure = scores.measure
    head = ["case", measure, *(f"{measure} {floor}" for floor in floors), *(["Dice"] if scores.objects else [])]
    head += [_name_nsd(scores), f"{volume} truth"]
    head += [f"{volume} predicted", f"{_name_parts(scores)} found", "missed", "falsely found"]
    head += [f"{volume} falsely found", "note"]
    values = [rank_cases(scores, method, label) for method in scores.methods]
    cells = [
        _write_case(score, [*(method.get(score.case) for method in values), *([score.dice] if scores.objects else [])])
        for score in scores.methods[first]
        if score.label == label
    ]
    return _write_table(f"Scores of {first}", head, cells)


def _write_case(score: CaseScore, overlaps: Sequence[float | None]) -> list[str]:
    return [
        score.case,
        *map(_share, overlaps),
        _share(score.nsd),
        _volume(score.truth_ml),
        _volume(score.predicted_ml),
        *map(str, (score.found, score.missed, score.false_found)),
        _volume(score.false_ml),
        OUTCOMES[score.outcome],
    ]


def _write_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways on its own where the screen is narrow; the first column names the row."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    # The region takes the keyboard's focus, or it couldn't be scrolled without a mouse.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>\n{lines}\n</tbody></table></div>"
    )


def _write_picture(picture: CasePicture) -> str:
    stream = io.BytesIO()
    picture.image.save(stream, format="PNG")
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    caption = escape(picture.caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{caption}" loading="lazy" '
        f'width="{picture.image.width}" height="{picture.image.height}"><figcaption>{caption}</figcaption></figure>'
    )


def _write_method(scores: Scores) -> str:
    lengths = f"{scores.tolerance_mm:g} {scores.unit}"
    parts, around, area = _name_parts(scores), 26, "area"
    if scores.unit == "px":
        around, area = 8, "length"
    return (
        "<section><h2>How this is measured</h2><ul>"
        "<li><b>Dice</b>: twice the common voxels over the voxels of both masks, on the grid of the truth.</li>"
        f"<li><b>NSD</b>: the share of the {area} of both surfaces that lies within {escape(lengths)} of the other. "
        "scores.json also has it by counting voxels, as nsd_voxels, which depends on spacing and direction.</li>"
        "<li><b>Empty masks</b>: where the truth is there and nothing was predicted, Dice and NSD are 0. Where the "
        "truth is empty there is no Dice: what was falsely found is given as a volume, and a case that is rightly "
        "empty is counted apart. Means are over the cases that hold the label.</li>"
        f"{PRECISION if scores.objects else PARTS.format(parts.capitalize(), around)}"
        "<li><b>Floors</b> need no network: an ellipsoid of the mean place and size, which looks at no image, and "
        "the best threshold, both fitted on training cases. A network that doesn't beat them has learnt little.</li>"
        "</ul></section>"
    )


def _name_nsd(scores: Scores) -> str:
    return f"NSD {scores.tolerance_mm:g} {scores.unit}"


def _name_parts(scores: Scores) -> str:
    if scores.objects:
        return "objects"
    return "lesions" if scores.unit == "mm" else "parts"


def _name_volume(scores: Scores) -> str:
    return "mL" if scores.unit == "mm" else "voxels"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _volume(value: float) -> str:
    if 0 < value < 0.005:
        return "< 0.01"
    return f"{value:.2f}" if 0 < value < 10 else f"{value:.0f}" if value >= 1000 or not value else f"{value:.1f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _enumerate(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
