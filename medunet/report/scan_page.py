"""The page of one prediction: its picture, a viewer of scan and mask, and what was measured; it needs no network."""

from html import escape
from pathlib import Path

from medunet.errors import ResourceError
from medunet.labels import Mask
from medunet.measures import Measured, StructureMeasures
from medunet.report.drawings import CasePicture, write_figure
from medunet.report.embedding import embed_case
from medunet.report.picture import draw_result
from medunet.report.sheet import write_document, write_table
from medunet.report.viewer import write_viewer
from medunet.writing import Format, Result, check_nothing, list_channels

HEAD = ("structure", "parts", "longest diameter of the largest", "touches the border", "trust")


def make_scan_page(result: Result) -> str:
    """Make the HTML of the page; all text is escaped.

    Args:
        result: a mask, with the scan that it belongs to and what made it.
    """
    measures, algorithm = result.measures, result.algorithm
    name = result.name or "scan"
    made = " ".join(filter(None, (algorithm.name, algorithm.version)))
    found = [item.name for item in measures.structures if item.whole]
    lead = f"{made or 'A mask'}: {', '.join(found) or 'nothing'} found."
    body = [f"<h1>{escape(name)}</h1>", f'<p class="lead">{escape(lead)}</p>', _write_trust(result.mask)]
    channels = list_channels(result.volumes)
    body.append(write_figure(CasePicture("Outlines of what was found, in its colours.", draw_result(result))))
    body.append(write_viewer([embed_case(name, channels, None, result.mask)]))
    volume, length = ("mL", "mm") if measures.unit == "mm" else ("px", "px")
    units = [(said, channel.unit) for channel in channels for said in channel.name_components()]
    head = [HEAD[0], volume, HEAD[1], f"{HEAD[2]}, {length}"]
    head += [f"median {said}".strip() for channel, unit in units for said in [f"{channel} {unit}"]]
    rows = [_write_row(item, [channel for channel, _ in units]) for item in measures.structures]
    body.append(write_table("Measured", [*head, *HEAD[3:]], rows))
    body += [f'<p class="note">{escape(note)}</p>' for note in measures.notes]
    return write_document(name, [part for part in body if part])


def _write_trust(mask: Mask) -> str:
    """What speaks against the mask; nothing where nothing was judged."""
    if mask.confidence is None:
        return ""
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in mask.confidence.list_reasons())
    said = f"<p><b>Trust: {escape(mask.confidence.trust)}.</b></p>"
    return f"{said}<ul>{reasons}</ul>" if reasons else said


def _write_row(item: StructureMeasures, channels: list[str]) -> list[str]:
    whole: Measured | None = item.whole
    trust = item.confidence.trust if item.confidence else "–"
    if whole is None:
        return [item.name, "not found", "–", "–", *("–" for _ in channels), "–", trust]
    values = [whole.values.get(channel) for channel in channels]
    longest = max((lesion.longest_diameter for lesion in item.lesions[:1]), default=0.0)
    return [
        item.name,
        f"{whole.volume:.3g}",
        str(item.lesion_count),
        f"{longest:.1f}",
        *("–" if value is None else f"{value.median:.3g}" for value in values),
        "yes" if whole.touches_border else "no",
        trust,
    ]


def _write(result: Result, path: Path) -> None:
    page = make_scan_page(result)
    path.write_text(page, encoding="utf-8")
    if path.read_text(encoding="utf-8") != page:
        raise ResourceError(path, "what was read back differs", "check the disk", code="output-differs")


FORMAT = Format(name="page", ending=".page.html", unit=None, check=check_nothing, write=_write, read=None)
