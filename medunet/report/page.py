"""The report: one HTML page that needs no network, with the floors beside every score."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import inf
from pathlib import Path
from typing import Any

from medunet.bundle import Metadata
from medunet.calibration import Calibration
from medunet.evaluation.pairing import Pairing
from medunet.evaluation.scores import CaseScore, Scores
from medunet.evaluation.summary import FEW, PairedRow, SizeRow, SummaryRow, compare_methods, rank_cases, summarize
from medunet.files import whole_file
from medunet.report.distributions import write_distributions, write_interval
from medunet.report.drawings import CasePicture, draw_overview, write_figure
from medunet.report.embedding import ShownCase
from medunet.report.failures import write_failures
from medunet.report.gallery import Gallery
from medunet.report.method import name_parts, write_method
from medunet.report.reliability import write_reliability, write_trust
from medunet.report.sheet import draw_dots, write_document, write_length, write_percent, write_share, write_table
from medunet.report.spreads import draw_spreads
from medunet.report.viewer import write_viewer

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


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of cases.

    Attributes:
        pictures: with captions.
        cases: volumes for the viewer.
        curves: of a training, with captions.
        further: sections before the last ones, as HTML.
    """

    pictures: Sequence[CasePicture] = ()
    cases: Sequence[ShownCase] = ()
    curves: Sequence[CasePicture] = ()
    further: Sequence[str] = ()

    @property
    def names(self) -> frozenset[str]:
        """Cases that the viewer can open."""
        return frozenset(case.name for case in self.cases)


def write_report(path: Path, title: str, scores: Scores, shown: Shown, facts: Mapping[str, str]) -> None:
    """Write the page, whole or not at all; an older one is replaced.

    Args:
        path: the HTML file.
        title: heading of the page.
        scores: of the method in question and of its floors.
        shown: pictures and volumes of cases.
        facts: what else the reader should know (cohort, fold, time, versions), as names and plain text.

    Raises:
        ResourceError: the file can't be written.
    """
    with whole_file(path) as part:
        part.write_text(make_page(title, scores, shown, facts), encoding="utf-8")


def write_pages(
    folder: Path,
    metadata: Metadata,
    scores: Scores,
    gallery: Gallery,
    plan: str = "",
    calibration: Calibration | None = None,
) -> None:
    """Write `report.html` and `overview.png` of a trained bundle.

    Args:
        folder: that is there.
        metadata: of the bundle.
        scores: of it and of its floors.
        gallery: of its cases; of many the overview shows eight, from the lowest score on.
        plan: in words, where the bundle has one.
        calibration: of the bundle, where it was measured.
    """
    pictures = gallery.list_pictures()
    name, subjects = metadata.name, "patients" if scores.unit == "mm" else "pictures"
    known = metadata.training.to_json() if metadata.training else {}
    facts = {key: _write_fact(value) for key, value in known.items()}
    versions = (metadata.version, metadata.monai_version, metadata.pytorch_version)
    said = zip(("bundle", "MONAI", "torch"), versions, strict=True)
    facts |= {"plan": plan} if plan else {}
    facts |= {
        "versions": ", ".join(f"{what} {version}" for what, version in said if version),
        "weights": f"SHA-256 {metadata.weights_sha256}",
    }
    further = [write_reliability(calibration, scores), write_trust(scores)]
    shown = Shown(pictures, gallery.list_cases(), further=further)
    write_report(folder / "report.html", f"{name}: evaluation", scores, shown, facts)
    write_overview(folder / "overview.png", f"{name}: held-out {subjects}", scores, pictures)


def write_overview(path: Path, title: str, scores: Scores, pictures: Sequence[CasePicture]) -> None:
    """Write one sheet of pictures, of many eight from the lowest score on.

    Args:
        path: the PNG.
        title: one line above them.
        scores: of the cases.
        pictures: of cases, captioned by their names.
    """
    if len(pictures) > SHOWN:
        title += f", from the lowest {scores.measure} to the highest"
    draw_overview([picture.image for picture in choose_pictures(scores, pictures)], title).save(path)


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


