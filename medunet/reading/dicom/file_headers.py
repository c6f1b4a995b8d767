"""The header of one DICOM file, kept small from the only time that it is parsed.

Whoever decodes the pixels of a file, or writes objects that refer to it, takes its header from here.
"""

import os
from collections.abc import MutableSequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medunet.errors import SeriesError
from medunet.reading.dicom.elements import PIXELS, read_dataset

Stamp = tuple[int, int, int]
"""Size in bytes, date of the content and date of anything, both in nanoseconds."""
LARGE = 1 << 12
"""Bytes of a value from which it is left out if nobody needs it."""
ICON = BaseTag(0x00880200)
OVERLAYS = range(0x6000, 0x6100)
"""Groups of graphics over the pixels."""
Element = DataElement | RawDataElement


def stamp_file(path: Path | str) -> Stamp:
    """What changes when a file does: its size and dates; a program that sets the second can't set the third."""
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """All elements of a header but large ones that nobody asks for: private ones, overlays and icons.

    Attributes:
        elements: of the file meta information and of the dataset, of which where pixels lie is one. What is equal in
            two files of a series is held once.
        encoding: whether elements leave out their types, and whether their byte order is little endian.
        characters: names of the encodings of text.
    """

    elements: tuple[Element, ...]
    encoding: tuple[bool | None, bool | None]
    characters: str | MutableSequence[str]

    def open(self, path: str) -> FileDataset:
        """The header as pydicom's dataset."""
        parts: tuple[dict[BaseTag, Element], ...] = {}, {}
        for element in self.elements:
            parts[element.tag.group != 2][element.tag] = element
        implicit, little = map(bool, self.encoding)
        dataset = FileDataset(path, parts[1], None, FileMetaDataset(parts[0]), implicit, little)
        dataset.set_original_encoding(implicit, little, self.characters)
        return dataset


@dataclass(frozen=True, slots=True, eq=False)
class FileHeader:
    """The header of one file.

    Attributes:
        path: of the file.
        stamp: of the file when it was parsed.
        kept: what was parsed; None where it is parsed again by whoever needs it.
    """

    path: str
    stamp: Stamp
    kept: Kept | None = None

    def open(self) -> FileDataset:
        """The header as `read_dataset` gives it, not to be changed; a SeriesError where the file has changed since."""
        if stamp_file(self.path)[:2] != self.stamp[:2]:
            found, remedy = "it changed after its header was read", "try again when nothing writes to it"
            raise SeriesError(self.path, found, remedy, code="files-changed")
        return read_dataset(self.path) if self.kept is None else self.kept.open(self.path)

    def describe(self) -> FileDataset:
        """The header without pixels, in elements of its own, which may be changed."""
        dataset = read_dataset(self.path) if self.kept is None else self.kept.open(self.path)
        for tag in list(dataset.keys()):
            element = dataset.get_item(tag, keep_deferred=True)
            if tag in PIXELS:
                del dataset[tag]
            elif isinstance(element, DataElement):
                dataset[tag] = DataElement(tag, element.VR, element.value, already_converted=True)
        return dataset


def keep_header(dataset: FileDataset, other: Kept | None = None) -> Kept | None:
    """Keep a dataset that was parsed just now, together with that of another file of its series.

    A deflated file isn't kept, since its pixels are elements too.
    """
    if dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return None
    known = {element.tag: element for element in other.elements} if other else {}
    parts = dataset.file_meta, dataset
    found = (part.get_item(tag, keep_deferred=True) for part in parts for tag in list(part.keys()))
    elements = tuple(_choose(known.get(element.tag), element) for element in found if not _is_ballast(element))
    return Kept(elements, dataset.original_encoding, dataset.original_character_set)


def _is_ballast(element: Element) -> bool:
    if not isinstance(element, RawDataElement) or len(element.value or b"") < LARGE:
        return False
    return element.tag.is_private or element.tag.group in OVERLAYS or element.tag == ICON


def _choose(known: Element | None, own: Element) -> Element:
    """The known element where it has the same value; where values lie in their files differs."""
    if not isinstance(known, RawDataElement) or not isinstance(own, RawDataElement) or own.tag in PIXELS:
        return own
    return known if (known.VR, known.value, *known[5:]) == (own.VR, own.value, *own[5:]) else own
