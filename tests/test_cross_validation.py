from pathlib import Path

import pytest
from plans import make_tiny_bundle, pin_schedule, stop_training

from medunet.bundle import open_bundle
from medunet.cohort import write_cohort
from medunet.cross_validation import predict_held_out, train_folds
from medunet.errors import InputError
from medunet.evaluation import Choice


def test_folds_that_make_no_cross_validation_are_refused(tmp_path: Path) -> None:
    untrained = make_tiny_bundle(tmp_path / "bundle", "abcd")
    cohort = open_bundle(untrained).cohort()
    first, second, *_ = sorted({case.patient for case in cohort.cases})
    for folds, words in ((((first,),), "one fold only"), (((first,), (first, second)), "is held out by fold 0 and by")):
        write_cohort(untrained / "work" / "cohort.json", cohort.model_copy(update={"folds": folds}))
        with pytest.raises(InputError, match=words):
            train_folds(untrained, budget_minutes=None, restart=False)
    assert not list((untrained / "work").glob("fold*"))


def test_a_signal_stops_all_folds_and_leaves_a_model(tmp_path: Path) -> None:
    untrained = make_tiny_bundle(tmp_path / "bundle", "abcd")
    pin_schedule(untrained, epochs=5000, steps_per_epoch=4)
    code, output = stop_training(untrained, "--fold", "all", limit=240)
    assert code == 2, output
    assert "fold0: it was stopped after" in output
    assert "go on with the same command" in output
    assert (untrained / "models" / "model.pt").is_file()
    assert not (untrained / "work" / "fold1").exists()


def test_an_ensemble_holds_no_patient_out(tmp_path: Path) -> None:
    bundle = open_bundle(make_tiny_bundle(tmp_path / "bundle", "ab"))
    cohort = bundle.cohort()
    with pytest.raises(ValueError, match="seen every patient"):
        predict_held_out(bundle, Choice("all", cohort, cohort.cases, cohort, cohort.cases))
