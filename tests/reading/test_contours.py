from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import make_grid, write_series

from medunet.errors import LabelError
from medunet.labels import LabelTable
from medunet.reading import rasterize, read_contour_file, read_mask, read_volume
from medunet.reading.contours import fill_polygon

FEW = ("STS_004", "STS_005")


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]], float)


def test_a_centre_on_an_edge_belongs_to_one_neighbour_only() -> None:
    left = fill_polygon(np.array([[0, 0], [4, 0], [4, 8], [0, 8]], float), (12, 12))
    right = fill_polygon(np.array([[4, 0], [8, 0], [8, 8], [4, 8]], float), (12, 12))
    assert not (left & right).any()
    assert left.sum() == right.sum() == 32


def test_half_pixel_squares_and_stars() -> None:
    assert fill_polygon(square(1.5, 4.5), (8, 8)).sum() == 9
    angles = np.arange(5) * 4 * np.pi / 5
    star = 10 + 8 * np.column_stack([np.cos(angles), np.sin(angles)])
    filled = fill_polygon(star, (21, 21))
    assert not filled[10, 10], "even-odd leaves the middle of a self-crossing star empty"
    assert filled.any()


def test_contours_of_a_slice_combine_by_xor_and_keyholes_stay_open() -> None:
    grid = make_grid(shape=(12, 12, 3))

    def lift(points: np.ndarray) -> np.ndarray:
        return grid.to_world(np.column_stack([points, np.full(len(points), 1.2)]))

    ring = rasterize([lift(square(0.5, 9.5)), lift(square(3.5, 6.5))], grid, "f")
    assert ring[:, :, 1].sum() == 81 - 9
    keyhole = np.vstack([square(0.5, 9.5), [[0.5, 0.5]], square(3.5, 6.5)[::-1], [[3.5, 6.5]]])
    assert np.array_equal(rasterize([lift(keyhole)], grid, "f"), ring)


def test_contours_off_the_image_and_across_slices_are_refused() -> None:
    grid = make_grid()
    with pytest.raises(LabelError, match="outside of the image"):
        rasterize([grid.to_world(np.column_stack([square(1, 5), np.full(4, 30)]))], grid, "f")
    with pytest.raises(LabelError, match="not parallel"):
        rasterize([grid.to_world(np.column_stack([square(1, 5), [0, 1, 2, 3]]))], grid, "f")


def test_an_image_is_no_rtstruct(tmp_path: Path) -> None:
    write_series(tmp_path, make_grid())
    with pytest.raises(LabelError, match="it is CT, not RTSTRUCT"):
        read_contour_file(next(tmp_path.glob("*.dcm")))


def compare(folder: Path, patients: list[Path]) -> tuple[int, int]:
    series = differing = 0
    for patient in patients:
        for image in sorted(item for item in patient.iterdir() if item.is_dir()):
            volume = read_volume(image)
            roi = read_contour_file(image / "contours.dcm").roi_names[0]
            mask = read_mask(image / "contours.dcm", volume.grid, LabelTable.from_names(["x"]), {"x": roi})
            reference = nib.load(folder / "masks" / f"{patient.name}_{image.name}.nii.gz")
            assert np.allclose(reference.affine, volume.grid.affine, atol=1e-4)
            differing += int((np.asarray(reference.dataobj) != mask.voxels).sum())
            series += 1
    return series, differing


@pytest.mark.data
def test_real_contours_equal_their_masks(sts: Path) -> None:
    series, differing = compare(sts, [sts / name for name in FEW])
    assert series >= 4
    assert differing == 0


@pytest.mark.data
@pytest.mark.slow
def test_all_real_contours_equal_their_masks(sts: Path) -> None:
    assert compare(sts, sorted(sts.glob("STS_*"))) == (82, 0)
