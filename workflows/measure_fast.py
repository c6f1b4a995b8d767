"""Measure what `--preset fast` costs a shipped bundle on patients that its networks never saw.

python workflows/measure_fast.py BUNDLE --data FOLDER [--cases 8] [--write]

FOLDER is the cohort that the bundle comes from, with its folds.json. Each case is predicted exactly and fast, one after
the other, by the network that never saw it; of `--cases` so many of each fold. `--write` puts what was found into
docs/fast.json of the bundle, beside what was measured in another precision; from there `medunet predict --preset fast`
takes it. The line for the card is printed.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from command import finish

from medunet.bundle import Bundle, open_bundle
from medunet.cohort import Case, Cohort, count_folds, find_cohort, open_case, read_folds, split_cases
from medunet.evaluation.voxels import measure_dice
from medunet.inference import Computing, open_predictor, predict_case
from medunet.inference.measured import FILE, FastRecord, FastScore, read_measured
from medunet.labels import Mask
from medunet.records import write_record


def measure(bundle: Bundle, cohort: Cohort, most: int | None) -> FastRecord:
    """Compare both presets on held-out cases.

    Args:
        bundle: with one network, or one of each fold.
        cohort: that of its training, with its folds.
        most: cases of each fold; None takes all.
    """
    scores: dict[str, list[tuple[float, float, float]]] = {}
    seconds: list[list[float]] = [[], []]
    folds = range(count_folds(cohort)) if bundle.metadata.fold_weights else [bundle.metadata.training.fold]  # type: ignore[union-attr]
    for fold in folds:
        number = fold if bundle.metadata.fold_weights else None
        predictors = [open_predictor(bundle, number, Computing(preset)) for preset in ("exact", "fast")]  # type: ignore[arg-type]
        for case in split_cases(cohort, int(fold))[1][:most]:
            masks = []
            for predictor, spent in zip(predictors, seconds, strict=True):
                started = time.perf_counter()
                masks.append(predict_case(predictor, case))
                spent.append(time.perf_counter() - started)
            for name, *dice in _compare(cohort, case, masks):
                scores.setdefault(name, []).append((dice[0], dice[1], dice[2]))
            print(f"{case.id}: {seconds[0][-1]:.1f} s exact, {seconds[1][-1]:.1f} s fast", flush=True)
    labels = {name: _average(np.array(rows)) for name, rows in scores.items()}
    return FastRecord(
        weights=tuple(
            sorted(predictors[0].weights.values() if number is None else bundle.metadata.fold_weights.values())
        ),
        computed=predictors[1].computed,
        cases=len(seconds[0]),
        exact_seconds=round(float(np.mean(seconds[0])), 2),
        fast_seconds=round(float(np.mean(seconds[1])), 2),
        labels=labels,
    )


def _compare(cohort: Cohort, case: Case, masks: list[Mask]) -> Iterator[tuple[str, float, float, float]]:
    """Name of each label, Dice of fast against exact, of exact and of fast against the truth."""
    _, truth = open_case(cohort, case)
    exact, fast, true = (mask.join_objects() for mask in (*masks, truth))
    for region in true.table.structures:
        inside = [np.isin(mask.voxels, region.values) for mask in (exact, fast, true)]
        if any(part.any() for part in inside):
            yield (
                region.name,
                measure_dice(inside[1], inside[0]),
                measure_dice(inside[0], inside[2]),
                measure_dice(inside[1], inside[2]),
            )


def _average(rows: np.ndarray) -> FastScore:
    same, exact, fast = (round(float(value), 4) for value in rows.mean(axis=0))
    return FastScore(same=same, least_same=round(float(rows[:, 0].min()), 4), exact=exact, fast=fast)


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, and write where that is wanted."""
    bundle = open_bundle(arguments.bundle)
    task = bundle.plan.task
    found = find_cohort(arguments.data, channels=task.channels, objects=task.labels.objects)
    record = measure(bundle, read_folds(arguments.data / "folds.json", found), arguments.cases)
    print(f"`--preset {record.computed.preset}`: {record.describe()}.")
    if arguments.write:
        write_record(arguments.bundle / FILE, read_measured(arguments.bundle).add(record))


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the cohort, with folds.json")
    parser.add_argument("--cases", type=int, help="of each fold")
    parser.add_argument("--write", action="store_true", help="into docs/fast.json of the bundle")
    arguments = parser.parse_args()
    return finish("measure_fast", lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