def make_page(title: str, scores: Scores, shown: Shown, facts: Mapping[str, str]) -> str:
    """Make the HTML of the page; arguments as of `write_report`. All text is escaped."""
    summary = summarize(scores)
    paired = compare_methods(scores)
    body = [f"<h1>{escape(title)}</h1>", _write_intro(scores)]
    by_label = {label: [row for row in summary if row.label == label] for label in scores.labels}
    body += [_write_headline(label, rows, scores) for label, rows in by_label.items()]
    if shown.curves:
        body += ["<section><h2>Training</h2>", *map(write_figure, shown.curves), "</section>"]
    body += [write_failures(scores, shown.names), write_viewer(shown.cases)]
    for label, rows in by_label.items():
        pairs = [row for row in paired if row.label == label]
        body.append(_write_label(label, rows, pairs, scores, shown.names))
    if shown.pictures:
        body += ['<section class="pictures"><h2>Pictures</h2>', *map(write_figure, shown.pictures), "</section>"]
    body += [*filter(None, shown.further), write_method(scores)]
    if facts:
        items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
        body.append(f"<section><h2>About this run</h2><dl>{items}</dl></section>")
    return write_document(title, body)


def _write_intro(scores: Scores) -> str:
    first, *floors = scores.methods
    cases = len({score.case for score in scores.of_first()})
    beside = f", beside {_enumerate(floors)} on the same cases" if floors else "; no floor was computed"
    lead = f'<p class="lead">{escape(first)} on {_count(cases, "case")}{escape(beside)}.</p>'
    lead += _write_pairing(scores.pairing) if scores.pairing else ""
    if not scores.seen:
        return lead
    return (
        f"{lead}<p><b>Seen in training, so that their scores prove nothing: {escape(', '.join(scores.seen))}.</b></p>"
    )


def _write_pairing(pairing: Pairing) -> str:
    """What of the masks wasn't scored, or counts as missed."""
    said = [
        ("Without a prediction, so that they count as missed", pairing.missing),
        ("Without a truth, so that they count for nothing", pairing.unpaired),
        ("Not scored", [item.reason for item in pairing.refused]),
        ("Left out", pairing.left_out),
    ]
    return "".join(f"<p><b>{escape(head)}: {escape('; '.join(listed))}</b></p>" for head, listed in said if listed)


def _write_label(
    label: str, rows: Sequence[SummaryRow], paired: Sequence[PairedRow], scores: Scores, links: Collection[str]
) -> str:
    first, measure = rows[0], scores.measure
    values = {method: rank_cases(scores, method, label) for method in scores.methods}
    if not values[first.method]:
        plot = (
            f"<p>No case holds this label, so there is no {measure}; what was falsely found stands in the tables.</p>"
        )
    else:
        plot = f"<h3>{measure} case by case</h3>{draw_dots(values, measure, links)}"
    return "\n".join(
        [
            f"<section><h2>{escape(label)} in detail</h2>",
            _write_few(first),
            "".join(f"<p>{_describe_pair(row, first.method, measure)}</p>" for row in paired),
            _write_summary(rows, scores),
            write_distributions(first, scores),
            draw_spreads(first, scores, links),
            _write_measures(rows, scores),
            _write_sizes(rows, scores),
            plot,
            "<h3>Each case</h3>",
            _write_cases(label, scores, links),
            "</section>",
        ]
    )


def _write_headline(label: str, rows: Sequence[SummaryRow], scores: Scores) -> str:
    first, *floors = rows
    tiles = []
    shown = [("Dice", "dice"), (_name_nsd(scores, first.label), "nsd")]
    for name, key in [("AP of objects", "precision"), *shown] if scores.objects else shown:
        beside = "".join(f"<li>{escape(row.method)} <b>{write_share(getattr(row, key))}</b></li>" for row in floors)
        mean = f"mean over {_count(first.holding, 'case')}"
        tiles.append(
            f'<div class="tile"><p class="name">{escape(name)}, {mean}</p>'
            f'<p class="big">{write_share(getattr(first, key))}</p>{write_interval(first, key)}<ul>{beside}</ul></div>'
        )
    lesions = first.found + first.missed
    tiles.append(
        f'<div class="tile"><p class="name">{name_parts(scores).capitalize()} found</p><p class="big">{first.found}'
        f"<small> of {lesions}</small></p><ul><li>falsely found <b>{first.false_found}</b></li></ul></div>"
    )
    return f'<section class="summary"><h2>{escape(label)}</h2><div class="tiles">{"".join(tiles)}</div></section>'


