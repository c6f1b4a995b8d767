import shutil
from pathlib import Path

import numpy as np
import pytest
from plans import make_test_plan, make_tiny_bundle

from medunet.bundle import open_bundle, rewrite_bundle
from medunet.cohort import write_cohort
from medunet.errors import ResourceError
from medunet.findings import listening
from medunet.planning import Teacher
from medunet.training import CONFIGS, list_untaught, open_session, prepare_fold
from medunet.training.prepared import UNLABELLED


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """A bundle with a teacher that told nothing yet, and an unlabelled scan that is the one of patient a."""
    folder = make_tiny_bundle(tmp_path / "b", "abcd")
    teacher = Teacher(name="t", version="1", weights_sha256="0" * 64, unlabelled=1)
    bundle = rewrite_bundle(
        open_bundle(folder), make_test_plan().change(training={"teacher": teacher, "partial": True}), CONFIGS
    )
    cohort = bundle.cohort()
    first = cohort.cases[0]
    other = first.model_copy(update={"id": "other", "patient": "other", "label": None, "contoured": ()})
    write_cohort(bundle.work / UNLABELLED, cohort.model_copy(update={"cases": (other,), "folds": None}))
    return folder


def test_cases_of_a_student_have_places_for_what_is_told(student: Path) -> None:
    bundle = open_bundle(student)
    training, held_out = prepare_fold(bundle, 1)
    assert [case.id for case in training] == ["a", "b", "other"]
    assert [case.id for case in held_out] == ["c", "d"]
    assert {case.teaching.parent for case in training if case.teaching} == {bundle.work / "teaching" / "fold1"}
    assert list_untaught(training) == training
    assert list_untaught(held_out) == []
    other = training[-1]
    assert other.unknown() == (1,)
    assert not other.label().any()
    assert not len(other.centres())


def test_a_scan_of_a_held_out_patient_is_left_out(student: Path) -> None:
    with listening() as heard:
        training, _ = prepare_fold(open_bundle(student), 0)
    assert [case.id for case in training] == ["c", "d"]
    assert [(item.code, item.subject) for item in heard] == [("patient-seen", "unlabelled scan other")]


def test_a_run_does_not_begin_before_all_was_told(student: Path) -> None:
    training, _ = prepare_fold(open_bundle(student), 1)
    for case in training[:-1]:
        assert case.teaching is not None
        case.teaching.parent.mkdir(parents=True, exist_ok=True)
        np.save(case.teaching, np.zeros((1, *case.label().shape), np.uint8))
    with pytest.raises(ResourceError, match="of 1 of 3 cases of fold 1 aren't there") as caught:
        open_session(str(student), 1, 0.1)
    assert caught.value.code == "teaching-missing"


def test_without_a_teacher_nothing_is_told(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "b", "abcd")
    training, _ = prepare_fold(open_bundle(folder), 0)
    assert [case.teaching for case in training] == [None, None]
    assert training[0].told().shape[0] == 0
    shutil.rmtree(folder)
