"""What the preset `fast` costs a bundle, as somebody measured it on patients that its network never saw."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from medunet.errors import MedunetError
from medunet.findings import remark
from medunet.inference.computing import Computed
from medunet.records import Record, read_record

LOGGER = logging.getLogger(__name__)
FILE = Path("docs", "fast.json")
"""In a bundle."""


class FastScore(Record):
    """Means of one label over the cases in which truth or a mask has it."""

    same: float
    """Dice of `fast` against `exact`."""
    least_same: float
    """The lowest of a case."""
    exact: float
    """Dice of `exact` against the truth."""
    fast: float
    """Dice of `fast` against the truth."""


class FastRecord(Record):
    """`fast` beside `exact` on held-out cases."""

    weights: tuple[str, ...]
    """SHA-256 of the bundle's files of weights, sorted."""
    computed: Computed
    """How `fast` was computed."""
    cases: int
    """That were compared."""
    exact_seconds: float
    """Of the network and all else, a case."""
    fast_seconds: float
    """The same of `fast`."""
    labels: dict[str, FastScore]
    """By the name of the label."""

    def describe(self) -> str:
        """What it costs, in words."""
        scores = ", ".join(
            f"{name} {score.exact:.3f} and {score.fast:.3f}, against each other {score.same:.3f} (least "
            f"{score.least_same:.3f})"
            for name, score in self.labels.items()
        )
        seconds = f"{self.exact_seconds:.1f} and {self.fast_seconds:.1f} s a case"
        return (
            f"exact and fast on {self.cases} held-out cases: Dice of {scores}; {seconds} in {self.computed.precision}"
        )


class FastRecords(Record):
    """What `fast` costs a bundle, a record for each precision in which somebody measured it."""

    measured: tuple[FastRecord, ...] = ()
    """By precision, in the order of its name."""

    def find(self, weights: Iterable[str], precision: str) -> FastRecord | None:
        """The record of these weights (SHA-256 of each file) in a precision, None where there is none."""
        wanted = tuple(sorted(weights))
        same = (one for one in self.measured if one.weights == wanted and one.computed.precision == precision)
        return next(same, None)

    def add(self, record: FastRecord) -> "FastRecords":
        """With a record in place of the one in its precision, and without those of other weights."""
        others = (one for one in self.measured if one.weights == record.weights)
        kept = [one for one in others if one.computed.precision != record.computed.precision]
        return FastRecords(measured=tuple(sorted([*kept, record], key=lambda one: one.computed.precision)))


def read_measured(folder: Path) -> FastRecords:
    """What is written in a bundle, nothing where nothing is or it can't be read."""
    try:
        return read_record(folder / FILE, FastRecords)
    except MedunetError:
        return FastRecords()


def tell_cost(folder: Path, subject: str, weights: Mapping[str, str], computed: Computed) -> None:
    """Say what `fast` costs a bundle, or that nobody measured it; of `exact` nothing is said.

    Args:
        folder: of the bundle.
        subject: its name.
        weights: SHA-256 of its files of weights, by name.
        computed: how it will be computed.
    """
    if computed.preset == "exact":
        return
    known = read_measured(folder).find(weights.values(), computed.precision)
    if known is None:
        found = f"nobody measured what --preset fast costs it in {computed.precision}"
        remark("preset-unmeasured", subject, found)
    else:
        LOGGER.info("%s: %s", subject, known.describe())
