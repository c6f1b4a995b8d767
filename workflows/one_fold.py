"""Train one fold of a cohort and score its held-out patients case by case: what the workflows on real scans share."""

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import medunet
from medunet.cli.arguments import parse_minutes
from medunet.cohort import Cohort, write_cohort
from medunet.errors import OutputExistsError
from medunet.evaluation import CaseScore, Scores, SummaryRow, compare_methods, summarize
from medunet.progress import format_seconds


def make_parser(description: str, data: str, out: str) -> argparse.ArgumentParser:
    """Options that all of them have.

    Args:
        description: the docstring of the workflow.
        data: what `--data` is.
        out: where results go if `--out` isn't given.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, default=Path(out), help="a folder; an interrupted run goes on from it")
    parser.add_argument("--fold", type=int, default=0, help="whose patients are held out")
    parser.add_argument("--budget", type=parse_minutes, default="40m", help="time for training, like 40m")
    return parser


def run_fold(arguments: argparse.Namespace, channels: Sequence[str] | None = None, *, objects: bool = False) -> None:
    """Plan, train and evaluate; prints the scores of each case.

    Args:
        arguments: from `make_parser`.
        channels: limits the cohort to these.
        objects: label maps number the objects of one label.
    """
    started = time.monotonic()
    bundle = arguments.out / "bundle"
    if not bundle.exists():
        labels = medunet.LabelChoices(objects=objects)
        medunet.init(arguments.data, bundle, budget_minutes=arguments.budget, channels=channels, labels=labels)
    plan = medunet.plan(bundle)
    network, spacing = plan.network, f"{plan.grid.spacing_mm} {plan.task.unit}"
    print(f"{network.dims}D, spacing {spacing}, patch {plan.window.patch}, features {network.filters}")
    try:
        medunet.train(bundle, fold=arguments.fold, budget_minutes=arguments.budget)
    except OutputExistsError:
        print(f"fold {arguments.fold} was trained before")
    result = medunet.evaluate(bundle, output=arguments.out / "evaluation")
    print(tabulate_cases(result.scores))
    print(result.table)
    print(f"report: {result.report}\ndone in {format_seconds(time.monotonic() - started)}")


def copy_bundle(bundle: Path, target: Path, cohort: Cohort) -> Path:
    """Copy a bundle without its runs, and give it a cohort to train or score on.

    Args:
        bundle: stays as it is.
        target: the copy, which is returned.
        cohort: of the copy.
    """
    shutil.copytree(bundle, target, ignore=shutil.ignore_patterns("work"))
    (target / "work").mkdir()
    write_cohort(target / "work" / "cohort.json", cohort)
    return target


def tabulate_cases(scores: Scores) -> str:
    """Dice and NSD, by area and by voxels, of every method in every case and their means, as a Markdown table for
    each label.

    Of objects the average precision at IoU 0.50 to 0.95 comes first.
    """
    lines = []
    measures = f"Dice, NSD {scores.tolerance_mm:g} {scores.unit}, by voxels"
    measures = f"AP, {measures}" if scores.objects else measures
    for label in scores.labels:
        columns = [[score for score in cases if score.label == label] for cases in scores.methods.values()]
        titles = [f"{method}: {measures}" for method in scores.methods]
        lines += [f"| {label} | {' | '.join(titles)} |", "|---" * (1 + len(titles)) + "|"]
        for row in zip(*columns, strict=True):
            lines.append(f"| {row[0].case} | {' | '.join(_write_cell(score, scores) for score in row)} |")
        means = [row for row in summarize(scores) if row.label == label]
        lines.append(f"| mean | {' | '.join(_write_cell(row, scores) for row in means)} |\n")
    lines += [
        f"{row.label}: better than {row.method} in {row.better} of {row.cases} cases, "
        f"by {row.mean:+.3f} {scores.measure} ({row.lowest:+.3f} to {row.highest:+.3f})"
        for row in compare_methods(scores)
    ]
    return "\n".join(lines)


def _write_cell(row: CaseScore | SummaryRow, scores: Scores) -> str:
    values = [*([row.precision] if scores.objects else []), row.dice, row.nsd, row.nsd_voxels]
    if all(value is None for value in values):
        return "-"
    return ", ".join("-" if value is None else f"{value:.3f}" for value in values)
