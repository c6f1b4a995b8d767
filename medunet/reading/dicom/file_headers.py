"""The header of one DICOM file, kept small from the only time that it is parsed.

Whoever decodes the pixels of a file, or writes objects that refer to it, takes its header from here.
"""

import os
from collections.abc import MutableSequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
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
class _Elements:
    """Elements of a dataset; where files of a series agree, they share them, and the tuple of their tags."""

    tags: tuple[BaseTag, ...]
    values: tuple[Element, ...]

    def share(self, other: "_Elements") -> "_Elements":
        """The same, made of the elements of another file where these are equal."""
        known = dict(zip(other.tags, other.values, strict=True))
        values = tuple(_choose(known.get(tag), element) for tag, element in zip(self.tags, self.values, strict=True))
        return _Elements(other.tags if other.tags == self.tags else self.tags, values)

    def open(self) -> dict[BaseTag, Element]:
        """Elements by tag, as pydicom takes them."""
        return dict(zip(self.tags, self.values, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """All elements of a header but large ones that nobody asks for: private ones, overlays and icons.

    Attributes:
        elements: of the dataset; where pixels lie is one of them.
        meta: of the file meta information.
        implicit: elements don't name their types.
        little: their byte order is little endian.
        characters: names of the encodings of text.
    """

    elements: _Elements
    meta: _Elements
    implicit: bool
    little: bool
    characters: str | MutableSequence[str]

    def share(self, other: "Kept | None") -> "Kept":
        """The same, holding what is equal in another file of its series only once."""
        if other is None:
            return self
        elements, meta = self.elements.share(other.elements), self.meta.share(other.meta)
        return Kept(elements, meta, self.implicit, self.little, self.characters)

    def open(self, path: str) -> FileDataset:
        """The header as pydicom's dataset."""
        meta = FileMetaDataset(self.meta.open())
        dataset = FileDataset(path, self.elements.open(), None, meta, self.implicit, self.little)
        dataset.set_original_encoding(self.implicit, self.little, self.characters)
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
        """The header as `read_dataset` gives it, with its pixels still in the file; it isn't to be changed.

        Raises:
            SeriesError: the file isn't the one that was parsed.
            OSError: it is gone.
        """
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


def keep_header(dataset: FileDataset) -> Kept | None:
    """Take what is to be kept of a dataset that was parsed just now, before values are made of its elements.

    Returns:
        None for a deflated file, whose elements hold its pixels too.
    """
    if dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        return None
    implicit, little = dataset.original_encoding
    return Kept(
        elements=_take(dataset),
        meta=_take(dataset.file_meta),
        implicit=bool(implicit),
        little=bool(little),
        characters=dataset.original_character_set,
    )


def _take(dataset: Dataset) -> _Elements:
    found = [(tag, dataset.get_item(tag, keep_deferred=True)) for tag in dataset.keys()]  # noqa: SIM118 - tags
    wanted = [(tag, element) for tag, element in found if not _is_ballast(tag, element)]
    tags, values = zip(*wanted, strict=True) if wanted else ((), ())
    return _Elements(tags, values)


def _is_ballast(tag: BaseTag, element: Element) -> bool:
    if not isinstance(element, RawDataElement) or len(element.value or b"") < LARGE:
        return False
    return bool(tag.is_private) or tag.group in OVERLAYS or tag == ICON


def _choose(known: Element | None, own: Element) -> Element:
    """The known element where it has the same value; where values lie in their files differs."""
    if not isinstance(known, RawDataElement) or not isinstance(own, RawDataElement) or own.tag in PIXELS:
        return own
    same = known.VR == own.VR and known.value == own.value
    return known if same and known[5:] == own[5:] else own
