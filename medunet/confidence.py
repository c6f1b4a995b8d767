"""How far a prediction can be relied on: a score a structure, and what of it or of the scan is unlike training.

`trust` is one of three words. *as trained*: nothing speaks against it. *look*: somebody should look before it is used.
*outside training*: the scan is of a kind that the network never saw. It is about masks; `--trust` of commands is about
who wrote a bundle.
"""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Literal, get_args

from pydantic import Field

from medunet.records import Record

Trust = Literal["as trained", "look", "outside training"]
LEVELS: tuple[Trust, ...] = get_args(Trust)
"""From the best to the worst."""


class Reason(Record):
    """What speaks against relying on a mask."""

    trust: Trust
    """How much."""
    said: str
    """In words."""


class StructureConfidence(Record):
    """How far the mask of one label or region can be relied on."""

    name: str
    """What it is called."""
    trust: Trust
    """By its own reasons."""
    score: float | None
    """From 0 to 1, the smaller of the two below; none where the network found nothing of it."""
    expected: float | None
    """Dice of the network's probabilities with its own mask: what Dice would be if they were right."""
    agreement: float | None = None
    """Mean Dice of the masks of each two folds, of an ensemble whose folds are run one by one."""
    reasons: tuple[str, ...] = ()
    """What speaks against it, in words."""


class Confidence(Record):
    """How far the masks of one scan can be relied on."""

    trust: Trust
    """The worst of the scan and of all structures."""
    reasons: tuple[str, ...] = ()
    """What speaks against all structures of the scan, in words."""
    structures: tuple[StructureConfidence, ...]
    """Every label or region."""
    unknown: tuple[str, ...] = ()
    """What couldn't be judged, since the bundle doesn't say what training was like."""

    def list_reasons(self) -> list[str]:
        """Every reason, those of a structure behind its name."""
        own = [f"{item.name}: {reason}" for item in self.structures for reason in item.reasons]
        return [*self.reasons, *own]


class Limits(Record):
    """What tells apart a structure that can be relied on, made on patients that the network never saw."""

    score: float | None = Field(default=None, ge=0.0, le=1.0)
    """Score below which it is to be looked at."""
    contact: float | None = Field(default=None, ge=0.0)
    """Contact with the border of the scan above which it is to be looked at."""


def find_worst(levels: Iterable[Trust]) -> Trust:
    """The worst of some, the best where there are none."""
    return max(levels, key=LEVELS.index, default=LEVELS[0])


def compare_range(value: float, low: float, high: float, look: float, outside: float | None = None) -> Trust:
    """Where a positive value lies by the range of training.

    Args:
        value: of this scan.
        low: the least in training.
        high: the largest in training.
        look: times beyond the range from which it is to be looked at; 1 for everything beyond it.
        outside: times beyond it from which it is outside training; never where not given.
    """
    beyond = max(low / value if value > 0 else inf, value / high if high > 0 else inf)
    if outside is not None and beyond > outside:
        return "outside training"
    return "look" if beyond > look else "as trained"


def join_confidence(
    scan: Iterable[Reason],
    structures: Mapping[str, tuple[Iterable[Reason], float | None, float | None]],
    unknown: Iterable[str] = (),
) -> Confidence:
    """Put the reasons of a scan and of its structures together.

    Args:
        scan: reasons that hold for all of it.
        structures: by name its reasons, the expected Dice and the agreement of folds.
        unknown: what couldn't be judged.
    """
    whole = list(scan)
    parts = []
    for name, (reasons, *scores) in structures.items():
        own = list(reasons)
        # More digits would differ by the number of threads.
        expected, agreement = (value if value is None else round(value, 4) for value in scores)
        known = [value for value in (expected, agreement) if value is not None]
        parts.append(
            StructureConfidence(
                name=name,
                trust=find_worst(item.trust for item in own),
                score=min(known) if known else None,
                expected=expected,
                agreement=agreement,
                reasons=tuple(item.said for item in own),
            )
        )
    return Confidence(
        trust=find_worst([*(item.trust for item in whole), *(item.trust for item in parts)]),
        reasons=tuple(item.said for item in whole),
        structures=tuple(parts),
        unknown=tuple(unknown),
    )
