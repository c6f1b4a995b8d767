"""The bundles that come with medunet, a line for each: what it finds, on what, how well, how fast, how large."""

from pathlib import Path

from medunet.bundle import list_shipped, open_bundle
from medunet.errors import MissingInputError
from medunet.evaluation import Scores
from medunet.evaluation.intervals import Distribution, describe_values
from medunet.evaluation.summary import average_labels
from medunet.inference.measured import read_measured
from medunet.records import Record, read_record


class ShippedBundle(Record):
    """A bundle that comes with medunet."""

    name: str
    """By which `medunet predict` finds it."""
    folder: Path
    """Where it lies."""
    version: str
    """Of the bundle."""
    task: str
    """What it does, in words."""
    channels: tuple[str, ...]
    """Images that it needs, by their names in the bundle."""
    labels: tuple[str, ...]
    """Names of what it finds."""
    measure: str
    """What it was scored by: Dice, or AP where it numbers objects."""
    score: Distribution | None
    """Of the patients that the network had never seen, the mean over their labels; None where none is on record."""
    seconds: float | None
    """Of a held-out case from file to mask, on two cores; None where nobody measured it."""
    size: int
    """Bytes of all of its files."""


def list_bundles() -> list[ShippedBundle]:
    """Describe the bundles that come with medunet, in the order of their names."""
    return [_describe(name, folder) for name, folder in list_shipped().items()]


def _describe(name: str, folder: Path) -> ShippedBundle:
    bundle = open_bundle(folder)
    task, scores = bundle.task, _read_scores(folder)
    measured = read_measured(folder).measured
    return ShippedBundle(
        name=name,
        folder=folder,
        version=bundle.metadata.version or "",
        task=bundle.metadata.task or "",
        channels=tuple(task.channels),
        labels=tuple(label.name for label in task.labels.labels),
        measure=scores.measure if scores else "Dice",
        score=describe_values(average_labels(scores), scores.patients, (0.0, 1.0)) if scores else None,
        seconds=max((record.exact_seconds for record in measured), default=None),
        size=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    )


def _read_scores(folder: Path) -> Scores | None:
    try:
        return read_record(folder / "docs" / "scores.json", Scores)
    except MissingInputError:
        return None
