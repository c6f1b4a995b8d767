"""The viewer of a page, as HTML: its controls, its volumes, its code; it needs no network."""

import base64
import json
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from medunet.report.embedding import ShownCase, ShownPart
from medunet.report.niivue import Niivue, find_niivue

KEYS = (
    ("↑ ↓", "slices"),
    ("1 2 3", "axial, coronal, sagittal"),
    ("← →", "cases"),
    ("B", "box or whole scan"),
    ("C", "channel"),
    ("T", "truth"),
    ("P", "prediction"),
)
"""What keys do while the viewer has the focus."""


def write_viewer(cases: Sequence[ShownCase]) -> str:
    """The section of a page that shows cases, as HTML; nothing without any.

    Args:
        cases: in the order in which they are listed.
    """
    if not cases:
        return ""
    niivue = find_niivue() if any(case.unit == "mm" for case in cases) else None
    style, code = _read("viewer.css"), _read("viewer.js")
    compared = any(part.truth for case in cases for part in case.parts)
    does = [(key, does) for key, does in KEYS if compared or does != "truth"]
    keys = "".join(f"<li><kbd>{escape(key)}</kbd> {escape(said)}</li>" for key, said in does)
    heading = "Look into cases" if compared else "Look into it"
    return (
        f'<section id="viewer"><style>{style}</style><h2>{heading}</h2><div data-is="bars"></div>'
        '<div data-is="planes" class="planes"></div><div data-is="sliders" class="sliders"></div>'
        '<p data-is="readout" class="readout" aria-live="off"></p><p data-is="which" class="which"></p>'
        '<p data-is="note" class="which"></p><noscript><p>The viewer needs JavaScript.</p></noscript>'
        f"<details><summary>Mouse, keys, touch</summary><p>Click or drag to move the cross, turn the wheel for slices, "
        "drag with the right button for the window; sliders do the same by touch.</p>"
        f'<ul class="keys">{keys}</ul>{_credit(niivue)}</details>'
        + "".join(_write_case(case) for case in cases)
        + (f'<script type="text/plain" id="niivue">{niivue.code}</script>' if niivue else "")
        + f"<script>{code}</script></section>"
    )


@cache
def _read(name: str) -> str:
    return files("medunet.report").joinpath(name).read_text(encoding="utf-8")


def _credit(niivue: Niivue | None) -> str:
    if niivue is None:
        return ""
    return f"<p>Drawn by niivue, from ipyniivue {escape(niivue.version)}.</p><pre>{escape(niivue.licence)}</pre>"


def _write_case(case: ShownCase) -> str:
    record = {
        "unit": case.unit,
        "labels": case.labels,
        "place": case.place,
        "parts": [_write_part(part) for part in case.parts],
    }
    text = json.dumps(record, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" class="case" data-name="{escape(case.name)}">{text}</script>'


def _write_part(part: ShownPart) -> dict[str, Any]:
    channels = [
        {"name": channel.name, "unit": channel.unit, "window": channel.window, "nifti": _write(channel.nifti)}
        for channel in part.channels
    ]
    return {
        **{"name": part.name, "text": part.text, "start": part.start, "step": part.step, "channels": channels},
        **{"truth": _write(part.truth) if part.truth else None, "prediction": _write(part.prediction)},
    }


def _write(nifti: bytes) -> str:
    return base64.b64encode(nifti).decode("ascii")
