"""How one image, and how labels are to be read, where their files leave a choice or lack a number."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, FiniteFloat

from medunet.errors import InputError, RecordError
from medunet.labels import LabelTable
from medunet.records import Record, check_record, suggest


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


def parse_options(given: Mapping[str, Iterable[str]]) -> dict[str, ReadOptions]:
    """How to read each channel, from texts as options have them; those without a name hold for all channels.

    Args:
        given: by field of `ReadOptions`, each text like `NAME=VALUE` or `VALUE`.

    Returns:
        Options by the name of a channel; those that hold for all by "".

    Raises:
        InputError: a text names no channel, or one twice, or holds no such value.

    Example:
        >>> parse_options({"pet": ["stored"], "phase": ["mr=2"]})["mr"].pet
        'stored'
    """
    values: dict[str, dict[str, Any]] = {}
    for key, texts in given.items():
        for text in texts:
            name, sign, value = text.rpartition("=")
            taken = values.setdefault(name, {})
            if (sign and not name) or key in taken:
                found = "it names no channel, or one twice"
                raise InputError(f"--{key.replace('_', '-')} {text}", found, "correct it", code="option-wrong")
            taken[key] = value.split(",") if key == "assume_rescale" else value
    common = values.get("", {})
    return {
        name: check_record({**common, **own}, ReadOptions, "options", "option-wrong") for name, own in values.items()
    }
