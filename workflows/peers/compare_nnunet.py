"""medunet beside nnU-Net v2 on one fold: the same cases, machine, minutes and evaluator.

    make nnunet-env
    python workflows/peers/compare_nnunet.py --data FOLDER --out DIR --budget 40m [--fold 0] [--channels ct,pet]
        [--ours DIR] [--complete]

nnU-Net is trained twice: with its stock plan, and with a plan for a small memory target, the largest of which some
thousand steps fit the minutes (on the coarser grid, if nnU-Net plans one since its patch sees too little). Its own
trainer runs, with epochs and iterations fitted to the minutes by a probe, so that its learning rate falls to zero when
they end. Its steps, validation and checkpoints count; its preprocessing, planning and probes don't. Of medunet
everything counts from the command on. Masks are predicted by each tool's own predictor, nnU-Net's with its mirroring
(where that takes no longer than training) and without, and scored by medunet's evaluator on the grid of the scan. The
headline is against the best nnU-Net.

`--ours` takes the folder of a finished `sts.py` or `hippocampus.py` instead of training medunet. nnU-Net takes what
wasn't contoured in a case as background; with `--complete` it is trained on the cases alone in which every label is
known. Both are scored where labels are known. What is finished in DIR is not done again. On a CPU nnU-Net computes in
fp32: it knows half precision on GPUs only.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nnunet_runs import STOCK, Peer, Run, choose_configuration, choose_stock

import medunet
from medunet.bundle import Bundle, open_bundle
from medunet.cohort import Case, Cohort, open_case, split_cases, write_cohort
from medunet.errors import InputError, OutputExistsError
from medunet.evaluation import CaseScore, Scores, score_case
from medunet.geometry import Unit
from medunet.inference import name_mask
from medunet.progress import format_seconds, track
from medunet.reading import ReadOptions, read_mask
from medunet.records import read_json, write_json

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share

from command import finish
from one_fold import make_parser, tabulate_cases
from paired import compare_values, mean_dice, take_values

PEER = Path(__file__).parents[2] / ".venv-nnunet" / "bin" / "python"
OURS = "medunet"


@dataclass(frozen=True, slots=True)
class Masks:
    """Predicted masks of the held-out cases.

    Attributes:
        files: by case.
        seconds: of each case, from reading to writing.
        row: of the table of runs: plan, patch and batch, steps, minutes, seconds before the minutes.
    """

    files: dict[str, Path]
    seconds: dict[str, float]
    row: tuple[str, ...]


def main() -> int:
    """Parse the command line."""
    parser = make_parser(str(__doc__), "the cohort, as of medunet init", "nnunet-run")
    parser.add_argument("--channels", help="limits the cohort to these, like ct,pet")
    parser.add_argument("--ours", type=Path, help="out folder of a finished training of medunet on this fold")
    parser.add_argument("--complete", action="store_true", help="nnU-Net sees complete cases alone in training")
    parser.add_argument("--python", type=Path, default=PEER, help="of the environment that holds nnunetv2")
    arguments = parser.parse_args()
    return finish("compare_nnunet", lambda: compare(arguments))


def compare(arguments: argparse.Namespace) -> None:
    """Train, predict, score and print."""
    bundle = _train_ours(arguments)
    cohort = bundle.cohort()
    _, held_out = split_cases(cohort, arguments.fold)
    methods = {OURS: _predict_ours(bundle, held_out, arguments.out / "ours")}
    listed = arguments.out / "cohort.json"
    write_cohort(listed, keep_complete(cohort, held_out) if arguments.complete else cohort)
    peer = Peer(arguments.python.absolute(), (arguments.out / "nnunet").absolute(), arguments.fold, arguments.budget)
    peer.export(listed)
    planned, small = peer.plan(), peer.choose_small()
    # The small one first: it is the one that minutes of a CPU can train.
    plans = {"small": (small, choose_configuration(planned[small]))} if small != STOCK else {}
    plans["stock"] = (STOCK, choose_stock(planned[STOCK]))
    unit = bundle.plan.task.unit
    for name, (plan, configuration) in plans.items():
        run = peer.train(name, plan, configuration)
        plain = _predict_theirs(peer, run, held_out, unit, mirror=False)
        methods[f"nnU-Net {name}"] = plain
        mirrored = sum(plain.seconds.values()) * 2 ** len(run.what["patch"])
        if mirrored <= arguments.budget * 60:
            methods[f"nnU-Net {name}, mirrored"] = _predict_theirs(peer, run, held_out, unit, mirror=True)
        else:
            print(f"nnU-Net {name}: mirroring is left out, it would take about {format_seconds(mirrored)}")
    scores = _score(cohort, held_out, methods, unit)
    text = "\n".join([tabulate_cases(scores), "", tabulate_runs(scores, methods), "", *tell_headline(scores)])
    (arguments.out / "comparison.md").write_text(text + "\n", encoding="utf-8")
    write_json(arguments.out / "scores.json", scores.model_dump(mode="json"))
    print(text)


def keep_complete(cohort: Cohort, held_out: Sequence[Case]) -> Cohort:
    """The cohort without the cases of training in which a label is unknown."""
    names, held = set(cohort.labels.names), {case.id for case in held_out}
    cases = tuple(
        case for case in cohort.cases if case.id in held or case.contoured is None or names <= {*case.contoured}
    )
    left = {case.patient for case in cases}
    folds = tuple(tuple(name for name in fold if name in left) for fold in cohort.folds or ())
    return cohort.model_copy(update={"cases": cases, "folds": folds or None})


def _train_ours(arguments: argparse.Namespace) -> Bundle:
    if arguments.ours is None:
        folder = arguments.out / "ours" / "bundle"
        if not folder.exists():
            channels = arguments.channels.split(",") if arguments.channels else None
            medunet.init(arguments.data, folder, budget_minutes=arguments.budget, channels=channels)
        try:
            medunet.train(folder, fold=arguments.fold, budget_minutes=arguments.budget)
        except OutputExistsError:
            print(f"fold {arguments.fold} was trained before")
    else:
        folder = arguments.ours / "bundle"
    bundle = open_bundle(folder)
    training = bundle.metadata.training
    if training is None or training.fold != arguments.fold:
        found = "it is not trained" if training is None else f"it was trained on fold {training.fold}"
        raise InputError(folder, found, "train it first, or name its fold", f"fold {arguments.fold}")
    return bundle


def _predict_ours(bundle: Bundle, cases: list[Case], folder: Path) -> Masks:
    listed = folder / "masks.json"
    if not listed.is_file():
        found: dict[str, dict[str, object]] = {}
        for case in track(cases, "predicting", len(cases)):
            images = {name: channel.path for name, channel in case.channels.items()}
            options = {
                name: ReadOptions(**channel.model_dump(exclude={"path"})) for name, channel in case.channels.items()
            }
            out = folder / "masks" / case.id
            out.mkdir(parents=True, exist_ok=True)
            for left in out.iterdir():
                left.unlink()  # of a run that was interrupted
            (done,) = medunet.predict(bundle.folder, images, options=options, output=out)
            found[case.id] = {"file": next(iter(done.files.values())).name, "seconds": done.seconds}
        write_json(listed, found)
    content = read_json(listed)
    training, plan = bundle.trained(), bundle.plan
    patch = f"{' × '.join(map(str, plan.window.patch))}, {plan.training.batch}, {plan.network.filters[0]}"
    row = (patch, str(training.steps), f"{training.minutes:.1f}", "in the budget")
    files = {case: folder / "masks" / case / entry["file"] for case, entry in content.items()}
    return Masks(files, {case: entry["seconds"] for case, entry in content.items()}, row)


def _predict_theirs(peer: Peer, run: Run, cases: Sequence[Case], unit: Unit, *, mirror: bool) -> Masks:
    folder, seconds = peer.predict(run, [case.id for case in cases], mirror=mirror)
    files = {case.id: folder / name_mask(case.id, unit) for case in cases}
    return Masks(files, seconds, _describe(run))


def _describe(run: Run) -> tuple[str, ...]:
    what = run.what
    # nnU-Net lists axes as z, y, x.
    patch = f"{' × '.join(map(str, reversed(what['patch'])))}, {what['batch']}, {what['features'][0]}"
    return patch, str(run.steps), f"{run.minutes:.1f}", format_seconds(run.prepared)


def _score(cohort: Cohort, cases: list[Case], methods: Mapping[str, Masks], unit: Unit) -> Scores:
    found: dict[str, list[CaseScore]] = {name: [] for name in methods}
    for case in track(cases, "scoring", len(cases)):
        _, truth = open_case(cohort, case)
        for name, masks in methods.items():
            found[name] += score_case(read_mask(masks.files[case.id], truth.grid, truth.table), truth, case.id)
    return Scores(unit=unit, methods={name: tuple(scores) for name, scores in found.items()})


def tabulate_runs(scores: Scores, methods: Mapping[str, Masks]) -> str:
    """What each run was, took and scored, as a Markdown table."""
    titles = (
        "run",
        "patch, batch, features",
        "steps",
        "minutes",
        "prepared before",
        "s a case to predict",
        "mean Dice",
    )
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, masks in methods.items():
        predict = sum(masks.seconds.values()) / len(masks.seconds)
        lines.append(f"| {name} | {' | '.join(masks.row)} | {predict:.1f} | {mean_dice(scores, name):.3f} |")
    return "\n".join(lines)


def tell_headline(scores: Scores) -> list[str]:
    """Compare medunet with the nnU-Net of the best mean Dice on these very cases, which favours nnU-Net."""
    _, *others = scores.methods
    best = max(others, key=lambda name: mean_dice(scores, name))
    lines = [f"against the best of them, {best}:"]
    for label in scores.labels:
        for what, title in (("dice", "Dice"), ("nsd", f"NSD {scores.tolerance_mm:g} {scores.unit}")):
            ours, theirs = (take_values(scores, name, label, what) for name in (OURS, best))
            if ours:
                lines.append(f"  {label}, {title}: {compare_values(ours, theirs)}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
