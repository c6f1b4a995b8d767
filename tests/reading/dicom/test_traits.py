from pathlib import Path

import numpy as np
import pytest
from dicoms import change, make_grid, write_series
from enhanced import write_enhanced

from medunet.geometry import Grid
from medunet.reading import find_series
from medunet.reading.dicom.traits import find_traits


@pytest.mark.parametrize("plane", ["axial", "sagittal", "coronal"])
def test_planes_and_distances(tmp_path: Path, plane: str) -> None:
    write_series(tmp_path / "a", make_grid(plane))
    traits = find_traits(find_series(tmp_path).series[0])
    assert (traits.plane, traits.slices, traits.modality, traits.contrast) == (plane, 6, "CT", "no")
    assert traits.spacing == pytest.approx(3)
    assert traits.pixel == pytest.approx(1.1)


@pytest.mark.parametrize(("degrees", "plane"), [(20, "axial"), (40, "oblique"), (70, "coronal")])
def test_what_leans_is_oblique_from_thirty_degrees_on(tmp_path: Path, degrees: float, plane: str) -> None:
    grid = make_grid("axial")
    turn, angle = np.eye(4), np.radians(degrees)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    write_series(tmp_path / "a", Grid(grid.shape, turn @ grid.affine))
    assert find_traits(find_series(tmp_path).series[0]).plane == plane


def test_numbers_that_are_none(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid())
    change(tmp_path / "a", lambda dataset, _: setattr(dataset, "ImageType", "ORIGINAL"))
    change(tmp_path / "a", lambda dataset, _: dataset.__delattr__("SeriesNumber"))
    traits = find_traits(find_series(tmp_path).series[0])
    assert (traits.number, traits.image_type, traits.kernel) == (None, ("ORIGINAL",), None)


def test_a_multi_frame_object_has_the_traits_of_its_slices(tmp_path: Path) -> None:
    write_series(tmp_path / "a", make_grid("axial"))
    single = find_traits(find_series(tmp_path / "a").series[0])
    write_enhanced(tmp_path / "e.dcm", sorted((tmp_path / "a").iterdir()))
    (series,) = find_series(tmp_path / "e.dcm").series
    whole = find_traits(series)
    assert (whole.plane, whole.slices, whole.thickness) == (single.plane, 6, single.thickness)
    assert whole.thickness == pytest.approx(3)
    assert whole.spacing == pytest.approx(single.spacing)
