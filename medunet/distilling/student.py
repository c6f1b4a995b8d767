"""Make the bundle of a student: choose its network by seconds, and write it with its teacher and cases."""

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from medunet.bundle import Bundle, ForeignBundle, find_weights, join_hashes, open_any_bundle, write_bundle
from medunet.cohort import Cohort, write_cohort
from medunet.distilling.cases import find_teachers_cohort, find_unlabelled
from medunet.distilling.ladder import describe_network, list_students
from medunet.distilling.teaching import check_fold
from medunet.distilling.timing import Timed, Timer, choose_student
from medunet.distilling.wishes import Wishes
from medunet.errors import BundleError
from medunet.files import check_free, check_input
from medunet.machine import count_cores
from medunet.measuring import Fingerprint
from medunet.networks import state_loss
from medunet.planner import Wishes as PlanWishes
from medunet.planner import plan_bundle
from medunet.planning import Plan, Teacher, TimedScan
from medunet.records import read_record
from medunet.training import CONFIGS
from medunet.training.prepared import TEACHER, UNLABELLED

LOGGER = logging.getLogger(__name__)
WHY_WEIGHT = "beside the loss of the labels, or --weight"


def make_student(source: Path, folder: Path, wishes: Wishes) -> Plan:
    """Write a bundle that learns from another one; see `medunet.distill`."""
    check_free(folder)
    teacher = open_teacher(source)
    if wishes.fold is not None:
        check_fold(teacher, wishes.fold)
    cohort = find_teachers_cohort(teacher, wishes.cohort)
    others = None
    if wishes.unlabelled is not None:
        check_input(wishes.unlabelled)
        others = find_unlabelled(teacher, wishes.unlabelled, cohort)
    fingerprint = read_record(teacher.folder / "configs" / "fingerprint.json", Fingerprint)
    taught = _add_teacher(teacher, wishes, 0 if others is None else len(others.cases))
    students = list_students(taught, fingerprint, wishes.shape, wishes.spacing_mm)
    place = folder.absolute().parent
    place.mkdir(parents=True, exist_ok=True)
    with Timer(teacher, wishes, place) as timer:
        chosen = choose_student(timer, students, wishes)
        plan = _add_seconds(chosen, timer, teacher, wishes)
    fill = partial(_fill, teacher=teacher, others=others)
    write_bundle(folder, plan, fingerprint, cohort, CONFIGS, fill)
    return plan_bundle(folder, PlanWishes(), write=True)


def open_teacher(folder: Path) -> Bundle:
    """Open a bundle that can teach.

    Raises:
        BundleError: it isn't trained, or not by medunet's own steps on volumes.
    """
    teacher = open_any_bundle(folder)
    if isinstance(teacher, ForeignBundle):
        found = "it says of no patient by which network they were held out, so that no score of a student would count"
        raise BundleError(folder, found, "make a bundle that goes on from it with medunet init --from, and train that")
    teacher.trained()
    find_weights(teacher.folder, teacher.metadata)
    task = teacher.plan.task
    if task.unit == "px":
        raise BundleError(folder, "it takes pictures", "give a bundle that takes volumes")
    if teacher.plan.grid.steps is not None:
        found = "its chain is that of another bundle, on whose grid medunet can't choose"
        raise BundleError(folder, found, "give a bundle with medunet's own chain")
    return teacher


def _add_teacher(teacher: Bundle, wishes: Wishes, unlabelled: int) -> Plan:
    """The teacher's plan, as one of somebody that learns from it."""
    plan, name = teacher.plan, teacher.name
    weights = find_weights(teacher.folder, teacher.metadata)
    digest = join_hashes({path.name: found for path, found in weights.items()})
    told = Teacher(
        name=name,
        version=teacher.metadata.version or "0",
        weights_sha256=digest,
        weight=wishes.weight,
        unlabelled=unlabelled,
    )
    training: dict[str, Any] = {"teacher": told}
    reasons = {"teacher": f"{name}, each fold by the network that never saw its patients; weight {WHY_WEIGHT}"}
    if unlabelled:
        training["partial"] = True
        reasons["partial"] = f"of {unlabelled} unlabelled scans the teacher alone tells (--unlabelled)"
    if wishes.budget_minutes is not None:
        training["budget_minutes"] = wishes.budget_minutes
    taught = plan.change(training=training, reasons=reasons)
    if isinstance(plan.training.loss, dict):
        state_loss(plan.training.loss, taught)
    return taught


def _add_seconds(chosen: Timed, timer: Timer, teacher: Bundle, wishes: Wishes) -> Plan:
    """The chosen plan with what a scan takes by it and by its teacher, predicted whole."""
    seconds, computed = timer.measure_plan(chosen.plan)
    by_teacher, _ = timer.measure_plan(teacher.plan)
    scan = TimedScan(
        shape=wishes.shape,
        spacing_mm=wishes.spacing_mm,
        wanted_seconds=wishes.seconds,
        foreseen_seconds=_round(chosen.seconds),
        seconds=_round(seconds),
        teacher_seconds=_round(by_teacher),
        network_seconds=_round(chosen.network_seconds),
        teacher_network_seconds=_round(timer.time_network(teacher.plan)),
        computed=computed,
        cores=count_cores(),
    )
    what, name = describe_network(chosen.plan), teacher.name
    LOGGER.info("%s: %s", what, scan.describe())
    if seconds > wishes.seconds:
        LOGGER.warning(
            "a whole prediction took %.1f s, its parts %.1f s before: other work may disturb this machine",
            *(seconds, chosen.seconds),
        )
    why = f"most work for a scan within {wishes.seconds:g} s: {_round(chosen.seconds):g} s foreseen (--seconds)"
    reasons = {"network": f"narrowed from {name}: {why}", "patch": f"of about as many voxels as that of {name}"}
    if chosen.plan.grid.spacing_mm != teacher.plan.grid.spacing_mm:
        reasons["spacing_mm"] = f"coarser than that of {name}: {why}"
    return chosen.plan.change(foreseen={"scan": scan}, reasons=reasons)


def _round(seconds: float) -> float:
    return float(f"{seconds:.3g}")


def _fill(part: Path, teacher: Bundle, others: Cohort | None) -> None:
    """Copy the teacher into the work of its student, so that training needs nothing else, and list unlabelled scans."""
    ignored = shutil.ignore_patterns("work", "docs", "*train.json", "evaluate.json", ".*")
    shutil.copytree(teacher.folder, part / "work" / TEACHER, ignore=ignored)
    if others is not None:
        write_cohort(part / "work" / UNLABELLED, others)
