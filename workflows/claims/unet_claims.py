"""What is said of U-Nets, measured: exact borders by skip connections, and learning from few patients.

    python workflows/claims/unet_claims.py skips --data FOLDER [--channels ct,pet] [--objects] --out DIR --steps 1500
    python workflows/claims/unet_claims.py patients --data FOLDER [--channels ct,pet] --out DIR --steps 1500
        --patients 5 10 20

`skips` trains one plan twice, with its skip connections and without. `patients` trains it on the first of the training
patients of a fold in an order by chance, fewer within more, and on all of them. All runs have the same held-out
patients and the same number of steps, whatever they take; the plan is that of the whole cohort, made for `--budget`.
Both commands share DIR; what is trained there is not trained again. docs/concepts/unet.md says what it tells.
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import medunet
from medunet.bundle import open_bundle
from medunet.cohort import Cohort, split_cases
from medunet.errors import InputError
from medunet.evaluation import Scores
from medunet.records import read_record, write_record
from medunet.training import Schedule, State, find_run
from medunet.training.run import run_configs

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share

from command import finish
from one_fold import copy_bundle, make_parser, tabulate_cases
from paired import compare_values, take_values

EPOCHS = 20
SKIPLESS = {"network": {"_target_": "skipless.lay_out_without_skips", "network": "$@supervised.to(@device)"}}
"""Option of train.json."""
SEED = 0
"""Of the order of patients."""
MOST_SECONDS = 60
"""A step; the schedule has steps, no end in time."""


def main() -> int:
    """Parse the command line."""
    parser = make_parser(str(__doc__), "the cohort, as of medunet init", "unet-run")
    parser.add_argument("claim", choices=["skips", "patients"])
    parser.add_argument("--channels", help="limits the cohort to these, like ct,pet")
    parser.add_argument("--objects", action="store_true", help="label maps number the objects of one label")
    parser.add_argument("--steps", type=int, default=1500, help="of each training")
    parser.add_argument("--patients", type=int, nargs="+", default=[5, 10, 20], help="to train on, beside all")
    arguments = parser.parse_args()
    return finish("unet_claims", lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Train what is missing, score and print."""
    base = arguments.out / "bundle"
    if not base.exists():
        channels = arguments.channels.split(",") if arguments.channels else None
        medunet.init(
            arguments.data,
            base,
            budget_minutes=arguments.budget,
            channels=channels,
            labels=medunet.LabelChoices(objects=arguments.objects),
        )
    bundle, place = open_bundle(base), arguments.out / f"fold{arguments.fold}-{arguments.steps}"
    cohort = bundle.cohort()
    patients = order_patients(cohort, arguments.fold)
    whole = _train(base, place / "all", cohort, arguments)
    if arguments.claim == "skips":
        runs = {"with skips": whole, "without": _train(base, place / "skipless", cohort, arguments, SKIPLESS)}
    else:
        runs = {f"{len(patients)} patients": whole}
        for count in sorted(arguments.patients, reverse=True):
            if not 0 < count < len(patients):
                raise InputError(f"--patients {count}", "there are not so many", f"choose 1 to {len(patients) - 1}")
            few = keep_patients(cohort, arguments.fold, patients[:count])
            runs[f"{count} patients"] = _train(base, place / f"first-{count}", few, arguments)
    scores = Scores(unit=whole.unit, methods={name: run.of_first() for name, run in runs.items()})
    text = f"{arguments.steps} steps each\n\n{tabulate_cases(scores)}\n{compare_borders(scores)}"
    (arguments.out / f"{arguments.claim}.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def order_patients(cohort: Cohort, fold: int) -> list[str]:
    """Training patients of a fold in an order by chance, always the same."""
    training, _ = split_cases(cohort, fold)
    patients = sorted({case.patient for case in training})
    random.Random(SEED).shuffle(patients)  # noqa: S311 (not for secrets)
    return patients


def keep_patients(cohort: Cohort, fold: int, patients: Sequence[str]) -> Cohort:
    """A cohort of the held-out patients of a fold and some of the others; its folds are that one, under its number."""
    held_out = {case.patient for case in split_cases(cohort, fold)[1]}
    cases = tuple(case for case in cohort.cases if case.patient in held_out | set(patients))
    return cohort.model_copy(update={"cases": cases, "folds": (tuple(sorted(held_out)),) * (fold + 1)})


def _train(
    base: Path, folder: Path, cohort: Cohort, arguments: argparse.Namespace, options: Mapping[str, Any] | None = None
) -> Scores:
    """Train and score a copy of a bundle on a cohort, for a fixed number of steps.

    Args:
        base: the bundle; prepared cases are shared with it.
        folder: of the copy and its scores.
        cohort: to train and score on.
        arguments: fold and steps.
        options: of train.json.
    """
    bundle, evaluation = folder / "bundle", folder / "evaluation"
    if evaluation.exists():
        return read_record(evaluation / "scores.json", Scores)
    if not bundle.exists():
        copy_bundle(base, bundle, cohort)
        cache = base / "work" / "cache"
        cache.mkdir(exist_ok=True)
        (bundle / "work" / "cache").symlink_to(cache.absolute())
    run = find_run(open_bundle(bundle), arguments.fold)
    if run.find_state() != State.FINISHED:
        write_record(run.schedule, make_fixed_schedule(arguments.steps))
        config = str(bundle / "configs" / "train.json")
        run_configs(bundle, [config], {"fold": arguments.fold, **(options or {})})
    scores: Scores = medunet.evaluate(bundle, output=evaluation).scores
    return scores


def make_fixed_schedule(steps: int) -> Schedule:
    """A schedule of steps, whatever they take."""
    epochs = max(1, min(EPOCHS, steps))
    return Schedule(
        epochs=epochs,
        steps_per_epoch=steps // epochs,
        validation_interval=max(1, epochs // 4),
        budget_seconds=steps * MOST_SECONDS,
        seconds_per_step=MOST_SECONDS,
        loader_patches_per_second=1.0,
        network_patches_per_second=1.0,
    )


def compare_borders(scores: Scores) -> str:
    """The first run against each other one, in Dice and NSD."""
    first, *others = scores.methods
    lines = []
    for label in scores.labels:
        for other in others:
            for what, title in (("dice", "Dice"), ("nsd", f"NSD {scores.tolerance_mm:g} {scores.unit}")):
                values = [take_values(scores, name, label, what) for name in (first, other)]
                if values[0]:
                    lines.append(f"{label}, {first} against {other}, {title}: {compare_values(*values)}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
