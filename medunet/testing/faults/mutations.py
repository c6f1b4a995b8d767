"""Damages the bytes of a file by chance, as disks, cut transfers and bad programs do.

Damage fits any format; some of it aims at DICOM: the lengths of elements, and numbers written as text.
"""

import re
from collections.abc import Callable

import numpy as np

WORD = re.compile(rb"AE|AS|AT|CS|DA|DS|FD|IS|LO|LT|OB|OW|PN|SH|SQ|SS|ST|TM|UI|UL|UN|US|UT")
"""Types of DICOM elements, before whose lengths they stand."""


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file in one to three ways: bits, cuts, swaps, lengths, digits, repetitions.

    Args:
        content: of a sound file; one of 16 bytes or fewer stays as it is.
        rng: chooses; the same state gives the same damage.

    Returns:
        Bytes that differ in most cases, of another length in some.
    """
    for _ in range(int(rng.integers(1, 4))):
        change = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        content = change(content, rng) if len(content) > 16 else content
    return content


def _put(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    end = len(content) if rng.random() < 0.5 else min(len(content), 1500)
    for at in rng.integers(0, end, int(rng.integers(1, 9))):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(1, len(content)))]


def _swap_words(content: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([2, 4]))
    first, second = (int(n) * 2 for n in rng.integers(0, (len(content) - size) // 2, 2))
    one, other = content[first : first + size], content[second : second + size]
    return _put(_put(content, first, other), second, one)


def _inflate(content: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(content) // 2 - 4)) * 2
    huge = (b"\xff\xff", b"\xff\x7f", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 8)
    return _put(content, at, huge[int(rng.integers(len(huge)))])


def _lie_about_length(content: bytes, rng: np.random.Generator) -> bytes:
    """Another length after one of the two letters that DICOM's types have."""
    places = [match.end() for match in WORD.finditer(content[:20000])]
    if not places:
        return _inflate(content, rng)
    at = places[int(rng.integers(len(places)))]
    return _put(content, at, int(rng.integers(0, 1 << 16)).to_bytes(2, "little") * int(rng.choice([1, 3])))


def _change_digit(content: bytes, rng: np.random.Generator) -> bytes:
    places = [match.start() for match in re.finditer(rb"[0-9]", content[:20000])]
    if not places:
        return _flip(content, rng)
    new = b"0123456789-+eE.nN\\ "[int(rng.integers(19)) :][:1]
    return _put(content, places[int(rng.integers(len(places)))], new)


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    start, size, at = (int(n) for n in rng.integers(0, len(content), 3))
    return content[:at] + content[start : start + size % 400] + content[at:]


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _flip,
    _cut,
    _swap_words,
    _inflate,
    _lie_about_length,
    _change_digit,
    _repeat,
)
