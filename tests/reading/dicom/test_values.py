from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from dicoms import change, make_grid, write_series
from pydicom import Dataset, dcmread

from medunet.errors import SeriesError
from medunet.findings import Note
from medunet.reading import ReadOptions, find_series, read_volume


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


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (drop_rescale, "Rescale Slope or Intercept is missing"),
        (zero_slope, "Rescale Slope is 0"),
    ],
)
def test_what_can_not_be_exact_is_refused(tmp_path: Path, edit: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, edit, only=[2])  # type: ignore[arg-type]
    with pytest.raises(SeriesError, match=words):
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


def test_a_ct_without_rescale_is_refused_unless_told(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())

    def drop(dataset: Dataset, _: int) -> None:
        del dataset.RescaleSlope, dataset.RescaleIntercept

    change(tmp_path, drop)
    with pytest.raises(SeriesError, match=r"so its values have no unit.*--assume-rescale"):
        read_volume(tmp_path)
    volume = read_volume(tmp_path, ReadOptions(assume_rescale=(1, -1024)))
    assert np.array_equal(volume.voxels[0], voxels)
    assert volume.source.notes == (Note("rescale-given", "HU by the given slope and intercept, (1.0, -1024.0)"),)
    assert np.array_equal(read_volume(tmp_path, ReadOptions(assume_rescale=(1, 0))).voxels[0], voxels + 1024)
    with pytest.raises(SeriesError, match="given slope"):
        read_volume(tmp_path, ReadOptions(assume_rescale=(0, 0)))


def test_a_rescale_that_is_there_goes_before_what_was_told(tmp_path: Path) -> None:
    voxels = write_series(tmp_path, make_grid())
    volume = read_volume(tmp_path, ReadOptions(assume_rescale=(2, 7)))
    assert np.array_equal(volume.voxels[0], voxels)
    assert (volume.source.units, volume.source.notes) == ("HU", ())


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
    assert set(map(str, volume.source.notes)) == {
        "PET in units BQML, not SUV: Rescale Intercept is not 0",
        "MONOCHROME1: values are kept as stored",
        "the image may have been compressed with loss",
        "bytes after the pixels were left out",
    }


@pytest.mark.data
def test_real_pet_is_scaled_slice_by_slice(sts: Path) -> None:
    folder = sts / "STS_004" / "PET"
    volume = read_volume(folder)
    assert volume.voxels.dtype == np.float32
    assert tuple(map(str, volume.source.notes)) == (
        "NumberOfSlices is 85, but there are 66",  # the scan was cut to a box
        "PET in SUV by body weight, as stored (GML)",
    )
    for path in sorted(folder.glob("*.dcm"))[::7]:
        dataset = dcmread(path)
        if dataset.Modality != "PT":
            continue
        position = np.array(dataset.ImagePositionPatient, float) * (-1, -1, 1)
        i, j, k = np.rint(volume.grid.to_voxel([position])[0]).astype(int)
        assert (i, j) == (0, 0)
        expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        assert np.allclose(volume.voxels[0, :, :, k], expected.T)


@pytest.mark.data
@pytest.mark.slow
def test_every_real_series_has_the_values_and_places_of_simpleitk(sts: Path, pet_seg: Path) -> None:
    series = [*find_series(sts).series, *find_series(pet_seg / "PET").series]
    assert Counter(item.modality for item in series) == {"CT": 38, "PT": 39, "MR": 6}
    for item in series:
        volume = read_volume(item.folder, ReadOptions(series=item.uid, pet="stored"))
        image = SimpleITK.ReadImage(list(item.files))
        values = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
        assert np.allclose(volume.voxels[0], values, rtol=1e-6, atol=0), item.folder
        corners = volume.grid.corners().astype(int)
        places = [image.TransformIndexToPhysicalPoint(corner.tolist()) for corner in corners]
        assert np.allclose(volume.grid.to_world(corners) * (-1, -1, 1), places, atol=1e-3), item.folder
