import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from plans import make_test_plan, make_tiny_bundle, pin_schedule

import medunet
from medunet.bundle import open_bundle, publish_folds, rewrite_bundle, write_weights
from medunet.cohort import write_cohort
from medunet.distilling import check_fold, choose_fold, teach_fold
from medunet.distilling.teaching import list_folds
from medunet.errors import BundleError, InputError
from medunet.inference import Scan, open_predictor, predict_onto
from medunet.inference.computing import EXACT
from medunet.networks import build_network, make_network
from medunet.planning import Teacher
from medunet.preparation import find_images
from medunet.training import CONFIGS, find_run, prepare_fold, train_bundle

TEACHER = Teacher(name="t", version="1", weights_sha256="0" * 64)


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """An ensemble of two folds with random weights, which differ."""
    folder = make_tiny_bundle(tmp_path / "teacher", "abcd")
    files = {}
    for fold in (0, 1):
        torch.manual_seed(fold)
        files[fold] = tmp_path / f"{fold}.pt"
        write_weights(files[fold], build_network(make_network(make_test_plan())).state_dict())
    publish_folds(folder, files, {"training": {"fold": "all", "steps": [1, 1]}})
    return folder


@pytest.fixture
def student(teacher: Path, tmp_path: Path) -> Path:
    """Of the same cohort, on a coarser grid."""
    folder = tmp_path / "student"
    shutil.copytree(teacher, folder, ignore=shutil.ignore_patterns("*.pt", "fold*"))
    plan = make_test_plan().change(grid={"spacing_mm": (4.0, 4.0, 5.0)}, training={"teacher": TEACHER})
    rewrite_bundle(open_bundle(folder), plan, CONFIGS)
    shutil.copytree(teacher, folder / "work" / "teacher", ignore=shutil.ignore_patterns("work"))
    return folder


@pytest.mark.parametrize("fold", [0, 1])
def test_the_network_of_a_fold_alone_tells_of_its_training_cases(student: Path, teacher: Path, fold: int) -> None:
    teach_fold(student, fold)
    bundle = open_bundle(student)
    training, held_out = prepare_fold(bundle, fold)
    files = {case.teaching for case in training}
    assert {*(bundle.work / "teaching").rglob("*.npy")} == files
    assert not {case.id for case in training} & {case.id for case in held_out}
    case = next(case for case in bundle.cohort().cases if case.id == training[0].id)
    told = training[0].told()
    for other in (0, 1):
        kept = np.zeros(told.shape)

        def keep(scores: torch.Tensor, box: tuple[slice, slice, slice], kept: np.ndarray = kept) -> None:
            kept[(slice(None), *box)] = scores.softmax(0)[1:].numpy()

        with open_predictor(open_bundle(teacher), other, EXACT) as predictor:
            scan = Scan(case.id, find_images(case, bundle.task.channels))
            predict_onto(predictor, scan, training[0].grid(), keep)
        assert (np.abs(kept - told / 255).max() < 0.003) == (other == fold)


def test_what_was_told_stays(student: Path) -> None:
    teach_fold(student, 0)
    files = sorted((student / "work" / "teaching" / "fold0").iterdir())
    assert len(files) == 2
    times = [path.stat().st_mtime_ns for path in files]
    files[1].unlink()
    teach_fold(student, 0)
    assert files[0].stat().st_mtime_ns == times[0]
    assert files[1].stat().st_mtime_ns > times[1]


def test_a_student_trains_as_any_bundle(student: Path) -> None:
    pin_schedule(student, 1, 2)
    assert medunet.train(student).is_file()
    assert find_run(open_bundle(student), 0).read_result().training["cases"] == 2


def test_a_fold_without_a_network_is_refused(student: Path, teacher: Path, tmp_path: Path) -> None:
    assert list_folds(open_bundle(teacher)) == [0, 1]
    assert choose_fold(student) is None
    with pytest.raises(InputError, match="no network of this fold, only of 0, 1"):
        check_fold(open_bundle(teacher), 2)
    untrained = make_tiny_bundle(tmp_path / "other", "abcd")
    teach_fold(untrained, 0)
    assert not (untrained / "work" / "teaching").exists()
    with pytest.raises(BundleError, match="no weights"):
        list_folds(open_bundle(untrained))


@pytest.mark.parametrize("weight", [1.0, 1e-9])
def test_what_nobody_contoured_is_learnt_from_the_teacher(tmp_path: Path, weight: float) -> None:
    """Of the training cases nothing is known but what the teacher tells; where that counts, lesions are found."""
    folder = make_tiny_bundle(tmp_path / "b", "abcd")
    truth = {case.id: 255 * case.label()[None] for case in prepare_fold(open_bundle(folder), 0)[0]}
    told = TEACHER.model_copy(update={"weight": weight})
    training = {"teacher": told, "partial": True, "learning_rate": 8e-3}
    bundle = rewrite_bundle(open_bundle(folder), make_test_plan().change(training=training), CONFIGS)
    cohort = bundle.cohort()
    cases = [
        case.model_copy(update={"label": None, "contoured": ()}) if case.id in truth else case for case in cohort.cases
    ]
    write_cohort(bundle.work / "cohort.json", cohort.model_copy(update={"cases": tuple(cases)}))
    for case in prepare_fold(bundle, 0)[0]:
        assert case.teaching is not None
        case.teaching.parent.mkdir(parents=True, exist_ok=True)
        np.save(case.teaching, truth[case.id])
    pin_schedule(folder, 2, 50)
    train_bundle(folder, fold=0, budget_minutes=None, restart=False)
    dice = open_bundle(folder).trained().validation_dice
    assert isinstance(dice, float)
    assert (dice > 0.5) == (weight == 1)
