"""Walk over the elements of a DICOM file within limits, before pydicom makes values of them.

pydicom follows whatever a header says: it takes a length beyond the end of the file for the end of the header, inflates
whatever is deflated, and needs most of a minute for a million empty items. Here each length must end within the file,
and what is nested is counted without recursion; pydicom then turns only those elements into values that are asked for.
"""

import os
import re
import zlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element, empty_value_for_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from medunet.reading.dicom.characters import find_encodings

MOST_DEPTH = 16
"""Sequences within each other; a structured report has about ten."""
MOST_ITEMS, MOST_ELEMENTS = 500_000, 2_000_000
"""Items and elements that a file may have, as a SEG of 100 labels has them; pydicom takes half a minute for as many."""
MOST_BYTES = 1 << 27
"""Bytes that a header may have, without its pixels."""
MOST_INFLATED = 1 << 28
"""Bytes that a deflated file may unpack to, with its pixels."""
FIRST_BYTES = 1 << 14
"""Enough for the header of most slices; where it isn't, sixteen times as much is read."""
BEGIN_BYTES = 1 << 20
"""Bytes of a damaged file in which is looked for what it was."""
BARE = re.compile(
    rb"\x02\x00[\x00\x01\x02\x03\x10]\x00(UL|OB|UI)|\x08\x00[\x00\x01\x05\x08\x12\x16\x18]\x00(UL|UI|CS|DA|.\x00\x00\x00)",
    re.S,
)
"""First element of a file without preamble: one of group 2, or one of group 8, explicit or implicit."""
PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
"""What ends a header."""
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
CHARACTERS = BaseTag(0x00080005)
_NAMES = {name.encode(): str(name.value) for name in VR}
_NESTING = (None, "SQ", "UN")
_LONG = frozenset(str(name.value) for name in EXPLICIT_VR_LENGTH_32)
REPEATED = {
    tag_for_keyword(name)
    for name in (
        "TransferSyntaxUID",
        "ImageType",
        "SOPClassUID",
        "Modality",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "FrameOfReferenceUID",
        "PixelSpacing",
        "ImageOrientationPatient",
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "RescaleIntercept",
        "RescaleSlope",
        "AcquisitionNumber",
        "AcquisitionDate",
        "ContentDate",
    )
}
SHORT = 256
"""Elements of plain ASCII that most slices of a series share, of as many bytes: they are made into values once."""
ITEMS, ELEMENTS, FRAGMENTS = "items", "elements", "fragments"
"""What values and items hold."""
_Elements = dict[BaseTag, Any]


class _NeedsMoreError(Exception):
    """The header goes on where the bytes that were read end, but not the file."""


def read_dataset(path: Path | str) -> FileDataset:
    """Read the header of a DICOM file, also one of those old ones that begin without preamble and "DICM".

    Args:
        path: the file.

    Returns:
        A pydicom Dataset; its pixels stay in the file until they are asked for.

    Raises:
        InvalidDicomError: it is no DICOM file.
        ValueError: it is damaged or beyond the limits.
    """
    with open(path, "rb", buffering=0) as stream:
        size, length, data = os.fstat(stream.fileno()).st_size, FIRST_BYTES, b""
        while True:
            data += stream.read(length - len(data))
            try:
                return _parse(data, size, str(path))
            except _NeedsMoreError:
                if length >= MOST_BYTES:
                    raise ValueError(f"its header is longer than {MOST_BYTES} bytes") from None
                length = min(16 * length, MOST_BYTES)


def read_begin(path: Path | str) -> FileDataset | None:
    """Read what can be read of the header of a damaged file, to tell what it was.

    Returns:
        Elements that aren't damaged themselves, as far as where they begin is known; None where there are none.
    """
    try:
        with open(path, "rb") as stream:
            dataset = _parse(stream.read(BEGIN_BYTES), os.path.getsize(path), str(path), damaged=True)
    # There is nothing more to be said of it.
    except Exception:
        return None
    for tag in list(dataset.keys()):
        # pydicom makes values when they are asked for, and raises many kinds of errors where it can't.
        try:
            dataset[tag]
        except Exception:
            del dataset[tag]
    return dataset


def _parse(data: bytes, size: int, path: str, *, damaged: bool = False) -> FileDataset:
    preamble = data[:128] if data[128:132] == b"DICM" else None
    if preamble is None and not BARE.match(data):
        raise InvalidDicomError("it has no preamble with DICM")
    walk = _Walk(data, size)
    meta, at = walk.read_group(132 if preamble else 0, 2)
    file_meta = FileMetaDataset(meta)
    file_meta.set_original_encoding(False, True, default_encoding)
    syntax = file_meta.get("TransferSyntaxUID")
    if syntax == DeflatedExplicitVRLittleEndian:
        walk, at = _inflate(walk, at), 0
    walk.choose_encoding(syntax, at)
    elements = walk.read_intact(at) if damaged else walk.read_all(at)
    dataset = FileDataset(path, elements, preamble, file_meta, walk.implicit, walk.little)
    named = elements.get(CHARACTERS)
    characters = find_encodings(convert_raw_data_element(named).value) if named else default_encoding
    dataset.set_original_encoding(walk.implicit, walk.little, characters)
    return dataset


