"""What every format of a result says of itself: one row of the table in `formats`.

An *origin* is the scan that a result belongs to: the image that was read, which a DICOM result refers to. A *result*
is a mask with its origin and with what made it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medunet.geometry import Grid, Unit
from medunet.labels import LabelTable, Mask
from medunet.reading import Image


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What made a mask.

    Attributes:
        name: of the bundle.
        version: of the bundle.
        weights_sha256: of its weights.
    """

    name: str
    version: str
    weights_sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A mask that is to be written.

    Attributes:
        mask: on the grid of the origin.
        origin: the first channel of the scan, as it was found.
        algorithm: what made the mask.
    """

    mask: Mask
    origin: Image
    algorithm: Algorithm


Check = Callable[[Image, LabelTable, Algorithm], None]
Write = Callable[[Result, Path], None]
Read = Callable[[Path, Grid, LabelTable], Mask]


def check_nothing(_origin: Image, _table: LabelTable, _algorithm: Algorithm) -> None:
    """What can be written of every scan needs no check before it is predicted."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of output file.

    Attributes:
        name: on the command line and in records.
        ending: of its files.
        unit: of the grids that it can hold: "mm" or, of pictures, "px".
        check: refuses, before anything is predicted, an origin of which it can't be written; labels that it can't
            hold well are warned of.
        write: writes a result under a temporary name, reads it back and compares.
        read: reads a mask on the grid that it was written for.
        optional: whether it may be left out where nothing was found.
    """

    name: str
    ending: str
    unit: Unit
    check: Check
    write: Write
    read: Read
    optional: bool = False
