"""`medunet train --fold all`: each patient is predicted by the network that never saw it, and all make an ensemble."""

import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from plans import make_tiny_bundle, pin_schedule
from scipy import ndimage
from stock import in_float32, measure_dice, run_monai

import medunet
from medunet.bundle import find_weights, make_recipe, open_bundle
from medunet.errors import InputError
from medunet.evaluation import CrossValidation
from medunet.files import hash_file
from medunet.inference import load_predictor, predict_case
from medunet.records import read_json, read_record, write_json
from medunet.training.history import read_history


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of which fold 0 was trained before, and fold 1 by --fold all."""
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("folds") / "bundle", "abcd")
    for fold in range(2):
        pin_schedule(bundle, epochs=2 + fold, steps_per_epoch=15, fold=fold)
    medunet.train(bundle)
    done = subprocess.run(
        [sys.executable, "-m", "medunet", "train", bundle, "--fold", "all"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "fold 0 is trained already" in done.stderr
    assert "Dice of each fold" in done.stdout
    return bundle


def test_the_ensemble_lists_its_files_and_says_what_it_is(folds: Path) -> None:
    metadata = read_json(folds / "configs" / "metadata.json")
    names = sorted(path.name for path in (folds / "models").iterdir())
    assert names == sorted(metadata["fold_weights"]) == ["model_fold0.pt", "model_fold1.pt"]
    for name, digest in metadata["fold_weights"].items():
        assert hash_file(folds / "models" / name) == digest
    assert metadata["training"]["fold"] == "all"
    assert metadata["training"]["epochs"] == [2, 3]
    assert metadata["training"]["cases"] == metadata["training"]["held_out_cases"] == 4


def test_a_fold_among_all_is_trained_as_one_alone(folds: Path, tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "abcd")
    pin_schedule(bundle, epochs=3, steps_per_epoch=15, fold=1)
    alone = torch.load(medunet.train(bundle, fold=1), weights_only=True)
    among = torch.load(folds / "models" / "model_fold1.pt", weights_only=True)
    assert all(torch.equal(alone[key], among[key]) for key in alone)


def test_each_patient_is_predicted_by_the_network_that_never_saw_it(folds: Path) -> None:
    bundle = open_bundle(folds)
    cohort = bundle.cohort()
    kept = {path.name: path.parents[1].name for path in folds.glob("work/fold*/held_out/*.nii.gz")}
    assert kept == {
        f"{case.id}.nii.gz": f"fold{fold}"
        for fold, patients in enumerate(cohort.folds or ())
        for case in cohort.cases
        if case.patient in patients
    }
    case = next(case for case in cohort.cases if case.patient == "d")
    predictor = load_predictor(make_recipe(bundle), find_weights(folds, bundle.metadata, 1))
    mask = nib.load(folds / "work" / "fold1" / "held_out" / f"{case.id}.nii.gz")
    assert np.array_equal(np.asarray(mask.dataobj), predict_case(predictor, case).voxels)
    validation = read_record(folds / "work" / "cross_validation" / "scores.json", CrossValidation)
    assert {score.case for score in validation.scores.of_first()} == {case.id for case in cohort.cases}
    assert len(validation.summary[0].fold_dice) == 2


def test_again_it_trains_and_predicts_nothing_but_what_is_missing(folds: Path) -> None:
    masks = sorted(folds.glob("work/fold*/held_out/*.nii.gz"))
    masks[0].unlink()
    before = {path: path.stat().st_mtime_ns for path in [*masks[1:], *folds.glob("work/fold*/model.pt")]}
    result = medunet.train_folds(folds)
    assert masks[0].is_file()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert result.validation.scores.of_first()


def test_evaluate_scores_all_patients_beside_floors_of_each_fold(folds: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has seen the held-out patients"):
        medunet.evaluate(folds, predictions=tmp_path, output=tmp_path / "e")
    masks = {path: path.stat().st_mtime_ns for path in folds.glob("work/fold*/held_out/*.nii.gz")}
    result = medunet.evaluate(folds, output=tmp_path / "e")
    assert {path: path.stat().st_mtime_ns for path in masks} == masks, "the ensemble's files have other names"
    assert len(result.scores.of_first()) == 4
    assert list(result.scores.methods) == ["medunet", "ellipsoid", "threshold"]
    assert "Dice of each fold" in result.table
    validation = read_record(folds / "work" / "cross_validation" / "scores.json", CrossValidation)
    assert result.scores.of_first() == validation.scores.of_first()
    assert sorted(path.name for path in (folds / "docs").glob("floors*")) == [
        "floors_fold0.json",
        "floors_fold1.json",
    ]


def test_monai_alone_averages_as_medunet_does(folds: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "ac":
        shutil.copy(folds.with_name("bundle.scans") / f"{name}_ct.nii.gz", tmp_path / "images" / f"{name}.nii.gz")
    with in_float32():
        made = medunet.predict(
            folds, *sorted((tmp_path / "images").iterdir()), output=tmp_path / "labels", backend="torch"
        )
    record = read_json(tmp_path / "labels" / f"{made[0].id}.json")
    assert sorted(record["weights"]) == ["model_fold0.pt", "model_fold1.pt"]
    for name, folder in (("inference", tmp_path / "images"), ("evaluate", tmp_path)):
        config = folds / "configs" / f"{name}.json"
        run_monai("run", "--config_file", config, "--dataset_dir", folder, "--output_dir", tmp_path, cwd=tmp_path)
    for item in made:
        ours = item.mask.voxels
        theirs = np.asarray(nib.load(tmp_path / f"{item.id}_mask.nii.gz").dataobj)
        assert ours.any(), "agreement on nothing proves nothing"
        assert measure_dice(ours, theirs) >= 0.999
        assert ndimage.label(ours)[1] == ndimage.label(theirs)[1]
    assert float((tmp_path / "metrics.csv").read_text().replace(",", " ").split()[-1]) >= 0.999


def test_another_bundle_starts_from_its_weights_and_patience_ends_it(folds: Path, tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "efg")
    pin_schedule(bundle, epochs=6, steps_per_epoch=2)
    schedule = bundle / "work" / "fold0" / "schedule.json"
    write_json(schedule, {**read_json(schedule), "validation_interval": 1, "patience": 1})
    medunet.train(bundle, source=folds)
    start = read_json(bundle / "work" / "fold0" / "start.json")
    assert start["left"] == []
    rows = read_history(bundle / "work" / "fold0" / "history.csv")
    assert rows[0].learning_rate <= start["learning_rate"] == 3e-4
    result = read_json(bundle / "work" / "fold0" / "result.json")
    *before, last = [row.dice or 0.0 for row in rows]
    gained = last > max(before)
    assert result["ended"] == ("schedule" if gained else "patience")
    assert len(rows) == 6 or not gained
    assert (bundle / "work" / "fold0" / "finished").exists()


def test_a_single_fold_trained_again_is_a_bundle_of_that_fold(
    folds: Path, patients: list[Path], tmp_path: Path
) -> None:
    bundle = Path(shutil.copytree(folds, tmp_path / "bundle"))
    medunet.train(bundle, fold=1, budget_minutes=0.02, restart=True)
    assert [path.name for path in (bundle / "models").iterdir()] == ["model.pt"]
    metadata = read_json(bundle / "configs" / "metadata.json")
    assert "fold_weights" not in metadata
    assert metadata["training"]["fold"] == 1
    scan = folds.with_name("bundle.scans") / "a_ct.nii.gz"
    assert medunet.predict(bundle, scan)[0].mask.voxels.shape == (32, 32, 16)