def _inflate(walk: "_Walk", at: int) -> "_Walk":
    """What follows the file meta information of a deflated file (DICOM PS3.5 A.5)."""
    walk.require(walk.size)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(walk.data[at:], MOST_INFLATED)
    if not inflater.eof:
        raise ValueError(f"it breaks off, or inflates to more than {MOST_INFLATED} bytes")
    return _Walk(data, len(data), inflated=True)


@lru_cache(1024)
def _convert(tag: int, name: str | None, value: bytes, implicit: bool, little: bool) -> RawDataElement | DataElement:
    """An element that most slices of a series share."""
    raw = RawDataElement(BaseTag(tag), name, len(value), value, 0, implicit, little)
    try:
        return convert_raw_data_element(raw)
    # Whoever asks for it is told, if anyone does.
    except Exception:
        return raw


class _Walk:
    """Elements of one file.

    Args:
        data: the file, or its begin.
        size: of the whole file.
        inflated: data isn't what lies in the file.
    """

    def __init__(self, data: bytes, size: int, *, inflated: bool = False) -> None:
        self.data, self.size, self.inflated = data, size, inflated
        self.items = self.count = 0
        self._encode(implicit=False, little=True)

    def _encode(self, *, implicit: bool, little: bool) -> None:
        self.implicit, self.little = implicit, little
        order = "<" if little else ">"
        self._short, self._plain, self._length = Struct(f"{order}HH2sH"), Struct(f"{order}HHL"), Struct(f"{order}L")

    def choose_encoding(self, syntax: str | None, at: int) -> None:
        """Byte order and kind of the elements at `at`, which tell themselves whether they name their types."""
        little = syntax != ExplicitVRBigEndian
        implicit = syntax == ImplicitVRLittleEndian
        if len(self.data) >= at + 6:
            implicit = not _is_type(self.data[at + 4 : at + 6])
            # Without a transfer syntax only the first group, 8, can tell.
            little &= bool(syntax) or self.data[at : at + 2] != b"\0\x08"
        self._encode(implicit=implicit, little=little)

    def require(self, end: int) -> None:
        """Check that the file has as many bytes."""
        if end > self.size:
            raise ValueError(f"what should end at byte {end} is beyond the end of the file at {self.size}")
        if end > len(self.data):
            raise _NeedsMoreError

    def read_group(self, at: int, group: int) -> tuple[_Elements, int]:
        """Elements of one group, and where they end."""
        elements: _Elements = {}
        while self.size - at >= 8:
            tag, name, length, start = self._read_element(at, self.implicit)
            if tag >> 16 != group:
                break
            at = self._take(elements, tag, name, length, start)
        return elements, at

    def read_all(self, at: int) -> _Elements:
        """All elements up to the pixels."""
        elements: _Elements = {}
        while self.size - at >= 8:
            tag, name, length, start = self._read_element(at, self.implicit)
            if tag in PIXELS:
                self._leave(elements, tag, name, length, start)
                return elements
            at = self._take(elements, tag, name, length, start)
        if self.data[at:].strip(b"\0"):
            raise ValueError(f"it ends at byte {self.size}, within an element")
        return elements

    def read_intact(self, at: int) -> _Elements:
        """Elements up to the pixels that aren't damaged, as far as where they begin is known."""
        elements: _Elements = {}
        with suppress(ValueError, _NeedsMoreError):
            while self.size - at >= 8:
                tag, name, length, start = self._read_element(at, self.implicit)
                if tag in PIXELS:
                    break
                at = start + length
                with suppress(*([] if length == UNDEFINED else [ValueError])):
                    at = self._take(elements, tag, name, length, start)
        return elements

    def _take(self, elements: _Elements, tag: int, name: str | None, length: int, start: int) -> int:
        """Keep an element; where it ends."""
        end = start + length
        if name in _NESTING or length == UNDEFINED:
            name, end = self._find_end(tag, name, length, start)
        elif end > len(self.data):
            self.require(end)
        if tag in REPEATED and 0 < length <= SHORT:
            element = _convert(tag, name, self.data[start:end], self.implicit, self.little)
            elements[element.tag] = element
            return end
        value = self.data[start:end] if end > start else empty_value_for_VR(name, raw=True)
        key = BaseTag(tag)
        elements[key] = RawDataElement(key, name, length, value, start, self.implicit, self.little)  # type: ignore[arg-type]
        return end

    def _leave(self, elements: _Elements, tag: int, name: str | None, length: int, start: int) -> None:
        """Keep where pixels are; those of a deflated file lie nowhere else."""
        end = self.size if length == UNDEFINED else start + length
        if end > self.size:
            raise ValueError(f"its pixels should end at byte {end}, beyond the end of the file at {self.size}")
        key, value = BaseTag(tag), self.data[start:end] if self.inflated else None
        elements[key] = RawDataElement(key, name, length, value, start, self.implicit, self.little)

    def _read_element(self, at: int, implicit: bool) -> tuple[int, str | None, int, int]:
        """Tag, type (if it is named), length and begin of the value of the element at `at` (DICOM PS3.5 7.1)."""
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise ValueError(f"it has more than {MOST_ELEMENTS} elements")
        if at + 12 > len(self.data):
            self.require(at + 8)
        group, number, code, length = self._short.unpack_from(self.data, at)
        name = None if implicit else _NAMES.get(code)
        if name in _LONG:
            self.require(at + 12)
            return group << 16 | number, name, self._length.unpack_from(self.data, at + 8)[0], at + 12
        if name is None and (implicit or not _is_type(code)):
            length = self._plain.unpack_from(self.data, at)[2]
        elif name is None:
            name = code.decode()
        return group << 16 | number, name, length, at + 8

    def _find_end(self, tag: int, name: str | None, length: int, start: int) -> tuple[str | None, int]:
        """Type and end of a value; what it holds of sequences is counted."""
        if tag >> 16 == 0xFFFE:
            raise ValueError(f"there is an end of a sequence at byte {start} and no begin")
        level = self._open(tag, name, length, start, self.implicit)
        if level is None:
            return name, start + length
        return ("SQ" if level.kind == ITEMS else name), self._count(start, level)

    def _open(self, tag: int, name: str | None, length: int, start: int, implicit: bool) -> "_Level | None":
        """What a value holds if it consists of items; None where it is plain."""
        if name in (None, "UN"):
            name = dictionary_VR(tag) if dictionary_has_tag(tag) else "SQ" if length == UNDEFINED else None
        if length == UNDEFINED:
            return _Level(UNDEFINED, implicit, ITEMS if name == "SQ" else FRAGMENTS)
        self.require(start + length)
        return _Level(start + length, implicit, ITEMS) if name == "SQ" else None

    def _count(self, at: int, level: "_Level") -> int:
        """Count all items and elements within a value; where it ends."""
        levels = [level]
        while levels:
            end, implicit, kind = levels[-1]
            if at >= end:
                if at > end:
                    raise ValueError(f"what is within a sequence that ends at byte {end} ends at {at}")
                levels.pop()
                continue
            read = self._read_element if kind == ELEMENTS else self._read_item
            tag, name, length, start = read(at, implicit)
            if tag == (ITEM_END if kind == ELEMENTS else SEQUENCE_END):
                levels.pop()
                at = start
                continue
            if kind == ELEMENTS:
                inner = self._open(tag, name, length, start, implicit)
            else:
                inner = self._open_item(length, start, implicit, kind)
            if inner is None:
                at = start + length
            elif len(levels) >= 2 * MOST_DEPTH:
                raise ValueError(f"its sequences are nested deeper than {MOST_DEPTH}")
            else:
                levels.append(inner)
                at = start
        return at

    def _read_item(self, at: int, _: bool) -> tuple[int, str | None, int, int]:
        """Read the head of an item, or of the end of a sequence; returns what `_read_element` does."""
        self.require(at + 8)
        group, number, length = self._plain.unpack_from(self.data, at)
        tag = group << 16 | number
        if tag not in (ITEM, SEQUENCE_END):
            raise ValueError(f"a sequence holds at byte {at} what is no item")
        self.items += 1
        if self.items > MOST_ITEMS:
            raise ValueError(f"it has more than {MOST_ITEMS} items")
        return tag, None, length, at + 8

    def _open_item(self, length: int, start: int, implicit: bool, kind: str) -> "_Level | None":
        if length != UNDEFINED:
            self.require(start + length)
        if kind == FRAGMENTS:
            return None
        # Within explicit elements an item may be implicit, but not the other way round (DICOM PS3.5 6.2.2).
        implicit = implicit or not _is_type(self.data[start + 4 : start + 6])
        return _Level(UNDEFINED if length == UNDEFINED else start + length, implicit, ELEMENTS)


class _Level(NamedTuple):
    """A value that consists of items, or one of its items."""

    end: int
    implicit: bool
    kind: str


def _is_type(code: bytes) -> bool:
    return b"AA" <= code <= b"ZZ" and code.isalpha()
