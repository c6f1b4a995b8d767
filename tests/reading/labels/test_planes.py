from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicoms import ORIENTATIONS, draw_balls, make_grid, write_series
from pydicom import Dataset, dcmread

from medunet.errors import LabelError
from medunet.geometry import measure_displacement
from medunet.reading import find_series, read_segmentation, read_volume, sort_series
from medunet.reading.labels.planes import find_frames_grid
from medunet.writing import Algorithm, write_segmentation


def write(folder: Path, orientation: str = "oblique") -> Path:
    write_series(folder / "series", make_grid(orientation, (21, 17, 9)))
    headers, grid, _ = sort_series(find_series(folder / "series").series[0])
    slices = [header.describe() for header in headers]
    algorithm = Algorithm("ball finder", "1.2.3", "f" * 64)
    write_segmentation(draw_balls(grid), folder / "m.dcm", slices, algorithm, lambda _, mask: mask)
    return folder / "m.dcm"


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_all_planes_are_the_grid_of_the_image(tmp_path: Path, orientation: str) -> None:
    image, grid = read_volume(write(tmp_path, orientation).parent / "series").grid, find_frames_grid(tmp_path / "m.dcm")
    assert measure_displacement(grid, image) < 1e-3


def test_planes_that_were_left_out_are_there_between_others_not_at_the_ends(tmp_path: Path) -> None:
    """Two planes in the wrong order, three apart, span four, of which two hold nothing."""
    path = write(tmp_path)
    dataset = dcmread(path)
    image = read_volume(tmp_path / "series").grid
    frames, kept = dataset.PerFrameFunctionalGroupsSequence, [6, 3]
    places = [frames[n].PlanePositionSequence[0].ImagePositionPatient for n in kept]
    planes = sorted(round(image.to_voxel([[-x, -y, z]])[0, 2]) for x, y, z in places)
    size = dataset.Rows * dataset.Columns
    pixels = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    data = np.packbits(np.concatenate([pixels[n * size :][:size] for n in kept]), bitorder="little").tobytes()
    dataset.PixelData, dataset.NumberOfFrames = data + b"\0" * (len(data) % 2), 2
    dataset.PerFrameFunctionalGroupsSequence = [frames[n] for n in kept]
    dataset.save_as(path)
    grid, mask = find_frames_grid(path), draw_balls(image)
    assert grid.shape == (21, 17, 4)
    read = read_segmentation(path, grid, mask.table).voxels
    found = np.rint(image.to_voxel(grid.to_world(np.argwhere(read)))).astype(int)
    shown = np.zeros_like(mask.voxels)
    shown[:, :, planes] = mask.voxels[:, :, planes]
    assert shown.any()
    assert sorted(map(tuple, found)) == sorted(map(tuple, np.argwhere(shown)))


def set_step(dataset: Dataset, value: float | None) -> None:
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        if name in measures:
            del measures[name]
    if value:
        measures.SpacingBetweenSlices = value


def turn_a_frame(dataset: Dataset) -> None:
    plane = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.PlaneOrientationSequence = [Dataset()]
        cosines = [float(value) for value in plane[0].ImageOrientationPatient]
        frame.PlaneOrientationSequence[0].ImageOrientationPatient = (
            cosines[3:] + cosines[:3] if number == 2 else cosines
        )
    del dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda dataset: set_step(dataset, 2.0), "no parallel planes at multiples of 2 mm"),
        (lambda dataset: set_step(dataset, 0.001), "no parallel planes at multiples of 0.001 mm"),
        (lambda dataset: set_step(dataset, None), "doesn't say how far apart its planes lie"),
        (turn_a_frame, "no parallel planes at multiples of 3 mm"),
        (lambda dataset: setattr(dataset, "PerFrameFunctionalGroupsSequence", []), "it describes no frames"),
    ],
    ids=["step", "tiny", "silent", "turned", "none"],
)
def test_what_spans_no_grid_is_refused(tmp_path: Path, edit: Callable[[Dataset], None], sentence: str) -> None:
    path = write(tmp_path)
    dataset = dcmread(path)
    edit(dataset)
    dataset.save_as(path)
    with pytest.raises(LabelError, match=sentence):
        find_frames_grid(path)


def test_tilted_planes_have_no_grid_of_their_own(tmp_path: Path) -> None:
    """Frames say where they lie, but planes that were left out of a sheared stack would be guessed."""
    path = write(tmp_path, "axial")
    dataset = dcmread(path)
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.PlanePositionSequence[0].ImagePositionPatient[1] += 0.5 * number
    dataset.save_as(path)
    with pytest.raises(LabelError, match="name its image with --source"):
        find_frames_grid(path)
