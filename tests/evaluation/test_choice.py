import logging
import shutil
from pathlib import Path

import pytest

import medunet
from medunet.bundle import open_bundle
from medunet.errors import BundleError, InputError
from medunet.evaluation import Scores, choose_cases
from medunet.records import read_json, read_record, write_json


def test_held_out_patients_are_scored_and_the_others_fit_floors(trained: Path) -> None:
    (chosen,) = choose_cases(open_bundle(trained), None)
    assert chosen.own is not None
    assert {case.patient for case in chosen.cases} == set((chosen.own.folds or ())[0])
    assert len(chosen.training) + len(chosen.cases) == len(chosen.own.cases)


def test_patients_of_training_are_refused_and_so_is_a_bundle_without_its_cohort(
    trained: Path, cohort_folder: Path, tmp_path: Path
) -> None:
    bundle = open_bundle(trained)
    with pytest.raises(InputError, match="was in training"):
        choose_cases(bundle, cohort_folder)
    (tmp_path / "configs").symlink_to(trained / "configs")
    with pytest.raises(BundleError, match="evaluate it on another one with --cohort"):
        choose_cases(open_bundle(tmp_path), None)


def list_seen(caplog: pytest.LogCaptureFixture) -> list[str]:
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    return [line for line in said if "was trained on" in line]


def test_images_of_training_are_known_again_after_the_cohort_is_gone(
    trained: Path, cohort_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As DICOM, and as NIfTI under names of others; the held-out patient alone was never seen."""
    (chosen,) = choose_cases(open_bundle(trained), None)
    bundle = Path(shutil.copytree(trained, tmp_path / "bundle"))
    medunet.evaluate(bundle, output=tmp_path / "own")
    assert not list_seen(caplog)
    shutil.rmtree(bundle / "work")
    learnt = {case.id for case in chosen.training}
    result = medunet.evaluate(bundle, cohort=cohort_folder, output=tmp_path / "dicom")
    assert set(result.scores.seen) == learnt
    assert {line.split(":")[0] for line in list_seen(caplog)} == {f"case {name}" for name in learnt}
    assert read_record(tmp_path / "dicom" / "scores.json", Scores).seen == result.scores.seen
    assert "seen in training" in result.table
    assert "Seen in training" in (tmp_path / "dicom" / "report.html").read_text()
    caplog.clear()
    medunet.export_cohort(cohort_folder, tmp_path / "nifti", "nnunet")
    names = {path.name for path in (tmp_path / "nifti" / "imagesTr").iterdir()}
    again = medunet.evaluate(bundle, cohort=tmp_path / "nifti", output=tmp_path / "scores")
    assert len(again.scores.seen) == len(learnt) < len(names)
    written = (bundle / "configs" / "metadata.json").read_text()
    assert not any(name in written for name in (*learnt, str(cohort_folder)))


def test_a_bundle_that_can_not_tell_says_so_once(
    trained: Path, cohort_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = Path(shutil.copytree(trained, tmp_path / "bundle"))
    medunet.evaluate(bundle, output=tmp_path / "own")
    shutil.rmtree(bundle / "work")
    path = bundle / "configs" / "metadata.json"
    content = read_json(path)
    del content["training_images"]
    write_json(path, content)
    result = medunet.evaluate(bundle, cohort=cohort_folder, output=tmp_path / "scores")
    assert result.scores.seen == ()
    assert caplog.text.count("nothing tells whether a case was among them") == 1
