"""Tests of the made-up patients."""

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.ndimage import label
from stock import measure_dice

from medunet.errors import InputError, OutputExistsError
from medunet.testing.phantoms import Phantom, PhantomSize, draw_cohort, make_cohort, make_patient, write_patient

SIZE = PhantomSize(shape=(112, 88, 44), spacing=(3.2, 3.2, 5.0))
SMALL = PhantomSize(shape=(48, 40, 20), spacing=(7.0, 7.0, 9.0))


@pytest.fixture(scope="module")
def patient() -> Phantom:
    return make_patient(3, SIZE, 3)


def test_equal_arguments_make_equal_patients(patient: Phantom) -> None:
    again, other = make_patient(3, SIZE, 3), make_patient(4, SIZE, 3)
    assert np.array_equal(patient.voxels, again.voxels)
    assert np.array_equal(patient.lesion, again.lesion)
    assert not np.array_equal(patient.voxels, other.voxels)
    assert (patient.patient_id, other.patient_id) == ("PH-0003", "PH-0004")


def test_voxels_are_those_of_a_ct(patient: Phantom) -> None:
    assert patient.voxels.dtype == np.int16
    assert patient.lesion.dtype == np.uint8
    assert patient.voxels.shape == patient.lesion.shape == patient.grid.shape == SIZE.shape
    corner = patient.voxels[:6, :6]
    assert corner.mean() == pytest.approx(-1000, abs=5)
    assert 8 < corner.std() < 20
    inside = patient.voxels[30:80, 25:60]
    for low, high in ((-900, -780), (-130, -60), (30, 90), (130, 220), (300, 900)):
        assert np.mean((inside > low) & (inside < high)) > 0.003, f"nothing between {low} and {high} HU"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 3])
def test_lesions_are_apart_compact_and_brighter_than_soft_tissue(seed: int, count: int) -> None:
    phantom = make_patient(seed, SIZE, count)
    parts, number = label(phantom.lesion, np.ones((3, 3, 3)))
    assert number == count
    for part in range(1, number + 1):
        inside = parts == part
        diameter = (6 / np.pi * inside.sum() * phantom.grid.voxel_volume) ** (1 / 3)
        assert 14 < diameter < 52
        assert 85 < np.median(phantom.voxels[inside]) < 205


def test_no_lesion_is_made_where_none_is_asked_for() -> None:
    assert not make_patient(0, SMALL, 0).lesion.any()


def test_grid_shows_left_back_and_head_unless_oblique() -> None:
    upright, oblique = make_patient(1, SMALL, 1).grid, make_patient(1, SMALL, 1, oblique=True).grid
    assert np.allclose(upright.affine[:3, :3], np.diag([-7.0, -7.0, 9.0]))
    assert np.allclose(oblique.spacing, SMALL.spacing)
    directions = oblique.affine[:3, :3] / np.array(SMALL.spacing)
    assert np.allclose(directions.T @ directions, np.eye(3))
    assert np.linalg.det(directions) == pytest.approx(1)
    tilt = np.degrees(np.arccos(directions[2, 2]))
    assert 5 <= tilt <= 12
    middle = (np.array(SMALL.shape) - 1) / 2
    assert np.allclose(upright.to_world([middle]), oblique.to_world([middle]))


def test_lungs_lie_at_the_head_and_the_liver_to_the_right(patient: Phantom) -> None:
    lung = patient.voxels < -700
    assert lung[30:80, 30:60, 36:].mean() > 5 * lung[30:80, 30:60, :8].mean()
    soft = (patient.voxels > 30) & (patient.voxels < 95)
    assert soft[30:50, 30:55, 18:26].mean() > 1.5 * soft[62:82, 30:55, 18:26].mean()


def test_no_interval_of_hounsfield_units_finds_the_lesions() -> None:
    scores = []
    for seed in range(3):
        phantom = make_patient(seed, SIZE, 2)
        lesion = phantom.lesion > 0
        for low, high in ((90, 220), (110, 220), (140, 210), (85, 140)):
            parts, _ = label((phantom.voxels >= low) & (phantom.voxels <= high))
            largest = parts == np.bincount(parts.ravel())[1:].argmax() + 1
            scores.append(measure_dice(largest, lesion))
    assert np.mean(scores) < 0.2
    assert np.max(scores) < 0.35


def test_cohort_varies() -> None:
    cohort = list(draw_cohort(8, SMALL, seed=40))
    assert [phantom.oblique for phantom in cohort] == [False, False, False, True] * 2
    assert [n for n, phantom in enumerate(cohort) if phantom.lesions == 0] == [5]
    assert {phantom.lesions for phantom in cohort} <= {0, 1, 2, 3}
    assert len({phantom.grid.spacing for phantom in cohort}) == 8
    for phantom in cohort:
        x, y, z = phantom.grid.spacing
        assert x == pytest.approx(y)
        assert 6.29 < x < 7.71
        assert z * phantom.grid.shape[2] == pytest.approx(180, abs=z)


def test_cohort_is_written_byte_for_byte_alike(tmp_path: Path) -> None:
    first, second = (make_cohort(tmp_path / name, 2, SMALL, seed=7) for name in ("a", "b"))
    assert [folder.name for folder in first] == ["PH-0007", "PH-0008"]
    digests = [
        {
            path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*.dcm"))
        }
        for folder in (first[0], second[0])
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) > 10
    studies = {pydicom.dcmread(folder / "contours.dcm").StudyInstanceUID for folder in first}
    assert len(studies) == 2


def test_a_folder_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "PH-0000").mkdir()
    with pytest.raises(OutputExistsError):
        write_patient(make_patient(0, SMALL, 1), tmp_path / "PH-0000")
    assert not any((tmp_path / "PH-0000").iterdir())


@pytest.mark.parametrize(("shape", "spacing"), [((4, 40, 20), (1, 1, 1)), ((40, 40, 20), (1, 1, 0))])
def test_impossible_sizes_are_refused(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
    with pytest.raises(InputError):
        PhantomSize(shape, spacing)
