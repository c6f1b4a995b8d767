"""Train one fold of a cohort and score its held-out patients case by case: what the workflows on real scans share."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import medunet
from medunet.cli.arguments import parse_minutes
from medunet.errors import OutputExistsError
from medunet.evaluation import Scores, compare_methods, summarize
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
        medunet.init(arguments.data, bundle, budget_minutes=arguments.budget, channels=channels, objects=objects)
    plan = medunet.plan(bundle)
    print(f"{plan.dims}D, spacing {plan.spacing_mm} {plan.unit}, patch {plan.patch}, features {plan.network.filters}")
    try:
        medunet.train(bundle, fold=arguments.fold, budget_minutes=arguments.budget)
    except OutputExistsError:
        print(f"fold {arguments.fold} was trained before")
    result = medunet.evaluate(bundle, output=arguments.out / "evaluation")
    print(tabulate_cases(result.scores))
    print(result.table)
    print(f"report: {result.report}\ndone in {format_seconds(time.monotonic() - started)}")


def tabulate_cases(scores: Scores) -> str:
    """Dice and NSD of every method in every case and their means, as a Markdown table for each label."""
    lines = []
    for label in scores.labels:
        columns = [[score for score in cases if score.label == label] for cases in scores.methods.values()]
        titles = [f"{method}: Dice, NSD {scores.tolerance_mm:g} {scores.unit}" for method in scores.methods]
        lines += [f"| {label} | {' | '.join(titles)} |", "|---" * (1 + len(titles)) + "|"]
        for row in zip(*columns, strict=True):
            cells = ("-" if s.dice is None else f"{s.dice:.3f}, {s.nsd:.3f}" for s in row)
            lines.append(f"| {row[0].case} | {' | '.join(cells)} |")
        means = [row for row in summarize(scores) if row.label == label]
        cells = ("-" if row.dice is None else f"{row.dice:.3f}, {row.nsd:.3f}" for row in means)
        lines.append(f"| mean | {' | '.join(cells)} |\n")
    lines += [
        f"{row.label}: better than {row.method} in {row.better} of {row.cases} cases, by {row.mean:+.3f} Dice "
        f"({row.lowest:+.3f} to {row.highest:+.3f})"
        for row in compare_methods(scores)
    ]
    return "\n".join(lines)
