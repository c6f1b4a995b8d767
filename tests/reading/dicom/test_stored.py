import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread
from pydicom.uid import JPEGExtended12Bit, JPEGLSLossless

from medunet.errors import SeriesError
from medunet.reading import read_volume
from medunet.reading.dicom.elements import read_dataset
from medunet.reading.dicom.stored import BITS, PLUGINS, open_stored

FILES = Path(pydicom.__file__).with_name("data") / "test_files"


def is_grey(path: Path) -> bool:
    try:
        dataset = dcmread(path, stop_before_pixels=True)
    except Exception:
        return False
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    # pydicom refuses 12 bits of JPEG Extended, which has a test of its own.
    readable = syntax and (syntax in PLUGINS or not syntax.is_encapsulated) and syntax != JPEGExtended12Bit
    return bool(readable) and dataset.get("SamplesPerPixel") == 1 and dataset.get("BitsAllocated") in BITS["PixelData"]


def test_values_are_those_that_pydicom_decodes() -> None:
    """Every grey image that comes with pydicom: byte orders, widths, signs, compressions, several frames."""
    compared = 0
    for path in filter(is_grey, sorted(FILES.glob("*.dcm"))):
        dataset = dcmread(path)
        try:
            stored = open_stored(read_dataset(path), str(path))
            found = [stored.read(frame)() for frame in range(int(dataset.get("NumberOfFrames") or 1))]
        except (SeriesError, ValueError):
            with pytest.raises((ValueError, TypeError, RuntimeError)):
                assert dataset.pixel_array is not None
            continue
        if dataset.file_meta.TransferSyntaxUID in PLUGINS:
            dataset.pixel_array_options(decoding_plugin=PLUGINS[dataset.file_meta.TransferSyntaxUID])
        assert np.array_equal(np.array(found).reshape(dataset.pixel_array.shape), dataset.pixel_array), path
        compared += 1
    assert compared > 20


EXTENDED = "d30242775a414c01d616447854ebe3f2b20259822894bcd6891f879bcdcbf313"
"""SHA-256 of what libjpeg-turbo 3.1 (imagecodecs 2026.3.6) decodes both files to, 16-bit little endian."""


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_jpeg_extended_of_12_bits_is_what_two_other_decoders_make_of_it(name: str) -> None:
    path = FILES / name
    pixels = open_stored(read_dataset(path), str(path)).read()()
    assert (pixels.dtype, int(pixels.max())) == (np.uint16, 264)
    assert np.array_equal(pixels, SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))[0])
    assert hashlib.sha256(pixels.astype("<u2").tobytes()).hexdigest() == EXTENDED


def enlarge(dataset: Dataset, _: int) -> None:
    dataset.Rows, dataset.Columns = 4096, 4096


def enlarge_beyond(dataset: Dataset, _: int) -> None:
    dataset.Rows, dataset.Columns = 65535, 65535


def lose_frames(dataset: Dataset, _: int) -> None:
    dataset.PixelData = dataset.PixelData[:-60]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (enlarge, r"4096 × 4096 pixels are compressed to \d+ bytes"),
        (enlarge_beyond, "65535 Columns and 65535 Rows"),
        (lose_frames, "its compressed pixels break off"),
    ],
)
def test_compressed_pixels_that_can_not_be_what_is_declared(tmp_path: Path, edit: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls"))
    change(tmp_path, edit)  # type: ignore[arg-type]
    with pytest.raises(SeriesError, match=words):
        read_volume(tmp_path)
