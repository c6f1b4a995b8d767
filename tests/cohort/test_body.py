import numpy as np
from ellipsoids import make_patient

from medunet.cohort import find_body, measure_body
from medunet.geometry import Grid
from medunet.reading import Source, Volume


def make_volume(voxels: np.ndarray, spacing: tuple[float, float, float], units: str) -> Volume:
    grid = Grid(voxels.shape, np.diag([*spacing, 1.0]))  # type: ignore[arg-type]
    return Volume(voxels[None], grid, Source("x", units=units))


def test_body_has_lungs_and_no_table() -> None:
    image, body, lung = make_patient()
    grid = Grid(image.shape, np.eye(4))
    found = find_body(image, grid)
    assert np.array_equal(found, body)
    assert found[lung].all()
    # Slices are filled along the head axis, wherever it is stored.
    turned = Grid((10, 40, 40), np.array([[0, 0, 1.0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]))
    assert np.array_equal(find_body(image.transpose(2, 1, 0), turned), body.transpose(2, 1, 0))
    assert find_body(np.full((3, 3, 3), -1000), Grid((3, 3, 3), np.eye(4))).all()


def test_the_body_of_a_ct_is_the_largest_piece_above_air() -> None:
    voxels = np.full((60, 60, 20), -1000, np.int16)
    voxels[10:40, 20:50, 2:18] = 40
    voxels[2:58, 55:57, :] = 0  # the table, which is thinner and apart
    volume = make_volume(voxels, (1.0, 1.0, 5.0), "HU")
    for size, truth in zip(measure_body(volume, "CT"), (30, 30, 16), strict=True):
        assert abs(size - truth) <= 4
    assert measure_body(volume, "MR") == (60, 60, 20)
    assert measure_body(make_volume(np.full((4, 4, 4), -1000, np.int16), (1, 1, 1), "HU"), "CT") == (4, 4, 4)


def test_the_body_of_a_pet_is_told_by_suv_only() -> None:
    voxels = np.full((30, 30, 30), 0.01, np.float32)
    voxels[5:25, 10:20, 8:28] = 1.0
    assert measure_body(make_volume(voxels, (4, 4, 4), "SUVbw"), "PT") == (20, 10, 20)
    assert measure_body(make_volume(voxels, (4, 4, 4), "BQML"), "PT") == (30, 30, 30)
