from pathlib import Path

import pytest

import medunet
from medunet.bundle import open_bundle
from medunet.errors import BundleError, InputError, MissingInputError
from medunet.evaluation import choose_cases


def test_evaluate_refuses_patients_of_training_and_bundles_without_weights(
    trained: Path, untrained: Path, cohort_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="was in training"):
        medunet.evaluate(trained, cohort=cohort_folder, output=tmp_path / "e")
    with pytest.raises(BundleError, match="no weights"):
        medunet.evaluate(untrained)
    assert not (tmp_path / "e").exists()


def test_evaluate_takes_masks_that_are_there(trained: Path, tmp_path: Path) -> None:
    cases = [case.id for case in choose_cases(open_bundle(trained), None)[0].cases]
    (tmp_path / "m").mkdir()
    with pytest.raises(MissingInputError) as caught:
        medunet.evaluate(trained, predictions=tmp_path / "m", output=tmp_path / "e")
    assert caught.value.subject == str(tmp_path / "m")
    listed = ", ".join(f"{name}.nii.gz" for name in cases)
    assert caught.value.found == f"{len(cases)} of {len(cases)} masks are missing: {listed}"


def test_an_output_that_can_not_be_is_refused_before_patients_are_looked_for(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=r"file/scores: .*/file is no folder"):
        medunet.evaluate(trained, cohort=tmp_path, output=tmp_path / "file" / "scores")
    # What is to be read and isn't there goes before an output that exists.
    for given in ({"cohort": tmp_path / "nowhere"}, {"predictions": tmp_path / "nowhere"}):
        with pytest.raises(MissingInputError, match="nowhere: there is no such file or folder"):
            medunet.evaluate(trained, **given, output=tmp_path / "file")
