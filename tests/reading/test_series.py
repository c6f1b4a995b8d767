import shutil
from pathlib import Path

import pytest
from dicoms import change, make_grid, write_mask, write_series
from pydicom import Dataset

from medunet.errors import MissingInputError, SeriesError
from medunet.reading import find_series, measure_grid, read_volume


def test_series_contours_and_the_rest_are_told_apart(tmp_path: Path) -> None:
    grid = make_grid()
    voxels = write_series(tmp_path / "CT ü +1", grid)
    mask = (voxels > 0).astype("uint8")
    write_mask(tmp_path / "contours.dcm", mask, grid, voxels)
    (tmp_path / "README.txt").write_text("hello")

    def scout(dataset: Dataset, _: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    shutil.copytree(tmp_path / "CT ü +1", tmp_path / "scout")
    change(tmp_path / "scout", scout)
    found = find_series(tmp_path)
    (series,) = found.series
    assert (series.modality, len(series.files), Path(series.folder).name) == ("CT", 6, "CT ü +1")
    assert measure_grid(series).shape == grid.shape
    assert found.contours[0].roi_names == ("lesion",)
    assert found.contours[0].series_uids == (series.uid,)
    reasons = {reason for _, reason in found.others}
    assert reasons == {"no DICOM file", "a localizer"}


def test_copies_are_dropped_with_a_note(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    first = sorted(tmp_path.glob("*.dcm"))[0]
    shutil.copy(first, tmp_path / "copy.dcm")
    volume = read_volume(tmp_path)
    assert volume.grid.shape[2] == 6
    assert "is a copy of" in volume.source.notes[0]


@pytest.mark.parametrize("name", ["PatientID", "StudyInstanceUID"])
def test_a_slice_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, name, "1.2.3"), only=[3])
    with pytest.raises(SeriesError, match=f"its {name} differs"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PixelSpacing", None, "PixelSpacing is missing"),
        ("PixelSpacing", [0, 1], "Pixel Spacing is 0, 1"),
        ("ImagePositionPatient", None, "ImagePositionPatient is missing"),
        ("ImageOrientationPatient", [1.1, 0, 0, 0, 1, 0], "no two perpendicular unit vectors"),
        ("PixelSpacing", [1.2, 1.2], "its Pixel Spacing"),
    ],
)
def test_geometry_is_never_guessed(tmp_path: Path, name: str, value: object, words: str) -> None:
    write_series(tmp_path, make_grid())
    change(tmp_path, lambda dataset, _: setattr(dataset, name, value), only=[1])
    with pytest.raises(SeriesError, match=words):
        read_volume(tmp_path)


def test_a_file_called_dcm_that_is_none_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    (tmp_path / "x.dcm").write_text("nonsense")
    with pytest.raises(SeriesError, match=r"x\.dcm: it is called \.dcm"):
        read_volume(tmp_path)
    with pytest.raises(MissingInputError):
        find_series(tmp_path / "nowhere")
