"""Bring the slices of a series into one array, in the units of its header; those of a PET in SUV."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.errors import SeriesError, refuse_damage
from medunet.findings import Note, warn
from medunet.geometry import Grid
from medunet.progress import track
from medunet.reading.dicom.lookup import MODALITY_LUT, look_up
from medunet.reading.dicom.padding import find_padding, note_padding
from medunet.reading.dicom.series import Series, sort_series
from medunet.reading.dicom.slices import Slice, decode_slices, find_oddities
from medunet.reading.dicom.suv import SUV, Tracer, find_uptake, is_suv, read_tracer
from medunet.reading.options import DEFAULTS, ReadOptions
from medunet.scratch import IN_MEMORY, Room

HIGHEST_HU, HIGHEST_SHARE = 30000, 0.001
"""More than this share of a CT's voxels above this value are negative values that were declared unsigned."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """Stored values to units: value × slope + intercept (DICOM PS3.3 C.11.1.1.2)."""

    slope: float
    intercept: float

    @property
    def can_be(self) -> bool:
        """Whether it tells values apart."""
        return bool(np.isfinite([self.slope, self.intercept]).all()) and self.slope != 0

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers stay whole and keep their distances."""
        return self.slope == 1 and self.intercept == int(self.intercept)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A series as an array.

    Attributes:
        voxels: (1, I, J, K), int16 where values are whole and fit, else float32.
        grid: where they lie.
        units: of the values: HU, SUVbw, the Units of a PET; "" where nothing says.
        notes: what was repaired or is odd.
    """

    voxels: npt.NDArray[np.generic]
    grid: Grid
    units: str
    notes: tuple[Note, ...]


def decode_series(series: Series, options: ReadOptions = DEFAULTS, room: Room = IN_MEMORY) -> Decoded:
    """Decode all slices into one array, in the units of the series; those of a PET become SUV where that is possible.

    Args:
        series: as found.
        options: which image of it, and what its headers leave open.
        room: where the array lies.

    Raises:
        SeriesError: the series is irregular, or a slice can't be decoded exactly.
    """
    headers, grid, notes = sort_series(series, options.phase)
    stack = _Stack(grid, room)
    tracers: list[Tracer] = []
    scaled: dict[bool, str] = {}
    for item in track(decode_slices(headers), "reading slices", len(headers)):
        with refuse_damage(item.subject, SeriesError):
            pixels, rescale = find_values(item)
        scaled.setdefault(rescale is not None, item.subject)
        if len(scaled) > 1:
            raise miss_rescale(scaled[False], scaled[True])
        if rescale is None and series.modality == "CT":
            rescale = assume_rescale(options, item.subject)
        padding = find_padding(item.dataset, item.pixels)
        stack.put(item.k, pixels, rescale, padding)
        if series.modality == "PT":
            tracers.append(read_tracer(item.dataset, item.file))
        odd = (*item.notes, *find_oddities(item.file), *note_padding(item.dataset, padding))
        notes += tuple(note for note in odd if note not in notes)
    _check_sign(stack, series)
    units = ""
    if series.modality == "CT":
        units = "HU"
        if not scaled.get(True):
            notes += (Note("rescale-given", f"HU by the given slope and intercept, {options.assume_rescale}"),)
    if series.modality == "PT":
        units, note = _scale_pet(stack, tracers, series.folder, options)
        notes += (note,)
    return Decoded(stack.voxels.transpose(2, 1, 0)[None], grid, units, notes)


def _scale_pet(stack: "_Stack", tracers: list[Tracer], subject: str, options: ReadOptions) -> tuple[str, Note]:
    """Bring a PET to SUV where its headers allow it; its units, and a note."""
    own = f"{tracers[0].units or 'unknown'} {tracers[0].kind}".strip()
    if options.pet == "stored":
        return SUV if is_suv(tracers[0]) else own, Note("pet-not-suv", f"PET in units {own}, as stored")
    try:
        if stack.shifted:
            raise SeriesError(subject, "Rescale Intercept is not 0", "restore the header", code="pet-not-suv")
        uptake = find_uptake(tracers, subject)
    except SeriesError as error:
        if error.code != "pet-not-suv":
            raise
        note = Note("pet-not-suv", f"PET in units {own}, not SUV: {error.found}")
        warn(note.code, subject, note.text)
        return own, note
    stack.scale(uptake.factor)
    return SUV, Note("pet-in-suv", uptake.note)


