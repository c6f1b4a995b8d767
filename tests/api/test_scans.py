from pathlib import Path

import numpy as np
import pytest

import medunet
from medunet.errors import InputError


def test_read_volume_reads_a_series(patients: list[Path]) -> None:
    volume = medunet.read_volume(patients[0] / "CT")
    assert volume.voxels.dtype == np.int16
    assert volume.source.modality == "CT"


def test_two_scans_of_one_name_are_refused(trained: Path, patients: list[Path]) -> None:
    with pytest.raises(InputError, match="two scans have this name"):
        medunet.predict(trained, patients[0] / "CT", patients[1] / "CT")
