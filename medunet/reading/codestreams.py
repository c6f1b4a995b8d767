"""What a compressed image says of its own size, since decoders fill what a header declares with whatever they have."""

from collections.abc import Iterator

JPEG_2000 = b"\xff\x4f\xff\x51"
"""SOC and SIZ, with which each codestream begins (ISO/IEC 15444-1 A.4.1, A.5.1)."""
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the markers that give the size (ISO/IEC 10918-1 B.1.1.3; 14495-1 C.1.1 for JPEG-LS)."""


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
