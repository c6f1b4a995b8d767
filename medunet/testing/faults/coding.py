"""Edits that write the pixels of a scan in another encoding, or damage how they are encoded.

Functions of a scan are edits; `compress` and `encode` make one.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames, get_frame
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from medunet.testing.faults.edits import Edit, pick, pick_odd
from medunet.testing.faults.scans import Scan, draw_values, write_dataset

HTJ2K_FRAMES = Path(__file__).with_name("htj2k.bin")
"""The slices of the clean scan, stored numbers of 16 bits, as HTJ2K; encapsulated as in DICOM. Made by
`imagecodecs.htj2k_encode` 2026.3.6 (OpenJPH 0.26.3), since no encoder of it is among what medunet needs."""


def compress(syntax: str, plugin: str, only: Iterable[int] | None = None, **options: Any) -> Edit:
    """Make an edit that compresses pixels by one of pydicom's encoders.

    Args:
        syntax: UID of the transfer syntax.
        plugin: of pydicom, that encodes.
        only: numbers of the slices from 0; all slices if left out.
        options: of the encoder.
    """

    def edit(scan: Scan) -> None:
        for item in pick(scan, only):
            item.dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False, **options)
            if syntax == JPEG2000:
                item.dataset.LossyImageCompression = "01"

    return edit


def compress_bits(syntax: str, plugin: str, bits: int = 16, signed: bool = False) -> Edit:
    """Make an edit that compresses pixels as numbers of other bits or sign than their header's, which stays.

    Args:
        syntax: UID of the transfer syntax.
        plugin: of pydicom, that encodes.
        bits: that the codestream has.
        signed: whether the codestream says that numbers may be negative; only one of JPEG 2000 can.
    """

    def edit(scan: Scan) -> None:
        for item in scan.slices:
            said = item.dataset.BitsStored, item.dataset.HighBit, item.dataset.PixelRepresentation
            item.dataset.BitsStored, item.dataset.HighBit, item.dataset.PixelRepresentation = bits, bits - 1, signed
            item.dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
            item.dataset.BitsStored, item.dataset.HighBit, item.dataset.PixelRepresentation = said

    return edit


def compress_baseline(scan: Scan) -> None:
    """Store the upper 8 of 12 bits as lossy JPEG baseline, each slice; the truth follows but for the loss."""
    for item in scan.slices:
        stream = io.BytesIO()
        Image.fromarray((item.stored() >> 4).astype(np.uint8)).save(stream, "JPEG", quality=95)
        item.values = (item.stored() >> 4).astype(np.float64) + float(item.dataset.get("RescaleIntercept", 0))
        item.dataset.BitsAllocated, item.dataset.BitsStored, item.dataset.HighBit = 8, 8, 7
        item.dataset.PixelData = encapsulate([stream.getvalue()])
        item.dataset["PixelData"].VR = "OB"
        item.dataset.LossyImageCompression = "01"
        item.dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit


def compress_lossless_jpeg(folder: Path) -> None:
    """Rewrite the uncompressed files of a series in JPEG lossless, by GDCM, the only encoder of it that Python has.

    Args:
        folder: of the files, `*.dcm`.
    """
    import gdcm

    for path in sorted(folder.glob("*.dcm")):
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        change.Change()
        stream = change.GetOutput().GetDataElement().GetSequenceOfFragments().GetFragment(0).GetByteValue().GetBuffer()
        # GDCM's own writer would fill in what the header lacks.
        dataset = dcmread(path)
        dataset.PixelData = encapsulate([stream.encode("utf-8", "surrogateescape")])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        write_dataset(dataset, path)


def compress_htj2k(scan: Scan) -> None:
    """Encode slices whose pixels are still those of the clean scan in HTJ2K; others stay as they are."""
    numbers = draw_values(0).transpose(2, 1, 0) + 1024
    streams = generate_frames(HTJ2K_FRAMES.read_bytes(), number_of_frames=len(numbers))
    known = dict(zip((plane.astype("<u2").tobytes() for plane in numbers), streams, strict=True))
    for item in scan.slices:
        if stream := known.get(item.dataset.PixelData):
            item.dataset.PixelData = encapsulate([stream])
            item.dataset["PixelData"].VR = "OB"
            item.dataset.BitsStored, item.dataset.HighBit = 16, 15
            item.dataset.file_meta.TransferSyntaxUID = HTJ2KLossless


def encode(syntax: str, only: Iterable[int] | None = None) -> Edit:
    """Make an edit that writes by another uncompressed, or deflated, transfer syntax.

    Args:
        syntax: its UID.
        only: numbers of the slices from 0; all slices if left out.
    """

    def edit(scan: Scan) -> None:
        for item in pick(scan, only):
            item.dataset.file_meta.TransferSyntaxUID = UID(syntax)
            if syntax == ExplicitVRBigEndian:
                item.dataset.PixelData = np.frombuffer(item.dataset.PixelData, "<u2").astype(">u2").tobytes()
                item.dataset["PixelData"].VR = "OW"

    return edit


def mix_encodings(scan: Scan) -> None:
    """Write the slices of one series in five transfer syntaxes."""
    encode(ImplicitVRLittleEndian, [0, 4])(scan)
    encode(DeflatedExplicitVRLittleEndian, [1])(scan)
    compress(RLELossless, "pydicom", [2, 6])(scan)
    compress(JPEGLSLossless, "pyjpegls", [3])(scan)


def damage_stream(scan: Scan) -> None:
    """Cut the codestream of one slice to half of its bytes."""
    dataset = pick_odd(scan).dataset
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([stream[: len(stream) // 4 * 2]])


def turn_headers(scan: Scan) -> None:
    """Exchange rows and columns in the headers, against the codestreams of the slices."""
    for item in scan.slices:
        item.dataset.Rows, item.dataset.Columns = item.dataset.Columns, item.dataset.Rows
