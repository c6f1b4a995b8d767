"""Compressed frames: where they lie in a file, and what each says of its own size and bits.

Decoders fill what a header declares with whatever they have, so the two must agree before one is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

JPEG_2000 = b"\xff\x4f\xff\x51"
"""SOC and SIZ, with which each codestream begins (ISO/IEC 15444-1 A.4.1, A.5.1)."""
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers that give the size (ISO/IEC 10918-1 B.1.1.3; 14495-1 C.1.1 for JPEG-LS)."""
LOSSLESS_FRAMES = {0xC3, 0xC7, 0xCB, 0xCF}
"""Of these the ones whose JPEG loses nothing (ISO/IEC 10918-1 B.1.1.3)."""
JPEG_LS_FRAME, START_OF_SCAN, CODING_STYLE = 0xF7, 0xDA, 0x52
ITEM, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
Span = tuple[int, int]
"""Where bytes begin, and where they end."""


def find_streams(file: BinaryIO, start: int, frames: int) -> list[list[Span]]:
    """Where the fragments of each frame lie (DICOM PS3.5 A.4).

    Args:
        file: little endian, as all with compressed pixels are.
        start: of the value of its Pixel Data.
        frames: that it declares.

    Raises:
        ValueError: its items break off, or there is no telling which fragment belongs to which frame.
    """
    (first, end), *fragments = _find_items(file, start)
    if frames == 1:
        return [fragments]
    if len(fragments) == frames:
        return [[fragment] for fragment in fragments]
    file.seek(first)
    table = file.read(end - first)
    starts = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
    # Offsets count from the first byte after the table, to the item's tag.
    groups = [[span for span in fragments if low <= span[0] - 8 - end < high] for low, high in _pair(starts)]
    if len(groups) != frames or not all(groups):
        raise ValueError(f"{frames} frames in {len(fragments)} fragments, and no table that parts them")
    return groups


def _pair(starts: Sequence[int]) -> Iterator[tuple[int, float]]:
    return zip(starts, [*starts[1:], float("inf")], strict=True)


def _find_items(file: BinaryIO, at: int) -> list[Span]:
    size = file.seek(0, 2)
    found: list[Span] = []
    while True:
        file.seek(at)
        head = file.read(8)
        if head[:4] == SEQUENCE_END and found:
            return found
        end = at + 8 + int.from_bytes(head[4:], "little")
        if head[:4] != ITEM or end > size:
            raise ValueError(f"its compressed pixels break off at byte {at}")
        found.append((at + 8, end))
        at = end


def read_stream(file: BinaryIO, fragments: Sequence[Span]) -> bytes:
    """The codestream of one frame."""
    parts = []
    for start, end in fragments:
        file.seek(start)
        parts.append(file.read(end - start))
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a codestream says of itself.

    Attributes:
        rows: of its pixels.
        columns: of its pixels.
        bits: of each of them.
        signed: whether they may be negative, which JPEG and JPEG-LS can't say.
        lossy: whether the way in which it was made loses.
    """

    rows: int
    columns: int
    bits: int
    signed: bool = False
    lossy: bool = False


def describe_stream(stream: bytes) -> Frame | None:
    """What a JPEG, JPEG-LS or JPEG 2000 codestream says of itself; None where it doesn't say its size."""
    return _describe_wavelets(stream) if stream.startswith(JPEG_2000) else _describe_jpeg(stream)


def _describe_jpeg(stream: bytes) -> Frame | None:
    kind, frame = 0, None
    for marker, at in _find_segments(stream):
        if marker in START_OF_FRAME and at + 7 <= len(stream):
            rows, columns = (int.from_bytes(stream[at + n : at + n + 2]) for n in (3, 5))
            kind, frame = marker, Frame(rows, columns, stream[at + 2], lossy=marker not in LOSSLESS_FRAMES)
        elif marker == START_OF_SCAN and frame and kind == JPEG_LS_FRAME:
            # After the components comes NEAR, how far a value may be off (ISO/IEC 14495-1 C.2.3).
            near = at + 3 + 2 * int.from_bytes(stream[at + 2 : at + 3])
            return Frame(frame.rows, frame.columns, frame.bits, lossy=stream[near : near + 1] != b"\0")
        elif marker == START_OF_SCAN:
            break
    return frame


def _describe_wavelets(stream: bytes) -> Frame | None:
    """SIZ and COD (ISO/IEC 15444-1 A.5.1, A.6.1): the last byte of the latter names the irreversible transformation."""
    if len(stream) < 43:
        return None
    right, low, left, high = (int.from_bytes(stream[at : at + 4]) for at in (8, 12, 16, 20))
    styles = (at for marker, at in _find_segments(stream) if marker == CODING_STYLE)
    lossy = next((stream[at + 11 : at + 12] == b"\0" for at in styles), False)
    return Frame(low - high, right - left, (stream[42] & 0x7F) + 1, bool(stream[42] & 0x80), lossy)


def _find_segments(stream: bytes) -> Iterator[tuple[int, int]]:
    """Marker segments after the first marker: second byte of the marker, and where the segment's length stands."""
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        if stream[at + 1] == 0xFF:
            at += 1  # a fill byte
            continue
        yield stream[at + 1], at + 2
        at += 2 + int.from_bytes(stream[at + 2 : at + 4])
