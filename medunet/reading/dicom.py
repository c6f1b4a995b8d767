"""Decode the slices of a series and bring them to the units of their header."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import get_frame
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from medunet.errors import SeriesError, refuse_damage
from medunet.geometry import Grid
from medunet.progress import track
from medunet.reading.codestreams import measure_stream
from medunet.reading.headers import read_dataset
from medunet.reading.series import Series, sort_series

PLUGINS: dict[str, str] = {
    RLELossless: "pydicom",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
}
"""Transfer syntax to its one decoder: pydicom's own chain hands a damaged image to the next decoder, and one of
those returns wrong values without an error."""
LOSSY = {JPEGLSNearLossless, JPEG2000, HTJ2K}
"""Transfer syntaxes that may lose, whether or not the header says so."""
JPEG_LS = {JPEGLSLossless, JPEGLSNearLossless}
END_OF_IMAGE = b"\xff\xd9"
GREY = ("MONOCHROME1", "MONOCHROME2")
HIGHEST_HU, HIGHEST_SHARE = 30000, 0.001
"""More than this share of a CT's voxels above this value are negative values that were declared unsigned."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """Stored values to units: value × slope + intercept (DICOM PS3.3 C.11.1.1.2)."""

    slope: float
    intercept: float

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers stay whole and keep their distances."""
        return self.slope == 1 and self.intercept == int(self.intercept)


def decode_series(series: Series) -> tuple[npt.NDArray[np.generic], Grid, tuple[str, ...]]:
    """Decode all slices into one array.

    Returns:
        Voxels (1, I, J, K): int16 where all slopes are 1 and all values fit, else float32; the grid; notes.

    Raises:
        SeriesError: the series is irregular, or a slice can't be decoded exactly.
    """
    headers, grid, notes = sort_series(series)
    stack = _Stack(grid)
    plain: str | None = None
    rescaled: str | None = None
    signs = set()
    for k, header in enumerate(track(headers, "reading slices", len(headers))):
        with refuse_damage(header.path, SeriesError):
            dataset = read_dataset(header.path)
            rescale = _read_rescale(dataset, header.path)
            pixels, found = _decode(dataset, header.path)
            signs.add(dataset.get("PixelRepresentation"))
            notes += tuple(note for note in (*found, *_find_oddities(dataset)) if note not in notes)
        plain = plain if rescale else header.path
        rescaled = header.path if rescale else rescaled
        if plain and rescaled:
            raise SeriesError(
                plain, f"Rescale Slope and Intercept are missing, but {rescaled} has them", "restore the header"
            )
        stack.put(k, pixels, rescale)
    if series.modality == "CT" or len(signs) > 1:
        _check_sign(stack, series.folder, HIGHEST_SHARE if len(signs) == 1 else 0.0)
    return stack.voxels.transpose(2, 1, 0)[None], grid, notes


class _Stack:
    """Slices that are contiguous in memory, (K, J, I): whole numbers until one slice needs more.

    Only one array is ever there, unless a slice other than the first is what needs more.
    """

    def __init__(self, grid: Grid) -> None:
        self.voxels: npt.NDArray[np.generic] = np.empty(grid.shape[::-1], dtype=np.int16)
        self.high = 0

    def put(self, k: int, pixels: npt.NDArray[np.generic], rescale: Rescale | None) -> None:
        """Store slice k, (J, I), in its units."""
        offset = int(rescale.intercept) if rescale and rescale.is_whole else 0
        if self.voxels.dtype == np.int16 and not _fits_int16(pixels, rescale, offset):
            wider = np.empty(self.voxels.shape, dtype=np.float32)
            wider[:k] = self.voxels[:k]
            self.voxels = wider
        if self.voxels.dtype == np.int16:
            self.voxels[k] = pixels.astype(np.int32) + offset
        else:
            values = pixels.astype(np.float64)
            self.voxels[k] = values * rescale.slope + rescale.intercept if rescale else values
        self.high += int(np.count_nonzero(self.voxels[k] > HIGHEST_HU))


def _fits_int16(pixels: npt.NDArray[np.generic], rescale: Rescale | None, offset: int) -> bool:
    if pixels.dtype.kind == "f" or (rescale is not None and not rescale.is_whole):
        return False
    return int(pixels.min()) + offset >= -32768 and int(pixels.max()) + offset <= 32767


def _check_sign(stack: _Stack, subject: str, allowed: float) -> None:
    share = stack.high / stack.voxels.size
    if share > allowed:
        raise SeriesError(
            subject,
            f"{share:.2%} of its voxels lie above {HIGHEST_HU}, as if negative values were declared unsigned",
            "correct Pixel Representation in its headers",
        )


def _decode(dataset: Any, path: str) -> tuple[npt.NDArray[np.generic], tuple[str, ...]]:
    """Stored values (J, I) of one slice, and notes."""
    syntax = _check_image(dataset, path)
    notes: tuple[str, ...] = ()
    if syntax in PLUGINS:
        dataset.pixel_array_options(decoding_plugin=PLUGINS[syntax])
        if syntax != RLELossless:
            _check_stream(dataset, syntax, path)
    elif syntax.is_compressed:
        raise SeriesError(path, f"its compression {syntax.name} is not read", "convert it without loss")
    else:
        notes = _check_length(dataset, path)
    try:
        pixels: npt.NDArray[np.generic] = dataset.pixel_array
    # Decoders raise whatever they like; here each of them means the same.
    except Exception as error:
        raise SeriesError(path, f"its pixels can't be decoded ({str(error)[:120]})", "restore the file") from error
    if pixels.shape != (dataset.Rows, dataset.Columns):
        raise SeriesError(path, f"it decodes to {pixels.shape}, not one slice", "restore the file")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise SeriesError(path, "it holds pixels that are not finite", "restore the file")
    return pixels, notes


def _check_image(dataset: Any, path: str) -> UID:
    """Its transfer syntax, where it is a grey image."""
    kind = str(dataset.get("PhotometricInterpretation") or "")
    if dataset.get("SamplesPerPixel", 1) != 1 or kind not in GREY:
        raise SeriesError(path, f"it is a colour image ({kind})", "give the original series, not a screenshot")
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise SeriesError(path, "Pixel Data is missing", "restore the file")
    stored, highest = dataset.get("BitsStored"), dataset.get("HighBit")
    if stored is not None and highest is not None and highest != stored - 1:
        # PS3.5 8.1.1; decoders take the lowest bits.
        raise SeriesError(path, f"its High Bit is {highest} with {stored} Bits Stored", "restore the header")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise SeriesError(path, "Transfer Syntax UID is missing", "restore the header")
    return UID(syntax)


def _check_stream(dataset: Any, syntax: UID, path: str) -> None:
    """A codestream of another size than its header's would be cut or filled to it without a word."""
    try:
        stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
        size = measure_stream(stream)
    # pydicom raises whatever it likes for items that are damaged.
    except Exception as error:
        raise SeriesError(path, f"its pixels can't be decoded ({str(error)[:120]})", "restore the file") from error
    if syntax in JPEG_LS and not stream.rstrip(b"\0").endswith(END_OF_IMAGE):
        # CharLS refuses it too, after five seconds a slice.
        raise SeriesError(path, "its pixels can't be decoded (the JPEG-LS stream breaks off)", "restore the file")
    if size != (dataset.Rows, dataset.Columns):
        found = "no size" if size is None else f"{size[0]} Rows and {size[1]} Columns"
        expected = f"{dataset.Rows} and {dataset.Columns}, as in its header"
        raise SeriesError(path, f"its compressed pixels have {found}", "restore the file", expected)


