from pathlib import Path

import numpy as np
import pydicom
import pytest

import medunet
from medunet.errors import OutputExistsError
from medunet.testing.phantoms import HeadAndNeck, PhantomSize, make_head_and_neck, write_head_and_neck
from medunet.testing.phantoms.sketch import LABELS

SIZE = PhantomSize(shape=(128, 128, 108), spacing=(3.9, 3.9, 2.5))
SMALL = PhantomSize(shape=(40, 40, 20), spacing=(12.0, 12.0, 13.0))


@pytest.fixture(scope="module")
def patient() -> HeadAndNeck:
    return make_head_and_neck(0, SIZE)


def test_equal_arguments_make_equal_patients() -> None:
    one, again, other = make_head_and_neck(3, SMALL), make_head_and_neck(3, SMALL), make_head_and_neck(4, SMALL)
    assert np.array_equal(one.voxels, again.voxels)
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.labels, other.labels)
    assert (one.patient_id, other.patient_id) == ("HN-0003", "HN-0004")


def test_all_organs_are_there(patient: HeadAndNeck) -> None:
    assert patient.names == LABELS
    assert set(np.unique(patient.labels)) == {0, *LABELS.values()}
    assert patient.voxels.shape == patient.labels.shape == patient.grid.shape == SIZE.shape
    assert (patient.voxels.dtype, patient.labels.dtype) == (np.int16, np.uint8)


def test_organs_lie_on_their_sides_in_the_world(patient: HeadAndNeck) -> None:
    middles = {
        name: patient.grid.to_world(np.argwhere(patient.labels == value)).mean(axis=0)
        for name, value in patient.names.items()
    }
    assert middles["RightParotid"][0] > 40 > -40 > middles["LeftParotid"][0], "RAS: x runs to the right"
    assert middles["Mandible"][1] > middles["SpinalCord"][1] + 60
    assert middles["Brainstem"][2] > middles["Larynx"][2] + 80


def test_values_are_those_of_the_cohort(patient: HeadAndNeck) -> None:
    """Medians of organs between the 10th and 90th percentile of 118 patients, but for the larynx, which holds air."""
    ranges = {"Brainstem": (-2, 14), "SpinalCord": (-2, 26), "Mandible": (500, 1100), "RightParotid": (-61, 10)}
    for name, (low, high) in ranges.items():
        assert low < np.median(patient.voxels[patient.labels == patient.names[name]]) < high, name
    air = patient.voxels[:6, :6]
    assert air.mean() == pytest.approx(-1000, abs=5)
    assert 5 < air.std() < 20


def test_a_volume_that_holds_little_of_it_is_drawn_all_the_same() -> None:
    part = make_head_and_neck(1, PhantomSize((24, 24, 8), (8.0, 8.0, 5.0)))
    assert part.voxels.shape == (24, 24, 8)
    assert part.labels.any()


def test_a_series_is_written_and_read_back(tmp_path: Path) -> None:
    patient = make_head_and_neck(5, SMALL)
    write_head_and_neck(patient, tmp_path / "ct")
    volume = medunet.read_volume(tmp_path / "ct")
    assert volume.grid.affine == pytest.approx(patient.grid.affine)
    assert np.array_equal(volume.voxels[0], patient.voxels)
    header = pydicom.dcmread(tmp_path / "ct" / "0001.dcm")
    assert (header.BodyPartExamined, header.PatientID) == ("HEADNECK", "HN-0005")
    with pytest.raises(OutputExistsError):
        write_head_and_neck(patient, tmp_path / "ct")
