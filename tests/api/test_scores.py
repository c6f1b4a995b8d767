from pathlib import Path

import numpy as np
import pytest

import medunet
from medunet.bundle import open_bundle
from medunet.errors import BundleError, InputError, MissingInputError, OutputExistsError
from medunet.evaluation import Scores, choose_cases
from medunet.geometry import Grid
from medunet.labels import LabelTable
from medunet.reading import Source, Volume
from medunet.records import read_record
from medunet.saving import save_volume


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


def save_mask(path: Path, stop: int, value: int = 1) -> None:
    voxels = np.zeros((12, 12, 8), np.uint8)
    voxels[2:stop, 2:8, 2:6] = value
    path.parent.mkdir(exist_ok=True)
    save_volume(Volume(voxels[None], Grid(voxels.shape, np.eye(4)), Source(path="")), path)


def test_scores_of_a_bundle_that_comes_with_medunet_lie_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(medunet.InputError, match="scores can't lie in it; name a folder for them with --output"):
        medunet.evaluate("nuclei_unet2d", cohort=tmp_path)


def test_masks_of_anybody_are_scored(tmp_path: Path) -> None:
    for name in "abc":
        save_mask(tmp_path / "t" / f"{name}.nii.gz", 6)
    for name, stop in (("a", 6), ("b", 7)):
        save_mask(tmp_path / "p" / f"{name}.nii.gz", stop, 3)
    result = medunet.evaluate_masks(
        tmp_path / "p",
        tmp_path / "t",
        labels=["tumor"],
        prediction_labels={3: "tumor"},
        tolerance_mm={"tumor": 0.5},
        output=tmp_path / "e",
    )
    assert [score.dice for score in result.scores.of_first()] == [1, pytest.approx(8 / 9), 0]
    assert read_record(tmp_path / "e" / "scores.json", Scores) == result.scores
    assert "no prediction, counted as missed (1): c" in result.table
    page = result.report.read_text()
    for text in ("count as missed: c", "HD95 mm", "NSD 0.5 mm", "Recall by size", "prediction on 3 cases"):
        assert text in page
    assert result.picture.is_file()
    assert len(result.spreadsheet.read_text().splitlines()) == 4
    with pytest.raises(OutputExistsError):
        medunet.evaluate_masks(tmp_path / "p", tmp_path / "t", output=tmp_path / "e")


def test_arguments_of_masks_are_checked(tmp_path: Path) -> None:
    save_mask(tmp_path / "t" / "a.nii.gz", 6)
    with pytest.raises(InputError, match="give distances from 0 on"):
        medunet.evaluate_masks(tmp_path / "t", tmp_path / "t", tolerance_mm={"a": -1.0}, output=tmp_path / "e")
    with pytest.raises(InputError, match=r"tolerance_mm is -1\.0"):
        medunet.evaluate_masks(tmp_path / "t", tmp_path / "t", tolerance_mm=-1.0, output=tmp_path / "e")
    table = LabelTable.from_names(["cell"], objects=True)
    result = medunet.evaluate_masks(tmp_path / "t", tmp_path / "t", labels=table, output=tmp_path / "e")
    assert result.scores.of_first()[0].panoptic == 1
