from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

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


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (drop_rescale, "Rescale Slope or Intercept is missing"),
        (zero_slope, "Rescale Slope is 0"),
        (cut_pixels, "Pixel Data holds 230 bytes"),
        (make_colour, "colour image"),
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
