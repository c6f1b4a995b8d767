"""What the cases of a bundle's training were like, as far as it says so: what a prediction is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from medunet.confidence import Limits
from medunet.errors import MedunetError
from medunet.measuring import Fingerprint, ValueRange
from medunet.records import Record, read_record
from medunet.task import Task

Range = tuple[float, float]
Ranges = tuple[Range, Range, Range]


class TrustFacts(Record, extra="allow"):
    """`trust` of metadata.json: what was measured for the column `trust` on patients that no network had seen."""

    limits: dict[str, Limits] = Field(default_factory=dict)
    """Of each label or region, by its name."""
    values: dict[str, ValueRange] = Field(default_factory=dict)
    """Values of the whole images of training, by channel, where plan.json doesn't have them."""
    noise: dict[str, Range] = Field(default_factory=dict)
    """Least and largest noise of the images of training, by channel, as a share of the range that the network sees."""
    validation: dict[str, Any] = Field(default_factory=dict)
    """How well it told good masks from bad ones, and by which script."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What training saw, each number with its least and its largest case.

    Attributes:
        cases: how many.
        volumes: of each label or region, in mL, or in pixels of pictures.
        spacing_mm: along x, y, z; none of pictures.
        extent_mm: along x, y, z; none of pictures.
        noise: by channel, as a share of the range that the network sees, where it is known.
        limits: of each label or region, where somebody made some.
    """

    cases: int
    volumes: Mapping[str, Range]
    spacing_mm: Ranges | None = None
    extent_mm: Ranges | None = None
    noise: Mapping[str, Range] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)


def read_seen(folder: Path, task: Task, facts: TrustFacts | None) -> Seen | None:
    """What a bundle says of its training.

    Args:
        folder: of the bundle.
        task: of the bundle.
        facts: of its metadata.json.

    Returns:
        By its fingerprint.json; None where that is missing or can't be read.
    """
    path = folder / "configs" / "fingerprint.json"
    try:
        found = read_record(path, Fingerprint)
    except MedunetError:
        return None
    return summarize_seen(found, task, facts or TrustFacts()) if found.cases else None


def summarize_seen(found: Fingerprint, task: Task, facts: TrustFacts) -> Seen:
    """The ranges of what was measured of the cases of training."""
    names = {label.value: label.name for label in task.labels.labels}
    volumes = {}
    for region in task.labels.structures:
        own = [names[value] for value in region.values if value in names]
        whole = [case.label_ml for case in found.cases if not set(own) & set(case.unknown)]
        if sums := [sum(known.get(name, 0.0) for name in own) for known in whole]:
            volumes[region.name] = (min(sums), max(sums))
    sizes = np.array([case.spacing_mm for case in found.cases])
    extents = sizes * [case.shape for case in found.cases]
    physical = found.unit == "mm"
    return Seen(
        cases=len(found.cases),
        volumes=volumes,
        spacing_mm=_span(sizes) if physical else None,
        extent_mm=_span(extents) if physical else None,
        noise=facts.noise,
        limits=facts.limits,
    )


def _span(rows: "np.ndarray[Any, np.dtype[np.float64]]") -> Ranges:
    x, y, z = zip(rows.min(axis=0).tolist(), rows.max(axis=0).tolist(), strict=True)
    return x, y, z
