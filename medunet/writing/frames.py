"""Write a DICOM image of many frames a frame at a time, so that it may be larger than the memory."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence_item
from pydicom.uid import ExplicitVRLittleEndian

LARGEST = 2**32 - 2
"""Bytes of plain pixels that a file can hold, whose length is a number of 32 bits."""
ENCODINGS = ["utf-8"]
GROUPS = bytes.fromhex("00523092") + b"SQ\0\0"
"""Head of the Per-frame Functional Groups Sequence, up to its length."""
PIXELS = bytes.fromhex("e07f1000") + b"OB\0\0"
"""Head of the Pixel Data, up to their length."""


def write_frames(dataset: Any, path: Path, groups: Iterable[Dataset], pixels: Iterable[bytes], size: int) -> None:
    """Write an image whose functional groups and pixels come one by one.

    Args:
        dataset: all else of it, of highdicom or a pydicom FileDataset, in Explicit VR Little Endian, the texts in
            UTF-8.
        path: the file.
        groups: functional groups of each frame.
        pixels: of all frames, in pieces of any length.
        size: bytes of them, at most `LARGEST`.

    Raises:
        ValueError: the dataset is encoded otherwise, the pixels don't fit, or they are more or less than was said.
    """
    if dataset.file_meta.TransferSyntaxUID != ExplicitVRLittleEndian or size > LARGEST:
        raise ValueError(f"{size} bytes in {dataset.file_meta.TransferSyntaxUID.name} can't be written a frame a time")
    dataset.save_as(path, enforce_file_format=True)
    with path.open("r+b") as stream:
        # Nothing else that an image holds has a higher tag than these two.
        stream.seek(0, os.SEEK_END)
        stream.write(GROUPS + bytes(4))
        start = stream.tell()
        for item in groups:
            stream.write(_encode(item))
        end = stream.tell()
        stream.seek(start - 4)
        stream.write((end - start).to_bytes(4, "little"))
        stream.seek(end)
        stream.write(PIXELS + (size + size % 2).to_bytes(4, "little"))
        start = stream.tell()
        for piece in pixels:
            stream.write(piece)
        if stream.tell() - start != size:
            raise ValueError(f"{stream.tell() - start} bytes of pixels came in place of {size}")
        stream.write(b"\0" * (size % 2))


def _encode(item: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_sequence_item(buffer, item, ENCODINGS)
    encoded: bytes = buffer.getvalue()
    return encoded
