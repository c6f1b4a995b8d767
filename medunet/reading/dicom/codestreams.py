"""Compressed frames: where they lie in a file, and what each says of its own size.

Decoders fill what a header declares with whatever they have, so the two must agree before one is asked.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

JPEG_2000 = b"\xff\x4f\xff\x51"
"""SOC and SIZ, with which each codestream begins (ISO/IEC 15444-1 A.4.1, A.5.1)."""
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers that give the size (ISO/IEC 10918-1 B.1.1.3; 14495-1 C.1.1 for JPEG-LS)."""
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


def measure_stream(stream: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG, JPEG-LS or JPEG 2000 codestream; None where it doesn't say them."""
    if stream.startswith(JPEG_2000):
        right, low, left, high = (int.from_bytes(stream[at : at + 4]) for at in (8, 12, 16, 20))
        return low - high, right - left
    for marker, at in _find_segments(stream):
        if marker in START_OF_FRAME:
            return int.from_bytes(stream[at + 3 : at + 5]), int.from_bytes(stream[at + 5 : at + 7])
    return None


def _find_segments(stream: bytes) -> Iterator[tuple[int, int]]:
    """Marker segments after the first marker: second byte of the marker, and where the segment's length stands."""
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        if stream[at + 1] == 0xFF:
            at += 1  # a fill byte
            continue
        yield stream[at + 1], at + 2
        at += 2 + int.from_bytes(stream[at + 2 : at + 4])
