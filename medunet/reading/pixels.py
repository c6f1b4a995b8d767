"""Decode the stored values of slices, each by the one decoder of its transfer syntax."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import iter_pixels
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
from medunet.reading.codestreams import measure_stream
from medunet.reading.frames import describe_frames
from medunet.reading.headers import Header, name_frame, read_dataset

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
LATER = 2**16
"""Elements of more bytes are left in the file until they are needed: so the pixels of all frames never are in memory
at once."""
JPEG_LS = {JPEGLSLossless, JPEGLSNearLossless}
END_OF_IMAGE = b"\xff\xd9"
GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Stored values of one slice.

    Attributes:
        k: its place in the volume.
        subject: its file, and the frame in it, for messages.
        dataset: what describes it: its file, or one frame as if it were one.
        file: the file.
        pixels: stored values (J, I).
        notes: what is odd about it.
    """

    k: int
    subject: str
    dataset: Any
    file: Any
    pixels: npt.NDArray[np.generic]
    notes: tuple[str, ...]


def decode_slices(headers: list[Header]) -> Iterator[Slice]:
    """Decode slices, all frames of a file together.

    Args:
        headers: in the order of the volume.

    Raises:
        SeriesError: a slice can't be decoded exactly.
    """
    by_file: dict[str, list[int]] = defaultdict(list)
    for k, header in enumerate(headers):
        by_file[header.path].append(k)
    for path, ks in by_file.items():
        if headers[ks[0]].frame is None:
            with refuse_damage(path, SeriesError):
                dataset = read_dataset(path)
                pixels, notes = _decode(dataset, path)
            yield Slice(ks[0], path, dataset, dataset, pixels, notes)
        else:
            yield from _decode_frames(path, {headers[k].frame or 0: k for k in ks})


def _decode(dataset: Any, path: str) -> tuple[npt.NDArray[np.generic], tuple[str, ...]]:
    """Stored values (J, I) of one slice, and notes."""
    _check_image(dataset, path)
    syntax = _read_syntax(dataset, path)
    plugin = _choose_plugin(syntax, path)
    notes = () if plugin else _check_length(dataset, path)
    if plugin:
        _check_stream(dataset, syntax, path)
        dataset.pixel_array_options(decoding_plugin=plugin)
    try:
        pixels: npt.NDArray[np.generic] = dataset.pixel_array
    # Decoders raise whatever they like; here each of them means the same.
    except Exception as error:
        raise SeriesError(path, f"its pixels can't be decoded ({str(error)[:120]})", "restore the file") from error
    _check_pixels(pixels, dataset, path)
    return pixels, notes


def _decode_frames(path: str, places: dict[int, int]) -> Iterator[Slice]:
    """Frames of one file, each read and decoded by itself.

    Args:
        path: the file.
        places: for each wanted frame its slice in the volume.
    """
    with refuse_damage(path, SeriesError):
        file = read_dataset(path, later=LATER)
        _check_image(file, path)
        described = list(describe_frames(file))
    for (frame, k), pixels in zip(places.items(), read_planes(file, path, list(places)), strict=True):
        yield Slice(k, name_frame(path, frame), described[frame], file, pixels, ())


def read_planes(file: Any, path: str, frames: list[int]) -> Iterator[npt.NDArray[np.generic]]:
    """Stored values (J, I) of frames, in the order in which they are wanted.

    Args:
        file: the header of a multi-frame file; its pixels are read frame by frame.
        path: of the file.
        frames: their numbers, from 0.

    Raises:
        SeriesError: the file doesn't hold all its frames, or one can't be decoded exactly.
    """
    syntax = _read_syntax(file, path)
    plugin = _choose_plugin(syntax, path)
    if plugin:
        _check_stream(file, syntax, path)
    else:
        _check_frames_length(file, path)
    planes = iter_pixels(path, indices=frames, decoding_plugin=plugin)
    for frame in frames:
        subject = name_frame(path, frame)
        try:
            pixels = next(planes)
        # As above, and an iterator that ends early.
        except Exception as error:
            raise SeriesError(
                subject, f"its pixels can't be decoded ({str(error)[:120]})", "restore the file"
            ) from error
        _check_pixels(pixels, file, subject)
        yield pixels


def _check_pixels(pixels: npt.NDArray[np.generic], dataset: Any, subject: str) -> None:
    if pixels.shape != (dataset.Rows, dataset.Columns):
        raise SeriesError(subject, f"it decodes to {pixels.shape}, not one slice", "restore the file")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise SeriesError(subject, "it holds pixels that are not finite", "restore the file")


def _choose_plugin(syntax: UID, path: str) -> str:
    """The decoder of a transfer syntax, "" for pixels that aren't compressed."""
    if syntax.is_compressed and syntax not in PLUGINS:
        raise SeriesError(path, f"its compression {syntax.name} is not read", "convert it without loss")
    return PLUGINS.get(syntax, "")


def _check_image(dataset: Any, path: str) -> None:
    kind = str(dataset.get("PhotometricInterpretation") or "")
    if dataset.get("SamplesPerPixel", 1) != 1 or kind not in GREY:
        raise SeriesError(path, f"it is a colour image ({kind})", "give the original series, not a screenshot")
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise SeriesError(path, "Pixel Data is missing", "restore the file")
    stored, high = dataset.get("BitsStored"), dataset.get("HighBit")
    if stored and high is not None and high != stored - 1:
        # DICOM PS3.5 8.1.1; decoders take the lowest bits whatever this says.
        raise SeriesError(path, f"High Bit is {high} of {stored} Bits Stored", "restore the header", str(stored - 1))


def _read_syntax(dataset: Any, path: str) -> UID:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise SeriesError(path, "Transfer Syntax UID is missing", "restore the header")
    return UID(syntax)


def _check_stream(dataset: Any, syntax: UID, path: str) -> None:
    """A codestream (of the first frame) of another size than its header's would be cut or filled without a word."""
    if syntax == RLELossless:
        return
    try:
        stream = next(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
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


def _check_frames_length(file: Any, path: str) -> None:
    if "PixelData" not in file:
        raise SeriesError(path, "its frames are no integers", "convert it to single frames")
    wanted = int(file.Rows) * int(file.Columns) * int(file.get("BitsAllocated") or 0) // 8 * int(file.NumberOfFrames)
    element = file.get_item("PixelData", keep_deferred=True)
    found = element.length if element.value is None else len(element.value)
    if found < wanted or wanted == 0:
        raise SeriesError(path, f"Pixel Data holds {found} bytes", "restore the file", expected=str(wanted))


def find_oddities(dataset: Any) -> tuple[str, ...]:
    """Notes of what is odd about a file whose values are right."""
    found = []
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        found.append("MONOCHROME1: values are kept as stored")
    if dataset.get("LossyImageCompression") == "01" or dataset.file_meta.TransferSyntaxUID in LOSSY:
        found.append("the image may have been compressed with loss")
    return tuple(found)
