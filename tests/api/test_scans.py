from pathlib import Path

import numpy as np
import pytest

import medunet


def test_read_volume_reads_a_series(patients: list[Path]) -> None:
    volume = medunet.read_volume(patients[0] / "CT")
    assert volume.voxels.dtype == np.int16
    assert volume.source.modality == "CT"


def test_two_scans_of_one_name_are_told_apart_by_their_folders(
    trained: Path, patients: list[Path], tmp_path: Path
) -> None:
    made = medunet.predict(trained, patients[0] / "CT", patients[1] / "CT", output=tmp_path)
    assert [item.path for item in made] == [tmp_path / f"{patient.name}_CT.nii.gz" for patient in patients[:2]]


def test_each_is_given_when_it_is_there(trained: Path, patients: list[Path], tmp_path: Path) -> None:
    results = medunet.predict_each(trained, *patients[:2], output=tmp_path)
    assert not list(tmp_path.iterdir())
    first = next(results)
    assert first.id == patients[0].name
    assert len(list(tmp_path.glob("*.nii.gz"))) == 1
    assert next(results).id == patients[1].name
    with pytest.raises(StopIteration):
        next(results)
