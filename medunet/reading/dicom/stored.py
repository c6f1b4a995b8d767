"""Stored values of the frames of one file, each read when it is wanted; of compressed ones by their one decoder."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from medunet.children.decoding import WorkError, submit
from medunet.errors import SeriesError, refuse_damage
from medunet.findings import Note
from medunet.reading.dicom.bits import keep_lowest, take_decoded
from medunet.reading.dicom.codestreams import Frame, Span, describe_stream, find_streams, read_stream
from medunet.reading.dicom.elements import PIXELS, UNDEFINED
from medunet.reading.dicom.headers import name_frame, read_count, read_shape

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
    JPEGExtended12Bit: "gdcm",
}
"""Transfer syntax to its one decoder: pydicom's own chain hands a damaged image to the next decoder, and one of
those returns wrong values without an error."""
LOSSY = {JPEGLSNearLossless, JPEG2000, HTJ2K, JPEGExtended12Bit}
"""Transfer syntaxes that may lose, whether or not the header says so."""
JPEG_LS = {JPEGLSLossless, JPEGLSNearLossless}
END_OF_IMAGE = b"\xff\xd9"
BLANK_PIXELS, MOST_RATIO = 1 << 22, 1000
"""A blank frame of as many pixels may come of a few bytes; of more, each byte makes at most so many."""
BITS = {"PixelData": (8, 16, 32, 64), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
_RESTORE = "restore the file"
Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """The pixels of one file, which stay there until they are wanted.

    Attributes:
        file: its header.
        path: of it.
        shape: rows and columns.
        kind: of the values.
        start: where they begin in the file.
        content: their bytes, where the file as a whole is deflated.
        streams: where the frames lie that are compressed.
        notes: what is odd about them.
    """

    file: Any
    path: str
    shape: tuple[int, int]
    kind: np.dtype[Any]
    start: int
    content: bytes | None = None
    streams: list[list[Span]] = field(default_factory=list)
    notes: tuple[Note, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return self.shape[0] * self.shape[1] * self.kind.itemsize

    def read(self, frame: int = 0) -> Callable[[], Array]:
        """Begin to read a frame, counted from 0.

        Returns:
            What waits for its values (J, I). It raises a SeriesError where they can't be decoded exactly.
        """
        subject = self.path if read_count(self.file, "NumberOfFrames", self.path) < 2 else name_frame(self.path, frame)
        with refuse_damage(subject, SeriesError):
            if not self.streams:
                return partial(_read_plain, self, frame, subject)
            with open(self.path, "rb") as source:
                stream = read_stream(source, self.streams[frame])
            own = _check_stream(stream, self, subject)
            job = {
                "work": "decode",
                "syntax": self.file.file_meta.TransferSyntaxUID,
                "plugin": PLUGINS[self.file.file_meta.TransferSyntaxUID],
                "image": describe_image(self, own),
            }
            return partial(_wait, submit(job, stream, self.size), own, self, subject)


def open_stored(file: Any, path: str) -> Stored:
    """Find the pixels of a file, and check that they can be what its header says.

    Args:
        file: its header.
        path: of it.

    Raises:
        SeriesError: they are no single finite numbers, or not as many as there should be.
    """
    name = next((name for name in PIXELS.values() if name in file), None)
    if name is None:
        raise SeriesError(path, "Pixel Data is missing", _RESTORE, code="file-damaged")
    columns, rows = read_shape(file, path)
    element = file.get_item(name, keep_deferred=True)
    kind = _read_kind(file, name, element.is_little_endian, path)
    stored = Stored(file, path, (rows, columns), kind, element.value_tell, element.value)
    syntax = _read_syntax(file, path)
    frames = read_count(file, "NumberOfFrames", path) or 1
    if not syntax.is_compressed or not syntax.is_encapsulated:
        return replace(stored, notes=_check_length(stored, element.length, frames))
    if syntax not in PLUGINS:
        found = f"its compression {syntax.name} is not read"
        raise SeriesError(path, found, "convert it without loss", code="encoding-unsupported")
    try:
        with open(path, "rb") as source:
            return replace(stored, streams=find_streams(source, stored.start, frames))
    except ValueError as error:
        raise SeriesError(path, f"its pixels can't be decoded ({error})", _RESTORE, code="file-damaged") from None


def _read_syntax(file: Any, path: str) -> UID:
    syntax = file.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise SeriesError(path, "Transfer Syntax UID is missing", "restore the header", code="file-damaged")
    return UID(syntax)


def _read_kind(file: Any, name: str, little: bool, path: str) -> np.dtype[Any]:
    allocated, stored = read_count(file, "BitsAllocated", path), read_count(file, "BitsStored", path)
    if allocated not in BITS[name]:
        raise SeriesError(path, f"it has {allocated} Bits Allocated", "convert it to 16", code="encoding-unsupported")
    if name != "PixelData":
        return np.dtype(f"{'<' if little else '>'}f{allocated // 8}")
    sign = file.get("PixelRepresentation")
    if sign not in (0, 1) or not 1 <= stored <= allocated:
        found = f"it has {stored} Bits Stored of {allocated} and the Pixel Representation {sign}"
        raise SeriesError(path, found, "restore the header", code="encoding-unsupported")
    high = file.get("HighBit")
    if high is not None and high != stored - 1:
        # DICOM PS3.5 8.1.1; decoders take the lowest bits whatever this says.
        found = f"High Bit is {high} of {stored} Bits Stored"
        raise SeriesError(path, found, "restore the header", str(stored - 1), code="encoding-unsupported")
    return np.dtype(f"{'<' if little else '>'}{'i' if sign else 'u'}{allocated // 8}")


def _check_length(stored: Stored, found: int, frames: int) -> tuple[Note, ...]:
    """Pixels that are not compressed have one right length; what follows them is left out with a note."""
    wanted = stored.size * frames
    if found == UNDEFINED or found < wanted or wanted <= 0:
        said = "no length" if found == UNDEFINED else f"{found} bytes"
        raise SeriesError(stored.path, f"Pixel Data holds {said}", _RESTORE, expected=str(wanted), code="file-damaged")
    note = Note("bytes-left-out", "bytes after the pixels were left out")
    return (note,) if found > wanted + wanted % 2 else ()


def _check_stream(stream: bytes, stored: Stored, subject: str) -> Frame:
    """A codestream of another size than its header's would be cut or filled without a word.

    Returns:
        What it says of itself; of RLE, which says nothing, what the header says of its container.
    """
    rows, columns = stored.shape
    if rows * columns > max(BLANK_PIXELS, MOST_RATIO * len(stream)):
        found = f"its {rows} × {columns} pixels are compressed to {len(stream)} bytes"
        raise SeriesError(subject, found, _RESTORE, f"at least one for {MOST_RATIO} pixels", code="file-damaged")
    syntax, allocated = stored.file.file_meta.TransferSyntaxUID, 8 * stored.kind.itemsize
    if syntax == RLELossless:
        return Frame(rows, columns, allocated)
    if syntax in JPEG_LS and not stream.rstrip(b"\0").endswith(END_OF_IMAGE):
        # CharLS refuses it too, after five seconds a slice.
        found = "its pixels can't be decoded (the JPEG-LS stream breaks off)"
        raise SeriesError(subject, found, _RESTORE, code="file-damaged")
    own = describe_stream(stream)
    if own is None or (own.rows, own.columns) != stored.shape:
        found = "no size" if own is None else f"{own.rows} Rows and {own.columns} Columns"
        expected = f"{rows} and {columns}, as in its header"
        raise SeriesError(subject, f"its compressed pixels have {found}", _RESTORE, expected, code="file-damaged")
    if own.bits > allocated:
        found = f"its compressed pixels have {own.bits} bits, but its header has {allocated} Bits Allocated"
        raise SeriesError(subject, found, "restore the header", code="encoding-unsupported")
    lossy = own.lossy or (syntax in LOSSY and stored.file.get("LossyImageCompression") == "01")
    return replace(own, lossy=lossy)


def describe_image(stored: Stored, own: Frame) -> dict[str, str | int]:
    """One frame, in the options of pydicom's decoders: its numbers as the codestream has them."""
    return {
        "rows": stored.shape[0],
        "columns": stored.shape[1],
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "photometric_interpretation": str(stored.file.PhotometricInterpretation),
        "bits_allocated": next(size for size in BITS["PixelData"] if size >= own.bits),
        "bits_stored": own.bits,
        "pixel_representation": int(own.signed),
        "pixel_keyword": "PixelData",
    }


