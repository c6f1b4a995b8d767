"""Decode the slices of a series and bring them to the units of their header."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.uid import HTJ2K, UID, ExplicitVRBigEndian, HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, RLELossless

from medunet.errors import SeriesError
from medunet.geometry import Grid
from medunet.progress import track
from medunet.reading.series import Series, sort_series

PLUGINS: dict[str, str] = {
    RLELossless: "pydicom",
    JPEGLSLossless: "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
}
"""Transfer syntax to its one decoder: pydicom's own chain hands a damaged image to the next decoder, and one of
those returns wrong values without an error."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """Stored values to units: value × slope + intercept (DICOM PS3.3 C.11.1.1.2)."""

    slope: float
    intercept: float


def decode_series(series: Series) -> tuple[npt.NDArray[np.generic], Grid, tuple[str, ...]]:
    """Decode all slices into one array.

    Returns:
        Voxels (1, I, J, K): int16 where no slice needs more, else float32; the grid; notes.

    Raises:
        SeriesError: the series is irregular, or a slice can't be decoded exactly.
    """
    headers, grid, notes = sort_series(series)
    columns, rows, count = grid.shape
    # Slices are contiguous in memory: (K, J, I), handed out transposed without a copy.
    stack = np.empty((count, rows, columns), dtype=np.int16)
    rescaled: npt.NDArray[np.float32] | None = None
    slopes = set()
    for k, header in enumerate(track(headers, "reading slices", count)):
        dataset = pydicom.dcmread(header.path)
        pixels = _decode(dataset, header.path)
        rescale = _read_rescale(dataset, header.path)
        slopes.add(rescale)
        notes = _note_oddities(dataset, notes)
        if rescaled is None and not _fits_int16(pixels, rescale):
            rescaled = np.empty(stack.shape, dtype=np.float32)
            rescaled[:k] = stack[:k]
        if rescaled is not None:
            values = pixels.astype(np.float64)
            rescaled[k] = values if rescale is None else values * rescale.slope + rescale.intercept
        else:
            offset = 0 if rescale is None else int(rescale.intercept)
            stack[k] = pixels.astype(np.int32) + offset
    if None in slopes and len(slopes) > 1:
        raise SeriesError(series.folder, "only some slices have Rescale Slope and Intercept", "restore the headers")
    voxels = stack if rescaled is None else rescaled
    return voxels.transpose(2, 1, 0)[None], grid, notes


def _decode(dataset: Any, path: str) -> npt.NDArray[np.generic]:
    if int(dataset.get("SamplesPerPixel") or 1) != 1:
        raise SeriesError(path, "it is a colour image", "give the original series, not a screenshot")
    syntax: UID = dataset.file_meta.get("TransferSyntaxUID", "")
    if not syntax:
        raise SeriesError(path, "Transfer Syntax UID is missing", "restore the header")
    if "PixelData" not in dataset:
        raise SeriesError(path, "Pixel Data is missing", "restore the file")
    if not syntax.is_compressed or syntax == ExplicitVRBigEndian:
        wanted = int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated) // 8
        if len(dataset.PixelData) < wanted:
            raise SeriesError(
                path, f"Pixel Data holds {len(dataset.PixelData)} bytes", "restore the file", expected=str(wanted)
            )
    elif syntax in PLUGINS:
        dataset.pixel_array_options(decoding_plugin=PLUGINS[syntax])
    elif syntax != "1.2.840.10008.1.2.1.99":
        raise SeriesError(path, f"its compression {syntax.name} is not read", "convert it without loss")
    try:
        pixels: npt.NDArray[np.generic] = dataset.pixel_array
    except Exception as error:
        raise SeriesError(path, f"its pixels can't be decoded ({str(error)[:120]})", "restore the file") from error
    if pixels.shape != (dataset.Rows, dataset.Columns):
        raise SeriesError(path, f"it decodes to {pixels.shape}, not one slice", "restore the file")
    return pixels


def _read_rescale(dataset: Any, path: str) -> Rescale | None:
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if "ModalityLUTSequence" in dataset:
        raise SeriesError(path, "it has a Modality LUT, which is not read yet", "convert it to a linear rescale")
    if slope is None or intercept is None:
        if dataset.get("Modality") == "CT":
            raise SeriesError(path, "Rescale Slope or Intercept is missing, so its values are no HU", "restore them")
        return None
    rescale = Rescale(float(slope), float(intercept))
    if not np.isfinite([rescale.slope, rescale.intercept]).all() or rescale.slope == 0:
        raise SeriesError(path, f"Rescale Slope is {slope} and Intercept {intercept}", "restore them")
    return rescale


def _fits_int16(pixels: npt.NDArray[np.generic], rescale: Rescale | None) -> bool:
    if pixels.dtype.kind == "f":
        return False
    if rescale is not None and (rescale.slope != 1 or rescale.intercept != int(rescale.intercept)):
        return False
    offset = 0 if rescale is None else int(rescale.intercept)
    low, high = int(pixels.min()) + offset, int(pixels.max()) + offset
    return -32768 <= low and high <= 32767


def _note_oddities(dataset: Any, notes: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        found.append("MONOCHROME1: values are kept as stored")
    if dataset.get("LossyImageCompression") == "01":
        found.append("the image was compressed with loss")
    if dataset.get("Modality") == "PT":
        found.append(f"PET in units {dataset.get('Units', 'unknown')}")
    return notes + tuple(note for note in found if note not in notes)
