from pathlib import Path

import numpy as np
import pytest

import medunet
from medunet.errors import BundleError, InputError


def test_public_verbs_are_there() -> None:
    assert sorted(medunet.__all__) == medunet.__all__
    assert all(callable(getattr(medunet, name)) for name in medunet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'foo'"):
        _ = medunet.foo


def test_read_volume_reads_a_series(patients: list[Path]) -> None:
    volume = medunet.read_volume(patients[0] / "CT")
    assert volume.voxels.dtype == np.int16
    assert volume.source.modality == "CT"


def test_evaluate_refuses_patients_of_training_and_bundles_without_weights(
    trained: Path, untrained: Path, cohort_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="was in training"):
        medunet.evaluate(trained, cohort=cohort_folder, output=tmp_path / "e")
    with pytest.raises(BundleError, match="no weights"):
        medunet.evaluate(untrained)
    assert not (tmp_path / "e").exists()


def test_evaluate_takes_masks_that_are_there(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no prediction"):
        medunet.evaluate(trained, predictions=tmp_path, output=tmp_path / "e")


def test_two_scans_of_one_name_are_refused(trained: Path, patients: list[Path]) -> None:
    with pytest.raises(InputError, match="two scans have this name"):
        medunet.predict(trained, patients[0] / "CT", patients[1] / "CT")
