"""What every format of a result says of itself: one row of the table in `formats`.

An *origin* is the scan that a result belongs to: the image that was read, which a DICOM result refers to. A *result*
is a mask with its origin and with what made it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medunet.algorithms import Algorithm
from medunet.errors import MedunetError
from medunet.geometry import Grid, Unit
from medunet.labels import LabelTable, Mask
from medunet.measures import Channel, Measures, measure_mask
from medunet.reading import Image, Volume, read_image
from medunet.scratch import IN_MEMORY, Room, Scratch


@dataclass(frozen=True, slots=True, eq=False)
class Probabilities:
    """A map of each output of a network, on the grid of the mask.

    Attributes:
        maps: (outputs, I, J, K) uint8, of which 255 is a probability of 1.
        names: of the outputs.
        exclusive: whether they are of classes, whose probabilities sum to 1, or each of a region.
    """

    maps: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    exclusive: bool


@dataclass(frozen=True, eq=False)
class Result:
    """A mask that is to be written.

    Its images are read where a format needs their values, and then once for all of them.

    Attributes:
        mask: on the grid of the origin.
        origin: the first channel of the scan, as it was found.
        algorithm: what made the mask.
        channels: all of the scan, as they were found, by name.
        probabilities: of the mask, where they were kept.
        name: of the scan.
        read: channels as they were read, by name, where that was before.
        room: for what is too large for the memory; None where all is in memory.
        files: what is there of it already, by format; those just written have temporary names still.
    """

    mask: Mask
    origin: Image
    algorithm: Algorithm
    channels: Mapping[str, Image] = field(default_factory=dict)
    probabilities: Probabilities | None = None
    name: str = ""
    read: Mapping[str, Volume] = field(default_factory=dict)
    room: Scratch | None = None
    files: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def volumes(self) -> dict[str, Volume | MedunetError]:
        """Each channel as it is read, or why it no longer can be."""
        return {name: self.read.get(name) or _read(image) for name, image in self.channels.items()}

    @cached_property
    def measures(self) -> Measures:
        """What is measured of the mask, with the values of all channels that can be read."""
        # Without a voxel there are no values.
        volumes = self.volumes if self.mask.count_values()[1:].any() else {}
        lost = [f"{name} is not measured: {item}" for name, item in volumes.items() if isinstance(item, MedunetError)]
        return measure_mask(self.mask, list_channels(volumes, self.room or IN_MEMORY), lost, self.room)


def list_channels(volumes: Mapping[str, Volume | MedunetError], room: Room = IN_MEMORY) -> list[Channel]:
    """What is measured of the values of images, of those that could be read; they may lie in a room."""
    return [
        Channel(name, item.source.units, item.voxels, item.grid, room)
        for name, item in volumes.items()
        if isinstance(item, Volume)
    ]


def _read(image: Image) -> Volume | MedunetError:
    # A mask of hours is worth more than the values below it: they are left out with a note.
    try:
        return read_image(image)
    except MedunetError as error:
        return error


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
        unit: of the grids that it can hold: "mm" or, of pictures, "px"; None of both.
        check: refuses, before anything is predicted, an origin of which it can't be written; labels that it can't
            hold well are warned of.
        write: writes a result under a temporary name, reads it back and compares.
        read: reads a mask on the grid that it was written for; None where it holds no mask.
        optional: whether it may be left out where nothing was found.
        likely: whether it holds the network's probabilities, which are gone when the mask is made.
        refers: formats whose files it refers to where they are there; these are written before it, and it anew after
            them.
        variant: by which options its files are written otherwise than usual, "" where they aren't; files of another
            variant are made anew.
    """

    name: str
    ending: str
    unit: Unit | None
    check: Check
    write: Write
    read: Read | None
    optional: bool = False
    likely: bool = False
    refers: tuple[str, ...] = ()
    variant: str = ""
