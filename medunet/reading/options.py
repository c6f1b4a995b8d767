"""How one image, and how labels are to be read, where their files leave a choice or lack a number."""

from pathlib import Path
from typing import Literal

from pydantic import Field, FiniteFloat

from medunet.errors import RecordError
from medunet.labels import LabelTable
from medunet.records import Record, suggest


class ReadOptions(Record):
    """What the user chose; the defaults choose nothing and assume nothing."""

    series: str | None = Field(default=None, min_length=1)
    """SeriesInstanceUID, where a folder holds several series."""
    phase: str | None = Field(default=None, min_length=1)
    """Which of several images in one series, as the refusal of it lists them: `EchoTime 4.6`, or `4.6` for short."""
    assume_rescale: tuple[FiniteFloat, FiniteFloat] | None = None
    """Slope and intercept of a CT whose headers lack both: 1 and 0 where its values are HU already."""
    pet: Literal["suv", "stored"] = "suv"
    """SUV by body weight where the headers of a PET allow it, or its values in the unit in which they are stored."""
    prefer: Literal["sform", "qform"] | None = None
    """Which affine of a NIfTI file counts where both are set but disagree."""


class LabelOptions(Record):
    """What the user said of files of labels; the defaults say nothing."""

    precedence: tuple[str, ...] = ()
    """Names of labels: of structures or segments that share voxels the first of these has them."""
    label_values: dict[int, int] = Field(default_factory=dict)
    """Value in label maps to the value of the label that it means, 0 for background; others stay as they are."""

    def check(self, table: LabelTable, subject: Path | str) -> None:
        """Check that precedence and values are of labels that there are.

        Raises:
            RecordError: one isn't.
        """
        for name in self.precedence:
            if name not in table.names:
                found = f"the precedence names the unknown label '{name}'"
                raise RecordError(subject, found, suggest(name, list(table.names)), code="label-unknown")
        known = {0, table.ignore, *(label.value for label in table.labels)}
        for stored, value in self.label_values.items():
            if value not in known or table.objects:
                listed = ", ".join(f"{label.value} {label.name}" for label in table.labels)
                found = f"the value {stored} can't mean {value}"
                raise RecordError(subject, found, f"give one of 0 and {listed}", code="label-values")


DEFAULTS = ReadOptions()
