"""Read PNG: array and grid of pixels, or a refusal.

A picture has no physical size. Its array is (C, I, J, 1): i counts columns from the left and j rows from the top, as
MONAI's PILReader has them; C is 1 for grey and 3 for colour.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medunet.children.decoding import read_by_itk
from medunet.errors import InputError
from medunet.findings import Note
from medunet.geometry import Grid

SIGNATURE = b"\x89PNG\r\n\x1a\n"
OTHERS = {b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"BM": "BMP", b"RIFF": "WebP"}
"""First bytes of what is often found under the name .png."""
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
"""Colour types of PNG (ISO/IEC 15948, table 11.1)."""
SAMPLES = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}
MOST_PIXELS = 1 << 27
Pixels = npt.NDArray[np.unsignedinteger]
Read = tuple[Pixels, Grid, tuple[Note, ...]]


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    depth: int
    colour: int
    packed: bytes
    size: int
    """Bytes of all lines once unpacked, where they are not interlaced."""
    interlaced: int


def read_picture(path: Path) -> Read:
    """Read a PNG of 1 to 16 bits: grey, colour or palette; an opaque alpha channel is dropped.

    Returns:
        Voxels (C, I, J, 1), uint8 or uint16; the grid of its pixels; notes.

    Raises:
        InputError: it is damaged, no PNG inside, animated, or transparent somewhere.
    """
    pixels = _decode(_open_file(path), indices=False)
    notes: tuple[Note, ...] = ()
    if pixels.shape[2] in (2, 4):
        pixels, alpha = pixels[..., :-1], pixels[..., -1]
        clear = int(np.count_nonzero(alpha != np.iinfo(alpha.dtype).max))
        if clear:
            found = f"its alpha channel makes {clear} pixels transparent"
            raise InputError(path, found, "flatten it onto a background", code="not-an-image")
        notes = (Note("alpha-left-out", "an opaque alpha channel was dropped"),)
    return _arrange(pixels, notes)


def read_indices(path: Path) -> Read:
    """Read a PNG as a label map: the stored numbers, of a palette its indices instead of its colours.

    Returns:
        As `read_picture`.

    Raises:
        InputError: it is damaged, no PNG inside, or animated.
    """
    return _arrange(_decode(_open_file(path), indices=True), ())


def _open_file(path: Path) -> _File:
    """Walk over all chunks: Pillow ignores some checksums, a missing end and missing pixels."""
    content = path.read_bytes()
    if not content.startswith(SIGNATURE):
        found = next((name for start, name in OTHERS.items() if content.startswith(start)), "something else")
        raise InputError(path, f"it is named PNG but is {found} inside", "convert it to PNG", code="not-an-image")
    place, kind, packed = len(SIGNATURE), b"", []
    while kind != b"IEND":
        head = content[place : place + 8]
        length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"")
        end = place + 12 + length
        if len(head) < 8 or end > len(content):
            raise InputError(
                path, f"it ends after {len(content)} bytes, within its data", "restore the file", code="file-damaged"
            )
        if zlib.crc32(content[place + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            found = f"a checksum of its {kind.decode('latin-1')} chunk is wrong"
            raise InputError(path, found, "restore the file", code="file-damaged")
        if kind == b"acTL":
            raise InputError(path, "it is animated", "save each frame as its own PNG", code="not-an-image")
        if kind == b"IDAT":
            packed.append(content[place + 8 : end - 4])
        place = end
    columns, rows, depth, colour, *_, interlaced = struct.unpack_from(">IIBBBBB", content, len(SIGNATURE) + 8)
    if not 1 <= columns * rows <= MOST_PIXELS:
        raise InputError(
            path, f"it has {columns} × {rows} pixels", "cut it into parts", f"at most {MOST_PIXELS}", code="too-large"
        )
    line = 1 + (columns * depth * SAMPLES.get(colour, 1) + 7) // 8
    return _File(path, depth, colour, b"".join(packed), rows * line, interlaced)


def _check_pixels(file: _File) -> None:
    if not file.interlaced and len(zlib.decompressobj().decompress(file.packed, file.size)) < file.size:
        raise ValueError("pixels are missing")


def _decode(file: _File, *, indices: bool) -> Pixels:
    """Pixels (rows, columns, C), with alpha where the file has it."""
    try:
        if file.depth == 16 and file.colour != GREY:
            # Pillow keeps only the upper 8 of 16 bits of colours.
            return read_by_itk(file.path, file.size, "PNGImageIO", components=4)[1].astype(np.uint16, copy=False)
        with Image.open(file.path, formats=("PNG",)) as image:
            _check_pixels(file)
            image.load()
            clear = image.info.get("transparency")
            if file.colour == PALETTE and not indices:
                return np.asarray(image.convert("RGB" if clear is None else "RGBA"))
            pixels = np.atleast_3d(np.asarray(image))
    except (OSError, ValueError, SyntaxError, RuntimeError, zlib.error, Image.DecompressionBombError) as error:
        raise InputError(file.path, f"it can't be decoded ({error})", "restore the file", code="file-damaged") from None
    if file.colour == GREY and file.depth < 8:
        # Pillow stretches 2 and 4 bits to 8; labels need the stored numbers.
        pixels = pixels.astype(np.uint8) // (1 if file.depth == 1 else 255 // (2**file.depth - 1))
    if clear is not None and not indices:
        opaque = (pixels != np.array(clear)).any(axis=2, keepdims=True).astype(pixels.dtype)
        pixels = np.concatenate([pixels, opaque * np.iinfo(pixels.dtype).max], axis=2, dtype=pixels.dtype)
    return pixels


def _arrange(pixels: Pixels, notes: tuple[Note, ...]) -> Read:
    voxels = np.ascontiguousarray(pixels.transpose(2, 1, 0)[..., None])
    return voxels, Grid(voxels.shape[1:], np.eye(4), "px"), notes
