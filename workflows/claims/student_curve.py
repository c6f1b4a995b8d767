"""What students of a bundle cost in Dice, and what they gain in seconds: one student for each time.

    python workflows/claims/student_curve.py BUNDLE DIR --seconds 5 10 20 --scan 512x512x300 --spacing 0.8x0.8x1
        [--folds 0 1] [--budget 15m] [--preset fast] [--cohort COHORT] [--unlabelled SCANS] [--weight 1]

Each student lies in DIR; what is made or trained there already stays, so that the same command goes on. The patients of
a fold are predicted by the student's and the teacher's network of that fold alone, exactly, by torch. Seconds are those
that were measured when a student was made: let nothing else run then (`--make` makes all and trains none).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import medunet
from medunet.bundle import Bundle, locate_bundle, make_recipe, open_bundle
from medunet.cli.arguments import parse_minutes
from medunet.cli.teaching import parse_triple
from medunet.cohort import split_cases
from medunet.distilling.teaching import list_folds
from medunet.errors import InputError
from medunet.evaluation import Scores, score_masks
from medunet.inference import find_prediction, load_predictor, open_predictor, predict_cases
from medunet.inference.computing import PLAIN
from medunet.training import find_run
from medunet.training.prepared import TEACHER
from medunet.training.runs import Action

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share

from command import finish
from paired import Difference, compare_values, take_values

HEAD = ("s wanted", "s of a scan", "s in the network", "of the teacher", "network", "fold", "label", "cases")
DICE = ("teacher", "student", "student - teacher")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, nargs="+", required=True)
    parser.add_argument("--scan", required=True)
    parser.add_argument("--spacing", required=True)
    parser.add_argument("--folds", type=int, nargs="+", help="all that the bundle has, if not given")
    parser.add_argument("--budget", help="of each fold, like 15m; the bundle's if not given")
    parser.add_argument("--preset", choices=("exact", "fast"), default="exact")
    parser.add_argument("--cohort", type=Path)
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--weight", type=float, default=1.0)
    parser.add_argument("--make", action="store_true", help="make the students and train none")
    arguments = parser.parse_args()
    return finish("student_curve", lambda: run(arguments))


def run(arguments: argparse.Namespace) -> None:
    """Make, train and score all students, and print the table."""
    rows: list[list[str]] = []
    for seconds in arguments.seconds:
        folder = arguments.folder / f"{seconds:g}s"
        try:
            make(arguments, seconds, folder)
        except InputError as error:
            rows.append([f"{seconds:g}", str(error)])
            continue
        if not arguments.make:
            rows += compare(folder, arguments.folds or list_folds(open_bundle(locate_bundle(arguments.bundle))))
    print(f"| {' | '.join((*HEAD, *DICE))} |\n" + "|---" * len((*HEAD, *DICE)) + "|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def make(arguments: argparse.Namespace, seconds: float, folder: Path) -> None:
    """Make a student, unless it is there.

    Raises:
        InputError: no network is as fast.
    """
    if folder.exists():
        return
    scan, spacing = (parse_triple(getattr(arguments, key), f"--{key}", "1x1x1") for key in ("scan", "spacing"))
    how: dict[str, Any] = {"seconds": seconds, "scan": tuple(map(int, scan)), "spacing": spacing}
    how |= {key: getattr(arguments, key) for key in ("preset", "cohort", "unlabelled", "weight")}
    how["budget_minutes"] = None if arguments.budget is None else parse_minutes(arguments.budget)
    folder.parent.mkdir(parents=True, exist_ok=True)
    medunet.distill(arguments.bundle, folder, **how)


def compare(folder: Path, folds: Sequence[int]) -> list[list[str]]:
    """Rows of the table for one student: label by label of each fold, and of all folds."""
    for fold in folds:
        if not find_run(open_bundle(folder), fold).allows(Action.TAKE_OVER):
            medunet.train(folder, fold=fold)
    student = open_bundle(folder)
    teacher = open_bundle(student.work / TEACHER)
    by_fold = [
        (score_fold(student, teacher, fold, "teacher"), score_fold(student, teacher, fold, "student")) for fold in folds
    ]
    first = describe(student)
    rows = [
        row
        for fold, (old, new) in zip(folds, by_fold, strict=True)
        for row in list_rows(first, str(fold), [old], [new])
    ]
    whole = list_rows(first, "all", [old for old, _ in by_fold], [new for _, new in by_fold])
    return rows + whole if len(folds) > 1 else rows


def score_fold(student: Bundle, teacher: Bundle, fold: int, who: str) -> Scores:
    """Scores of the held-out cases of a fold by the network that never saw them."""
    cohort = student.cohort()
    cases = split_cases(cohort, fold)[1]
    place = student.work / "curve" / who / f"fold{fold}"
    run = find_run(student, fold)
    if who == "teacher":
        predictor = open_predictor(teacher, fold, PLAIN)
    else:
        weights = {run.weights: run.read_result().weights_sha256}
        predictor = load_predictor(make_recipe(student), weights, PLAIN)
    with predictor:
        predict_cases(predictor, cases, place)
    return score_masks(cohort, [cases], lambda _, case, truth: find_prediction(place, case, truth)).scores


def describe(student: Bundle) -> list[str]:
    """What a row says of a student: seconds and network."""
    scan, plan = student.plan.foreseen.scan, student.plan
    if scan is None:
        raise InputError(student.folder, "it is no student", "make it with medunet distill")
    spacing = " × ".join(f"{size:.3g}" for size in plan.grid.spacing_mm)
    times = (
        f"{scan.teacher_seconds / scan.seconds:.1f}, {scan.teacher_network_seconds / scan.network_seconds:.1f} times"
    )
    return [
        f"{scan.wanted_seconds:g}",
        f"{scan.seconds:g}",
        f"{scan.network_seconds:g}",
        f"{scan.teacher_seconds:g}, {scan.teacher_network_seconds:g} ({times})",
        f"{'-'.join(map(str, plan.network.filters))} on {spacing} mm",
    ]


def list_rows(first: list[str], fold: str, old: Sequence[Scores], new: Sequence[Scores]) -> list[list[str]]:
    """A row for each label, and one of the mean over those that a case holds.

    Args:
        first: what all rows begin with.
        fold: its name.
        old: of the teacher, fold by fold.
        new: of the student, in the same order.
    """
    labels = old[0].labels
    values = {label: [_join(scores, label) for scores in (old, new)] for label in labels}
    if len(labels) > 1:
        values["mean of a case"] = [_average([pair[n] for pair in values.values()]) for n in range(2)]
    rows = []
    for label, (teacher, student) in values.items():
        if teacher:
            gain: Difference = compare_values(student, teacher)
            means = [f"{np.mean(list(dice.values())):.3f}" for dice in (teacher, student)]
            rows.append([*first, fold, label, str(gain.cases), *means, str(gain)])
    return rows


def _join(scores: Sequence[Scores], label: str) -> dict[str, float]:
    return {case: dice for part in scores for case, dice in take_values(part, "medunet", label).items()}


def _average(values: Sequence[dict[str, float]]) -> dict[str, float]:
    cases = dict.fromkeys(case for own in values for case in own)
    return {case: float(np.mean([own[case] for own in values if case in own])) for case in cases}


if __name__ == "__main__":
    sys.exit(main())
