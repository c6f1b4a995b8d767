"""Bits of the header count, whatever more a codestream has."""

import re
from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from medunet.errors import SeriesError
from medunet.reading import read_volume
from medunet.reading.dicom.bits import keep_lowest, take_decoded
from medunet.reading.dicom.codestreams import Frame
from medunet.testing.faults import combine, make_scan
from medunet.testing.faults.coding import compress_bits, compress_htj2k, compress_lossless_jpeg
from medunet.testing.faults.edits import set_tags
from medunet.testing.faults.values import store_signed

WHOLE = Frame(2, 2, 16)


def test_higher_bits_are_cleared_or_filled_with_the_sign() -> None:
    numbers = np.array([0x1C00, 0x0FFF, 0x1FFF, 0xE001], np.uint16)
    assert keep_lowest(numbers.copy(), 12).tolist() == [0x0C00, 0x0FFF, 0x0FFF, 1]
    assert keep_lowest(numbers.view(np.int16).copy(), 13).tolist() == [-1024, 0x0FFF, -1, 1]
    assert keep_lowest(numbers.copy(), 16).tolist() == numbers.tolist()


@pytest.mark.parametrize(
    ("values", "frame", "bits", "kind", "expected"),
    [
        ([0x1C00, 5], WHOLE, 13, "<i2", [-1024, 5]),
        ([-1024, 5], Frame(2, 2, 16, signed=True), 13, "<i2", [-1024, 5]),
        ([0x1C00, 5], Frame(2, 2, 13), 13, "<i2", [-1024, 5]),
        ([0x1005, 5], WHOLE, 12, "<u2", [5, 5]),
        ([200, 5], Frame(2, 2, 8), 12, "<u2", [200, 5]),
        ([100, 5], Frame(2, 2, 8), 12, "<i2", [100, 5]),
        ([7, 5], Frame(2, 2, 12, signed=True), 12, "<u2", [7, 5]),
        # Overshoots of a lossy compression.
        ([4099, 5], Frame(2, 2, 16, lossy=True), 12, "<u2", [4095, 5]),
        ([2050, -2051], Frame(2, 2, 16, signed=True, lossy=True), 12, "<i2", [2047, -2048]),
        ([0x1C00, 5], Frame(2, 2, 16, lossy=True), 13, "<i2", [-1024, 5]),
    ],
)
def test_values_of_a_codestream(values: list[int], frame: Frame, bits: int, kind: str, expected: list[int]) -> None:
    decoded = np.array(values, np.int16 if frame.signed else np.uint16)
    found = take_decoded(decoded, frame, bits, np.dtype(kind), "a.dcm")
    assert (found.dtype, found.tolist()) == (np.dtype(kind), expected)


@pytest.mark.parametrize(
    ("values", "frame", "bits", "kind", "words"),
    [
        ([-3, 5], Frame(2, 2, 12, signed=True), 12, "<u2", "signed, down to -3, but its Pixel Representation is 0"),
        ([200, 5], Frame(2, 2, 8), 12, "<i2", "have 8 bits, of which the highest is a sign or not"),
    ],
)
def test_a_sign_that_would_have_to_be_guessed(
    values: list[int], frame: Frame, bits: int, kind: str, words: str
) -> None:
    with pytest.raises(SeriesError, match=words) as refusal:
        take_decoded(np.array(values, np.int16), frame, bits, np.dtype(kind), "a.dcm")
    assert refusal.value.code == "sign-wrong"


@pytest.mark.parametrize("bits", [12, 13, 16])
@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [(RLELossless, "pydicom"), (JPEGLSLossless, "pyjpegls"), (JPEG2000Lossless, "pylibjpeg")],
)
def test_signed_values_in_every_encoding(tmp_path: Path, syntax: str, plugin: str, bits: int) -> None:
    scan = make_scan("oblique")
    combine(store_signed(lambda _: True, bits=bits), compress_bits(syntax, plugin))(scan)
    scan.write(tmp_path)
    assert np.array_equal(read_volume(tmp_path).voxels[0].transpose(2, 1, 0), [item.values for item in scan.slices])


@pytest.mark.parametrize("bits", [12, 13, 16])
def test_signed_values_in_lossless_jpeg_of_16_bits(tmp_path: Path, bits: int) -> None:
    scan = make_scan("oblique")
    store_signed(lambda _: True, bits=bits)(scan)
    said = scan.slices[0].dataset.BitsStored
    for item in scan.slices:
        item.dataset.BitsStored, item.dataset.HighBit, item.dataset.PixelRepresentation = 16, 15, 0
    scan.write(tmp_path)
    compress_lossless_jpeg(tmp_path)

    def declare(dataset: Dataset, _: int) -> None:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = said, said - 1, 1

    change(tmp_path, declare)
    assert np.array_equal(read_volume(tmp_path).voxels[0].transpose(2, 1, 0), [item.values for item in scan.slices])


def test_fewer_bits_than_those_of_htj2k(tmp_path: Path) -> None:
    scan = make_scan("oblique")
    combine(compress_htj2k, set_tags(BitsStored=12, HighBit=11))(scan)
    scan.write(tmp_path)
    assert np.array_equal(read_volume(tmp_path).voxels[0].transpose(2, 1, 0), [item.values for item in scan.slices])


def test_more_bits_than_the_header_has_room_for(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls"))

    def narrow(dataset: Dataset, _: int) -> None:
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7

    change(tmp_path, narrow)
    assert dcmread(tmp_path / "0001.dcm").BitsAllocated == 8
    with pytest.raises(SeriesError, match=re.escape("have 12 bits, but its header has 8 Bits Allocated")):
        read_volume(tmp_path)
