"""Text of DICOM files: which encodings a Specific Character Set means, spelt rightly or not, and strict decoding.

pydicom takes what it doesn't know for ISO 8859-1, which decodes any bytes, so that a name becomes another one without
a word. Defined terms: DICOM PS3.3 C.12.1.1.2.
"""

import codecs
import re
import warnings
from collections.abc import Sequence

from pydicom.charset import (
    CODES_TO_ENCODINGS,
    STAND_ALONE_ENCODINGS,
    decode_bytes,
    default_encoding,
    python_encoding,
)
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

ESCAPE = b"\x1b"
_ODD = re.compile(r"[^A-Z0-9]")
_TERMS = {_ODD.sub("", term.upper()): encoding for term, encoding in python_encoding.items() if term}
_TERMS |= {term.replace("ISOIR", "ISO2022IR"): encoding for term, encoding in _TERMS.items()}
_TERMS |= {term.replace("ISO2022", "ISO"): encoding for term, encoding in _TERMS.items()}
_TERMS |= {"UTF8": "UTF8", "UNICODE": "UTF8", "ISO10646": "UTF8", "ISO2022GB18030": "GB18030"}
"""Encodings by their term in capitals and digits alone."""
_ALONE = {python_encoding[term].lower() for term in STAND_ALONE_ENCODINGS}


def find_encodings(named: str | Sequence[str] | None) -> list[str]:
    """Python's encodings for the values of a Specific Character Set, whatever their case, blanks and dashes.

    Unicode, GB18030 and GBK can't be extended by escape sequences, so one of them is all that counts.

    Args:
        named: the value or values; none or an empty one is ASCII.

    Returns:
        One encoding or more, the first of which is that of text without escape sequences. A term that nobody knows is
        taken for ASCII, like none.
    """
    terms = [named or ""] if isinstance(named, str) or named is None else [*named]
    found = [_find_encoding(str(term)) for term in terms]
    alone = [encoding for encoding in found if encoding.lower() in _ALONE]
    return alone[:1] or found or [default_encoding]


def _find_encoding(term: str) -> str:
    short = _ODD.sub("", term.upper())
    if short in _TERMS or not short:
        return _TERMS.get(short, default_encoding)
    try:
        return codecs.lookup(term.strip()).name
    except LookupError:
        return default_encoding


def decode_text(raw: bytes, named: str | Sequence[str] | None, *, is_name: bool = False) -> str | None:
    """Decode text strictly, or by a repair that leaves no choice.

    Bytes beyond ASCII without a character set that says how are UTF-8 if that decodes them, since other text hardly
    ever does; escape sequences name their own encodings.

    Args:
        raw: as stored.
        named: the Specific Character Set.
        is_name: of a person, whose parts are decoded apart.

    Returns:
        The text, None where nothing says what it is.
    """
    encodings = find_encodings(named)
    if encodings[0].lower() in _ALONE and encodings[0] != "UTF8" and _contradict(named):
        return None
    encodings += [
        encoding for code, encoding in CODES_TO_ENCODINGS.items() if code in raw and encoding not in encodings
    ]
    if encodings == [default_encoding] and not raw.isascii() and ESCAPE not in raw:
        encodings = ["UTF8"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pydicom warns where it puts other characters in place
            return decode_bytes(raw, encodings, PN_DELIMS if is_name else TEXT_VR_DELIMS).rstrip(" \0")
    except (UnicodeError, LookupError, Warning):
        return None


def _contradict(named: str | Sequence[str] | None) -> bool:
    """Whether several encodings are named beside ASCII, each of which would decode the same bytes to other text."""
    terms = [named or ""] if isinstance(named, str) or named is None else named
    return len({_find_encoding(str(term)).lower() for term in terms} - {default_encoding}) > 1