def _write_few(row: SummaryRow) -> str:
    if not row.few or row.cases < FEW:
        return ""
    return f"<p><b>Only {row.holding} of {_count(row.cases, 'case')} hold this label: their mean says little.</b></p>"


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
        _name_nsd(scores, rows[0].label),
        f"{volume} truth",
        f"{volume} predicted",
    ]
    head += [f"{name_parts(scores)} found", "missed"]
    head += ["falsely found", f"{volume} falsely found", "cases missed", "cases falsely found", "cases rightly empty"]
    cells = [
        [
            row.method,
            f"{row.holding} of {row.cases}",
            *([write_share(row.precision), write_share(row.precision_50)] if scores.objects else []),
            write_share(row.dice),
            write_share(row.nsd),
            _volume(row.truth_ml),
            _volume(row.predicted_ml),
            *map(str, (row.found, row.missed, row.false_found)),
            _volume(row.false_ml),
            *map(str, (row.missed_cases, row.falsely_found_cases, row.correct_absent_cases)),
        ]
        for row in rows
    ]
    return write_table("Means over the cases that hold the label, totals over all cases", head, cells)


def _write_measures(rows: Sequence[SummaryRow], scores: Scores) -> str:
    """What else was measured; nothing where scores of an earlier version lack it."""
    if all(row.iou is None for row in rows):
        return ""
    unit = scores.unit
    head = ["method", "IoU", "sensitivity", "precision", f"HD95 {unit}", f"ASSD {unit}", "volume error", "its size"]
    head += [f"F1 of {name_parts(scores)}", *(("PQ", "IoU of matched") if scores.objects else ())]
    cells = [
        [
            row.method,
            *map(write_share, (row.iou, row.sensitivity, row.voxel_precision)),
            *map(write_length, (row.hd95_mm, row.assd_mm)),
            *map(write_percent, (row.volume_error, row.volume_error_size)),
            write_share(row.lesion_f1),
            *(map(write_share, (row.panoptic, row.matched_iou)) if scores.objects else ()),
        ]
        for row in rows
    ]
    return write_table("Means over the cases that hold the label; F1 over all cases", head, cells)


def _write_sizes(rows: Sequence[SummaryRow], scores: Scores) -> str:
    first = rows[0]
    if not first.sizes:
        return ""
    volume = _name_volume(scores)
    cells = [
        [_name_size(size, volume), str(size.found + size.missed), str(size.found), write_share(size.recall)]
        for size in first.sizes
    ]
    head = [f"size of {name_parts(scores)}", "in the truth", "found", "recall"]
    return write_table(f"Recall by size, of {first.method}", head, cells)


def _name_size(size: SizeRow, unit: str) -> str:
    if size.below_ml is None:
        return f"from {size.at_least_ml:g} {unit} on"
    return f"{f'{size.at_least_ml:g} to' if size.at_least_ml else 'below'} {size.below_ml:g} {unit}"


def _write_cases(label: str, scores: Scores, links: Collection[str]) -> str:
    first, *floors = scores.methods
    volume = _name_volume(scores)
    measure = scores.measure
    head = ["case", measure, *(f"{measure} {floor}" for floor in floors), *(["Dice"] if scores.objects else [])]
    head += [_name_nsd(scores, label), f"HD95 {scores.unit}", f"{volume} truth"]
    head += [f"{volume} predicted", f"{name_parts(scores)} found", "missed", "falsely found"]
    head += [f"{volume} falsely found", "note"]
    values = [rank_cases(scores, method, label) for method in scores.methods]
    cells = [
        _write_case(score, [*(method.get(score.case) for method in values), *([score.dice] if scores.objects else [])])
        for score in scores.methods[first]
        if score.label == label
    ]
    return write_table(f"Scores of {first}", head, cells, links)


def _write_case(score: CaseScore, overlaps: Sequence[float | None]) -> list[str]:
    return [
        score.case,
        *map(write_share, overlaps),
        write_share(score.nsd),
        write_length(score.hd95_mm),
        _volume(score.truth_ml),
        _volume(score.predicted_ml),
        *map(str, (score.found, score.missed, score.false_found)),
        _volume(score.false_ml),
        OUTCOMES[score.outcome],
    ]


def _name_nsd(scores: Scores, label: str) -> str:
    return f"NSD {scores.find_tolerance(label):g} {scores.unit}"


def _name_volume(scores: Scores) -> str:
    return "mL" if scores.unit == "mm" else "voxels"


def _volume(value: float) -> str:
    if 0 < value < 0.005:
        return "< 0.01"
    return f"{value:.2f}" if 0 < value < 10 else f"{value:.0f}" if value >= 1000 or not value else f"{value:.1f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _enumerate(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