def _wait(wait: Callable[[], tuple[Any, Array]], own: Frame, stored: Stored, subject: str) -> Array:
    try:
        _, pixels = wait()
    except WorkError as error:
        raise SeriesError(subject, f"its pixels can't be decoded ({error})", _RESTORE, code="file-damaged") from None
    if pixels.shape != stored.shape:
        raise SeriesError(subject, f"it decodes to {pixels.shape}, not one slice", _RESTORE, code="file-damaged")
    return take_decoded(pixels, own, int(stored.file.BitsStored), stored.kind, subject)


def _read_plain(stored: Stored, frame: int, subject: str) -> Array:
    with refuse_damage(subject, SeriesError):
        start, data = frame * stored.size, np.empty(stored.size, np.uint8)
        if stored.content is None:
            with open(stored.path, "rb", buffering=0) as source:
                source.seek(stored.start + start)
                found = source.readinto(data.data)
                if found != stored.size:
                    raise ValueError(f"{found} of {stored.size} bytes can be read")
        else:
            data[:] = np.frombuffer(stored.content, np.uint8, stored.size, start)
        pixels = _take_bits(data, stored).reshape(stored.shape)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise SeriesError(subject, "it holds pixels that are not finite", _RESTORE, code="values-not-finite")
    return pixels


def _take_bits(data: npt.NDArray[np.uint8], stored: Stored) -> Array:
    """Numbers of the bits that are stored, the lowest ones (DICOM PS3.5 8.1.1)."""
    if stored.kind.itemsize == 1 and not stored.file.original_encoding[1] and stored.file["PixelData"].VR == "OW":
        data = data.reshape(-1, 2)[:, ::-1].ravel()  # bytes in words of big endian
    values: Array = data.view(stored.kind)
    if not values.dtype.isnative:
        values = values.byteswap(inplace=True).view(values.dtype.newbyteorder())
    return values if values.dtype.kind == "f" else keep_lowest(values, int(stored.file.BitsStored))
