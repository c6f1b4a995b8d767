"""What needs nnU-Net itself runs where `make nnunet-env` made its environment."""

import sys
from pathlib import Path

import compare_nnunet
import pytest
from nnunet_runs import CHECKS, choose_configuration, fit_schedule

import medunet
from medunet.bundle import open_bundle
from medunet.cohort import split_cases, write_cohort


@pytest.mark.parametrize("step", [0.05, 0.3, 2.0, 30.0])
def test_steps_fill_the_minutes(step: float) -> None:
    epochs, iterations = fit_schedule(2400, step, step / 3, 1.0)
    taken = epochs * (iterations * (step + CHECKS * step / 3) + 1.0)
    assert 2400 - epochs * 1.1 * step <= taken <= 2400 or epochs == 1
    assert 5 <= epochs <= 40


def test_a_single_step_is_run_where_none_fits() -> None:
    assert fit_schedule(10, 60.0, 20.0, 1.0) == (1, 1)


def test_ends_of_epochs_stay_a_small_share() -> None:
    assert fit_schedule(2400, 0.3, 0.1, 4.0)[0] == 12


def test_the_coarser_grid_is_chosen_where_nnunet_plans_one() -> None:
    assert choose_configuration({"2d": {}, "3d_fullres": {}, "3d_lowres": {}}) == "3d_lowres"
    assert choose_configuration({"2d": {}, "3d_fullres": {}}) == "3d_fullres"
    assert choose_configuration({"2d": {}}) == "2d"


def compare_with(trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    """Exit code of the workflow for a bundle that was trained before."""
    (folder / "ours").mkdir()
    (folder / "ours" / "bundle").symlink_to(trained)
    options = ["--data", str(folder), "--out", str(folder / "out"), "--ours", str(folder / "ours")]
    monkeypatch.setattr(sys, "argv", ["compare_nnunet.py", *options, *more])
    return int(compare_nnunet.main())


def test_a_run_of_another_fold_is_refused(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare_with(trained, tmp_path, monkeypatch, "--fold", "1") == 2
    assert "it was trained on fold 0" in capsys.readouterr().err


def test_an_environment_without_nnunet_is_told(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare_with(trained, tmp_path, monkeypatch, "--python", str(tmp_path / "none" / "python")) == 2
    assert "make nnunet-env" in capsys.readouterr().err
    raw = tmp_path / "out" / "nnunet" / "raw" / "Dataset001_cohort"
    assert (raw / "splits_final.json").is_file()


def test_complete_cases_alone_are_kept_and_all_that_are_held_out(trained: Path) -> None:
    cohort = open_bundle(trained).cohort()
    name, known = cohort.labels.names[0], [None, (), ()]
    cases = tuple(
        case.model_copy(update={"contoured": known[number] if number < 3 else (name,)})
        for number, case in enumerate(cohort.cases)
    )
    partial = cohort.model_copy(update={"cases": cases})
    held = [cases[1]]
    kept = compare_nnunet.keep_complete(partial, held)
    assert [case.id for case in kept.cases] == [case.id for case in cases if case.id != cases[2].id]
    assert {patient for fold in kept.folds or () for patient in fold} == {case.patient for case in kept.cases}


def test_masks_of_both_are_scored_on_the_grid_of_the_scan(trained: Path, tmp_path: Path) -> None:
    """The labels as nnU-Net gets them stand for its masks: they are right in every voxel."""
    bundle = open_bundle(trained)
    cohort = bundle.cohort()
    cases = split_cases(cohort, 0)[1]
    ours = compare_nnunet._predict_ours(bundle, cases, tmp_path / "ours")
    assert compare_nnunet._predict_ours(bundle, cases, tmp_path / "ours") == ours
    write_cohort(tmp_path / "cohort.json", cohort)
    medunet.export_cohort(tmp_path / "cohort.json", tmp_path / "raw", "nnunet")
    truth = {case.id: tmp_path / "raw" / "labelsTr" / f"{case.id}.nii.gz" for case in cases}
    theirs = compare_nnunet.Masks(truth, dict.fromkeys(truth, 2.0), ("8 × 8 × 8, 2, 32", "7", "1.0", "3 s"))
    methods = {"medunet": ours, "nnU-Net stock": ours, "nnU-Net small": theirs}
    scores = compare_nnunet._score(cohort, cases, methods, bundle.plan.task.unit)
    held = [score for score in scores.methods["nnU-Net small"] if score.truth_ml > 0]
    assert held
    assert all(score.dice == score.nsd == 1 for score in held)
    rows = compare_nnunet.tabulate_runs(scores, methods).splitlines()
    assert rows[-1] == "| nnU-Net small | 8 × 8 × 8, 2, 32 | 7 | 1.0 | 3 s | 2.0 | 1.000 |"
    headline = compare_nnunet.tell_headline(scores)
    assert headline[0] == "against the best of them, nnU-Net small:"
    assert f"better in 0 of {len(held)} cases" in headline[1]
