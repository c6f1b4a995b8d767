from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import ExplicitVRBigEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from medunet.errors import SeriesError
from medunet.reading import read_volume


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "oblique"])
def test_values_and_places_are_exact(tmp_path: Path, orientation: str) -> None:
    grid = make_grid(orientation)
    voxels = write_series(tmp_path, grid)
    volume = read_volume(tmp_path)
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels[0], voxels)
    assert np.allclose(volume.grid.affine, grid.affine, atol=1e-4)


def test_slopes_of_each_slice(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())

    def scale(dataset: Dataset, number: int) -> None:
        dataset.RescaleSlope = 0.5 + number

    change(tmp_path, scale)
    expected = (voxels + 1024.0) * (0.5 + np.arange(voxels.shape[2])) - 1024
    found = read_volume(tmp_path).voxels
    assert found.dtype == np.float32
    # Files are named in the order of the slices.
    assert np.allclose(found[0], expected)


def drop_rescale(dataset: Dataset, _: int) -> None:
    del dataset.RescaleSlope


def zero_slope(dataset: Dataset, _: int) -> None:
    dataset.RescaleSlope = 0


def cut_pixels(dataset: Dataset, _: int) -> None:
    dataset.PixelData = dataset.PixelData[:-10]


def make_colour(dataset: Dataset, _: int) -> None:
    dataset.SamplesPerPixel = 3


def take_palette(dataset: Dataset, _: int) -> None:
    dataset.PhotometricInterpretation = "PALETTE COLOR"


def drop_pixels(dataset: Dataset, _: int) -> None:
    del dataset.PixelData


def take_table(dataset: Dataset, _: int) -> None:
    dataset.ModalityLUTSequence = [Dataset()]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (drop_rescale, "Rescale Slope or Intercept is missing"),
        (zero_slope, "Rescale Slope is 0"),
        (cut_pixels, "Pixel Data holds 230 bytes"),
        (make_colour, "colour image"),
        (take_palette, "colour image"),
        (drop_pixels, "Pixel Data is missing"),
        (take_table, "Modality LUT"),
    ],
)
def test_what_can_not_be_exact_is_refused(tmp_path: Path, edit: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, edit, only=[2])  # type: ignore[arg-type]
    with pytest.raises(SeriesError, match=words):
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


def test_rescale_on_some_slices_only_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())

    def as_mr(dataset: Dataset, number: int) -> None:
        dataset.Modality = "MR"
        if number == 4:
            del dataset.RescaleSlope, dataset.RescaleIntercept

    change(tmp_path, as_mr)
    with pytest.raises(SeriesError, match=r"Rescale Slope and Intercept are missing, but .* has them"):
        read_volume(tmp_path)


def test_mr_needs_no_rescale_and_large_values_become_floats_on_the_way(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid()) + 1024

    def as_mr(dataset: Dataset, number: int) -> None:
        dataset.Modality = "MR"
        del dataset.RescaleSlope, dataset.RescaleIntercept
        stored = np.frombuffer(dataset.PixelData, np.int16).astype(np.uint16) + (60000 if number == 3 else 0)
        dataset.PixelData, dataset.PixelRepresentation = stored.astype(np.uint16).tobytes(), 0
        dataset.BitsStored, dataset.HighBit = 16, 15

    change(tmp_path, as_mr)
    volume = read_volume(tmp_path)
    expected = voxels.astype(np.float32)
    expected[:, :, 3] += 60000
    assert volume.voxels.dtype == np.float32
    assert np.array_equal(volume.voxels[0], expected)


def test_negative_values_declared_unsigned_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())

    def lie(dataset: Dataset, _: int) -> None:
        stored = np.frombuffer(dataset.PixelData, np.int16) - 1024
        dataset.PixelData, dataset.PixelRepresentation, dataset.RescaleIntercept = stored.tobytes(), 0, 0
        dataset.BitsStored, dataset.HighBit = 16, 15

    change(tmp_path, lie)
    with pytest.raises(SeriesError, match="declared unsigned"):
        read_volume(tmp_path)


def test_oddities_that_leave_values_right_are_noted(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())

    def edit(dataset: Dataset, number: int) -> None:
        dataset.Modality, dataset.Units = "PT", "BQML"
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.LossyImageCompression = "01"
        if number == 2:
            dataset.PixelData += bytes(2 * len(dataset.PixelData))

    change(tmp_path, edit)
    volume = read_volume(tmp_path)
    assert np.array_equal(volume.voxels[0], voxels)
    assert set(volume.source.notes) == {
        "PET in units BQML, not SUV",
        "MONOCHROME1: values are kept as stored",
        "the image may have been compressed with loss",
        "bytes after the pixels were left out",
    }


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


@pytest.mark.data
def test_real_pet_is_scaled_slice_by_slice(sts: Path) -> None:
    folder = sts / "STS_004" / "PET"
    volume = read_volume(folder)
    assert volume.voxels.dtype == np.float32
    assert volume.source.notes == ("PET in units GML, which is SUV",)
    for path in sorted(folder.glob("*.dcm"))[::7]:
        dataset = dcmread(path)
        if dataset.Modality != "PT":
            continue
        position = np.array(dataset.ImagePositionPatient, float) * (-1, -1, 1)
        i, j, k = np.rint(volume.grid.to_voxel([position])[0]).astype(int)
        assert (i, j) == (0, 0)
        expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert np.allclose(volume.voxels[0, :, :, k], expected.T)
