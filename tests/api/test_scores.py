from pathlib import Path

import pytest

import medunet
from medunet.errors import BundleError, InputError


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


def test_an_output_that_can_not_be_is_refused_before_patients_are_looked_for(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file: it is no folder"):
        medunet.evaluate(trained, cohort=tmp_path / "nowhere", output=tmp_path / "file" / "scores")
