from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import ExplicitVRBigEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from medunet.errors import SeriesError
from medunet.reading import read_volume
from medunet.reading.dicom import slices
from medunet.reading.dicom.stored import open_stored


def cut_pixels(dataset: Dataset, _: int) -> None:
    dataset.PixelData = dataset.PixelData[:-10]


def make_colour(dataset: Dataset, _: int) -> None:
    dataset.SamplesPerPixel = 3


def take_palette(dataset: Dataset, _: int) -> None:
    dataset.PhotometricInterpretation = "PALETTE COLOR"


def drop_pixels(dataset: Dataset, _: int) -> None:
    del dataset.PixelData


def move_bits(dataset: Dataset, _: int) -> None:
    dataset.HighBit = 15


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (cut_pixels, "Pixel Data holds 230 bytes"),
        (make_colour, r"slices are missing.*\(set aside in the series, a picture in colour: "),
        (take_palette, r"slices are missing.*\(set aside in the series, a picture in colour: "),
        (drop_pixels, "Pixel Data is missing"),
        (move_bits, r"High Bit is 15 of 12 Bits Stored \(expected 11\)"),
    ],
)
def test_pixels_that_are_not_what_they_should_be_are_refused(tmp_path: Path, edit: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, edit, only=[2])  # type: ignore[arg-type]
    with pytest.raises(SeriesError, match=words):
        read_volume(tmp_path)


def test_a_series_in_colour_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, make_colour)
    with pytest.raises(SeriesError, match="it is a colour image"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [(RLELossless, "pydicom"), (JPEGLSLossless, "pyjpegls"), (JPEG2000Lossless, "pylibjpeg")],
)
def test_lossless_compression_is_bit_exact(tmp_path: Path, syntax: str, plugin: str) -> None:
    voxels = write_series(tmp_path, make_grid(shape=(40, 32, 4)))
    for path in tmp_path.glob("*.dcm"):
        dataset = dcmread(path)
        dataset.compress(syntax, encoding_plugin=plugin)
        dataset.save_as(path)
    assert np.array_equal(read_volume(tmp_path).voxels[0], voxels)


@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [(RLELossless, "pydicom"), (JPEGLSLossless, "pyjpegls"), (JPEG2000Lossless, "pylibjpeg")],
)
def test_half_of_a_compressed_slice_is_refused(tmp_path: Path, syntax: str, plugin: str) -> None:
    write_series(tmp_path, make_grid(shape=(40, 32, 4)))

    def cut(dataset: Dataset, _: int) -> None:
        dataset.compress(syntax, encoding_plugin=plugin)
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        dataset.PixelData = encapsulate([frame[: len(frame) // 4 * 2]])

    change(tmp_path, cut, only=[1])
    with pytest.raises(SeriesError, match="can't be decoded"):
        read_volume(tmp_path)


def test_big_endian_and_twelve_bits_are_exact(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())

    def turn(dataset: Dataset, number: int) -> None:
        stored = np.frombuffer(dataset.PixelData, np.int16)
        if number % 2:
            # 12 bits, with overlay bits above them that don't belong to the value.
            dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
            dataset.PixelData = (stored.astype(np.uint16) | 0x5000).tobytes()
        else:
            dataset.PixelData = stored.astype(">i2").tobytes()
            dataset["PixelData"].VR = "OW"
            dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian

    for number, path in enumerate(sorted(tmp_path.glob("*.dcm"))):
        dataset = dcmread(path)
        turn(dataset, number)
        big = dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
        dcmwrite(path, dataset, implicit_vr=False, little_endian=not big, force_encoding=True)
    assert np.array_equal(read_volume(tmp_path).voxels[0], voxels)


def test_the_sign_is_that_of_the_stored_bits(tmp_path: Path) -> None:
    """12 bits of two's complement, whose sign isn't carried on into the 16 that hold them."""
    voxels = write_series(tmp_path, make_grid())

    def sign(dataset: Dataset, _: int) -> None:
        stored = np.frombuffer(dataset.PixelData, np.int16) - 1024
        dataset.PixelData, dataset.PixelRepresentation = (stored.astype(np.uint16) & 0x0FFF).tobytes(), 1
        dataset.RescaleIntercept = 0

    change(tmp_path, sign)
    assert np.array_equal(read_volume(tmp_path).voxels[0], voxels)


def test_a_series_stops_at_its_first_slice_that_can_not_be_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path, make_grid(shape=(40, 32, 60)))

    def damage(dataset: Dataset, number: int) -> None:
        dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls")
        if number >= 3:
            stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
            dataset.PixelData = encapsulate([stream[:60] + bytes(len(stream) - 62) + b"\xff\xd9"])

    change(tmp_path, damage)
    opened = []
    monkeypatch.setattr(slices, "open_stored", lambda file, path: opened.append(path) or open_stored(file, path))
    with pytest.raises(SeriesError, match=r"0004\.dcm: its pixels can't be decoded"):
        read_volume(tmp_path)
    assert len(opened) < 20