class _Stack:
    """Slices that are contiguous in memory, (K, J, I): whole numbers until one slice needs more.

    Only one array is ever there, unless a slice other than the first is what needs more.
    """

    def __init__(self, grid: Grid, room: Room) -> None:
        self.voxels: npt.NDArray[np.generic] = room.make(grid.shape[::-1], np.int16)
        self.room = room
        self.high = 0
        self.shifted = False
        self.kinds: set[str] = set()

    def put(
        self,
        k: int,
        pixels: npt.NDArray[np.generic],
        rescale: Rescale | None,
        padding: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Store slice k, (J, I), in its units; padding doesn't count as high values."""
        offset = int(rescale.intercept) if rescale and rescale.is_whole else 0
        self.kinds.add(pixels.dtype.kind)
        self.shifted |= rescale is not None and rescale.intercept != 0
        if self.voxels.dtype == np.int16 and not _fits_int16(pixels, rescale, offset):
            self._widen()
        if self.voxels.dtype == np.int16:
            # The sum fits, so what its parts lose beyond 16 bits doesn't count.
            shift = np.array(offset).astype(np.int16)
            np.add(pixels, shift, out=self.voxels[k], dtype=np.int16, casting="unsafe")
        else:
            values = pixels.astype(np.float64)
            self.voxels[k] = values * rescale.slope + rescale.intercept if rescale else values
        if self.voxels[k].max() > HIGHEST_HU:
            high = self.voxels[k] > HIGHEST_HU
            self.high += int(np.count_nonzero(high if padding is None else high & ~padding))
        self.room.settle()

    def _widen(self) -> None:
        """Make all values float32."""
        if self.voxels.dtype == np.int16:
            whole, self.voxels = self.voxels, self.room.make(self.voxels.shape, np.float32)
            for k, plane in enumerate(whole):
                self.voxels[k] = plane
                self.room.settle()

    def scale(self, factor: float) -> None:
        """Multiply all values."""
        if factor != 1:
            self._widen()
            for k in range(len(self.voxels)):
                self.voxels[k] *= np.float32(factor)
                self.room.settle()


def _fits_int16(pixels: npt.NDArray[np.generic], rescale: Rescale | None, offset: int) -> bool:
    if pixels.dtype.kind == "f" or (rescale is not None and not rescale.is_whole):
        return False
    return int(pixels.min()) + offset >= -32768 and int(pixels.max()) + offset <= 32767


def _check_sign(stack: _Stack, series: Series) -> None:
    share = stack.high / stack.voxels.size
    mixed = {"i", "u"} <= stack.kinds
    if (mixed and share > 0) or (series.modality == "CT" and share > HIGHEST_SHARE):
        found = f"{share:.2%} of its voxels lie above {HIGHEST_HU}, as if negative values were declared unsigned"
        raise SeriesError(series.folder, found, "correct Pixel Representation in its headers", code="sign-wrong")


def find_values(item: Slice) -> tuple[npt.NDArray[np.generic], Rescale | None]:
    """Pixels, through their Modality LUT if there is one, and what remains to be done; None where nothing says."""
    if MODALITY_LUT in item.dataset:
        return look_up(item.dataset, item.pixels, item.subject), Rescale(1, 0)
    return item.pixels, _read_rescale(item.dataset, item.subject)


def miss_rescale(subject: str, other: str) -> SeriesError:
    """The refusal of a slice without rescale beside another that has it."""
    return SeriesError(
        subject,
        f"Rescale Slope and Intercept are missing, but {other} has them",
        "restore the header",
        code="rescale-missing",
    )


def assume_rescale(options: ReadOptions, subject: str) -> Rescale:
    """The rescale of a CT slice that has none: what the user said.

    Raises:
        SeriesError: nothing was said, or what can't be.
    """
    if options.assume_rescale is None:
        raise SeriesError(
            subject,
            "Rescale Slope or Intercept is missing, so its values have no unit",
            "restore the header, or say what holds with --assume-rescale (1,0 where its values are HU already)",
            code="rescale-missing",
        )
    rescale = Rescale(*options.assume_rescale)
    if not rescale.can_be:
        raise SeriesError(subject, f"the given slope is {rescale.slope:g}", "give the scanner's", code="rescale-wrong")
    return rescale


def _read_rescale(dataset: Any, path: str) -> Rescale | None:
    try:
        # pydicom turns text into numbers only now, and raises here.
        slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
        if slope is None and intercept is None:
            return None
        if slope is None or intercept is None:
            found = "Rescale Slope or Intercept is missing, so its values have no unit"
            raise SeriesError(path, found, "restore the header", code="rescale-missing")
        rescale = Rescale(float(slope), float(intercept))
    except (TypeError, ValueError) as error:
        if isinstance(error, SeriesError):
            raise
        found = "Rescale Slope or Intercept is no number"
        raise SeriesError(path, found, "restore the header", code="rescale-wrong") from None
    if not rescale.can_be:
        found = f"Rescale Slope is {slope} and Intercept {intercept}"
        raise SeriesError(path, found, "restore the header", code="rescale-wrong")
    return rescale
