import shutil
from pathlib import Path
from typing import Any

import pytest
from zoo import write_zoo_bundle

from medunet.bundle import find_stale, open_bundle
from medunet.cohort import read_cohort
from medunet.distilling import Wishes, choose_fold, make_student
from medunet.errors import BundleError, InputError, MedunetError, OutputExistsError
from medunet.planner import Wishes as PlanWishes
from medunet.planner import plan_bundle
from medunet.records import read_json, write_json
from medunet.training import CONFIGS

WISHES: dict[str, Any] = {"seconds": 60, "shape": (48, 40, 24), "spacing_mm": (7.0, 7.0, 8.0)}


def test_a_student_is_a_bundle_with_its_teacher(student: Path, trained: Path) -> None:
    bundle, teacher = open_bundle(student), open_bundle(trained)
    plan = bundle.plan
    assert (plan.task, plan.grid.normalization, plan.window.overlap) == (
        teacher.plan.task,
        teacher.plan.grid.normalization,
        teacher.plan.window.overlap,
    )
    assert bundle.cohort() == teacher.cohort()
    assert find_stale(bundle, CONFIGS) == []
    told = plan.training.teacher
    assert told is not None
    assert (told.name, told.version, told.weight, told.unlabelled) == (teacher.name, "0.1.0", 2.0, 1)
    assert told.weights_sha256 == teacher.metadata.weights_sha256
    assert (plan.training.partial, plan.training.budget_minutes) == (True, 0.1)
    assert plan.foreseen.peak_gib
    assert choose_fold(student) == 0
    others = read_cohort(student / "work" / "unlabelled.json")
    assert [(case.label, case.contoured) for case in others.cases] == [(None, ())]


def test_metadata_say_who_taught_and_what_was_measured(student: Path, trained: Path) -> None:
    metadata = read_json(student / "configs" / "metadata.json")
    scan = metadata["timed_scan"]
    assert metadata["teacher"]["name"] == open_bundle(trained).name
    assert metadata["description"].endswith(f"a student of {open_bundle(trained).name} 0.1.0.")
    assert (scan["shape"], scan["wanted_seconds"]) == ([48, 40, 24], 60)
    assert 0 < scan["seconds"] < 60
    assert 0 < scan["network_seconds"] < scan["foreseen_seconds"]
    assert min(scan["teacher_seconds"], scan["teacher_network_seconds"]) > 0
    assert scan["computed"].startswith("by ")
    assert "teacher" not in read_json(trained / "configs" / "metadata.json")


def test_what_cannot_teach_is_refused(trained: Path, untrained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wrong: list[tuple[Path, dict[str, Any], type[MedunetError], str]] = [
        (untrained, {}, BundleError, "no weights"),
        (write_zoo_bundle(tmp_path / "zoo"), {}, BundleError, "it says of no patient"),
        (trained, {"fold": 1}, InputError, "no network of this fold, only of 0"),
        (trained, {"cohort": tmp_path}, InputError, "came with its cohort"),
        (trained, {"unlabelled": tmp_path / "none"}, InputError, "no such file"),
        (trained, {"seconds": 1e-3}, InputError, "takes .* s for such a scan"),
    ]
    for folder, more, kind, said in wrong:
        with pytest.raises((kind, MedunetError), match=said):
            make_student(folder, out, Wishes(**(WISHES | more)))
        assert not out.exists()
    out.mkdir()
    with pytest.raises(OutputExistsError):
        make_student(trained, out, Wishes(**WISHES))


def test_a_teacher_without_weights_is_refused(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "b"))
    (folder / "models" / "model.pt").unlink()
    with pytest.raises(BundleError, match="no weights"):
        make_student(folder, tmp_path / "out", Wishes(**WISHES))


def test_pictures_and_chains_of_others_are_refused(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "b"))
    path = folder / "configs" / "plan.json"
    plan = read_json(path)
    write_json(path, {**plan, "grid": {**plan["grid"], "steps": [{"_target_": "EnsureTyped", "keys": ["image"]}]}})
    with pytest.raises(BundleError, match="its chain is that of another bundle"):
        make_student(folder, tmp_path / "out", Wishes(**WISHES))
    write_json(path, {**plan, "task": {**plan["task"], "unit": "px"}})
    with pytest.raises(BundleError, match="it takes pictures"):
        make_student(folder, tmp_path / "out", Wishes(**WISHES))


def test_a_student_is_not_planned_again(student: Path) -> None:
    with pytest.raises(InputError, match="make another student with medunet distill"):
        plan_bundle(student, PlanWishes(budget_minutes=1))