def _check_length(dataset: Any, path: str) -> tuple[str, ...]:
    """Pixels that are not compressed have one right length; what follows them is cut off with a note."""
    if "PixelData" not in dataset:
        return ()  # float pixels, whose length pydicom checks
    wanted = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("BitsAllocated") or 0) // 8
    found = len(dataset.PixelData or b"")
    if found < wanted or wanted == 0:
        raise SeriesError(path, f"Pixel Data holds {found} bytes", "restore the file", expected=str(wanted))
    padded = wanted + wanted % 2
    if found <= padded:
        return ()
    # Left in, pydicom would take the surplus for further frames.
    dataset.PixelData = dataset.PixelData[:padded]
    return ("bytes after the pixels were left out",)


def _read_rescale(dataset: Any, path: str) -> Rescale | None:
    if "ModalityLUTSequence" in dataset:
        raise SeriesError(path, "it has a Modality LUT, which is not read yet", "convert it to a linear rescale")
    try:
        # pydicom turns text into numbers only now, and raises here.
        slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
        if slope is None and intercept is None and dataset.get("Modality") != "CT":
            return None
        if slope is None or intercept is None:
            raise SeriesError(
                path, "Rescale Slope or Intercept is missing, so its values have no unit", "restore the header"
            )
        rescale = Rescale(float(slope), float(intercept))
    except (TypeError, ValueError) as error:
        if isinstance(error, SeriesError):
            raise
        raise SeriesError(path, "Rescale Slope or Intercept is no number", "restore the header") from None
    if not np.isfinite([rescale.slope, rescale.intercept]).all() or rescale.slope == 0:
        raise SeriesError(path, f"Rescale Slope is {slope} and Intercept {intercept}", "restore the header")
    return rescale


def _find_oddities(dataset: Any) -> tuple[str, ...]:
    found = []
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        found.append("MONOCHROME1: values are kept as stored")
    if dataset.get("LossyImageCompression") == "01" or dataset.file_meta.TransferSyntaxUID in LOSSY:
        found.append("the image may have been compressed with loss")
    if dataset.get("Modality") == "PT":
        units = dataset.get("Units") or "unknown"
        found.append(f"PET in units {units}" + (", which is SUV" if units == "GML" else ", not SUV"))
    return tuple(found)
