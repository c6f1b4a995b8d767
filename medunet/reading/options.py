"""How one image is to be read, where its headers leave a choice or lack a number."""

from typing import Literal

from medunet.records import Record


class ReadOptions(Record):
    """What the user chose; the defaults choose nothing and assume nothing."""

    series: str | None = None
    """SeriesInstanceUID, where a folder holds several series."""
    phase: str | None = None
    """Which of several images in one series, as the refusal of it lists them: `EchoTime 4.6`, or `4.6` for short."""
    assume_rescale: tuple[float, float] | None = None
    """Slope and intercept of a CT whose headers lack both: 1 and 0 where its values are HU already."""
    pet: Literal["suv", "stored"] = "suv"
    """SUV by body weight where the headers of a PET allow it, or its values in the unit in which they are stored."""
    prefer: Literal["sform", "qform"] | None = None
    """Which affine of a NIfTI file counts where both are set but disagree."""


DEFAULTS = ReadOptions()
