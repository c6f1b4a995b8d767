"""Which masks are scored against which, as a record."""

from pydantic import Field

from medunet.records import Record


class Refused(Record):
    """A case that wasn't scored."""

    case: str
    """Name of the case."""
    code: str
    """Kind of the fault, for programs."""
    reason: str
    """What is wrong, in one sentence."""


class Pairing(Record):
    """Which predictions belong to which truths, and what belongs to nothing."""

    missing: tuple[str, ...] = ()
    """Cases without a prediction: they count as masks without a voxel."""
    unpaired: tuple[str, ...] = ()
    """Predictions without a truth: they count for nothing."""
    refused: tuple[Refused, ...] = ()
    """Cases that weren't scored."""
    left_out: tuple[str, ...] = ()
    """What was in the masks and wasn't scored, in words."""
    columns: dict[str, dict[str, str]] = Field(default_factory=dict)
    """What a table says else of each case, by the names of its columns."""

    @property
    def is_whole(self) -> bool:
        """Whether every truth has its prediction, each prediction its truth, and all were scored."""
        return not (self.missing or self.unpaired or self.refused)
