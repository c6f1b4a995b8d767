"""What the preset `fast` costs a bundle, as somebody measured it on patients that its network never saw."""

import logging
from collections.abc import Mapping
from pathlib import Path

from medunet.errors import MedunetError
from medunet.findings import remark
from medunet.inference.computing import Computed, Computing
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


def tell_cost(folder: Path, subject: str, weights: Mapping[str, str], computing: Computing) -> None:
    """Say what `fast` costs a bundle, or that nobody measured it; of `exact` nothing is said.

    Args:
        folder: of the bundle.
        subject: its name.
        weights: SHA-256 of its files of weights, by name.
        computing: what is wanted.
    """
    if computing.preset == "exact":
        return
    try:
        known: FastRecord | None = read_record(folder / FILE, FastRecord)
    except MedunetError:
        known = None
    if known is None or known.weights != tuple(sorted(weights.values())):
        remark("preset-unmeasured", subject, "nobody measured what --preset fast costs it")
    else:
        LOGGER.info("%s: %s", subject, known.describe())
