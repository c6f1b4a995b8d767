"""Steps and patches a second: medunet, MONAI's stock recipe and nnU-Net's loader, in turn, in one run.

    make nnunet-env
    python workflows/peers/throughput.py --bundle BUNDLE --out DIR [--cases 8] [--rounds 3] [--seconds 20]

BUNDLE is planned (`medunet init`); it needn't be trained. All have its patch and batch, one core's worth of loader
processes, and the same few training cases. MONAI's recipe is CacheDataset with the prepared cases in memory,
RandCropByPosNegLabeld, RandAffined in place of our warp, the rest of our augmentation, DataLoader, and
SupervisedTrainer with the same network, loss and optimizer; its crops of a batch share one case, which is the faster
way. What medunet adds is its own: patches cut from a memory map, bf16 where the processor has it, channels last.
nnU-Net runs its own loader with its default augmentation (elastic-free rotation and scaling, blur, low resolution and
more) on its own preprocessed files.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.data import CacheDataset
from monai.data import DataLoader as StockLoader
from monai.engines import SupervisedTrainer
from monai.transforms import (
    EnsureChannelFirstd,
    EnsureTyped,
    LoadImaged,
    RandAffined,
    RandCropByPosNegLabeld,
    SpatialPadd,
)
from nnunet_runs import Peer
from torch.utils.data import DataLoader, RandomSampler

from medunet.bundle import Bundle, open_bundle
from medunet.cohort import split_cases, write_cohort
from medunet.errors import InputError
from medunet.networks import make_optimizer
from medunet.planning import Plan
from medunet.preparation import (
    PatchDataset,
    PatchLoader,
    PreparedCase,
    build_augmentation,
    make_warp,
    prepare_cases,
)
from medunet.progress import report
from medunet.training import make_train_config
from medunet.training.session import default_workers

sys.path.append(str(Path(__file__).parents[1]))  # where lies what all workflows share

from command import finish

PEER = Path(__file__).parents[2] / ".venv-nnunet" / "bin" / "python"
WAITING = 4
"""Batches that were made beforehand, and steps that warm up, not counted."""
ENDLESS = 1_000_000
KEYS = ["image", "label"]


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True, help="planned, with its cohort")
    parser.add_argument("--out", type=Path, default=Path("throughput-run"))
    parser.add_argument("--cases", type=int, default=8, help="training cases that are loaded from")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, in turn")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--python", type=Path, default=PEER, help="of the environment that holds nnunetv2")
    arguments = parser.parse_args()
    return finish("throughput", lambda: compare(arguments))


def compare(arguments: argparse.Namespace) -> None:
    """Measure in turn and print the table."""
    bundle = open_bundle(arguments.bundle)
    plan = bundle.plan
    if plan.network.dims != 3:
        raise InputError(arguments.bundle, "its network is 2D", "give a bundle of volumes")
    cases, peer = _prepare(bundle, arguments)
    seconds, workers = arguments.seconds, default_workers()
    stock = _cache(plan, cases)
    ways: dict[str, Callable[[int], float]] = {
        "medunet, loader": lambda _: time_loader(_open_ours(plan, cases, workers), plan.training.batch, seconds),
        "MONAI, loader": lambda _: time_loader(_open_stock(stock, workers), plan.training.batch, seconds),
        "nnU-Net, loader": lambda n: peer.load(plan.window.patch, plan.training.batch, seconds, n),
        "medunet, steps": lambda _: time_steps(plan, _open_ours(plan, cases, workers), seconds, ours=True),
        "MONAI, steps": lambda _: time_steps(plan, _open_stock(stock, workers), seconds, ours=False),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name, measure in ways.items():
            report(f"round {number + 1}: {name}", 0, 1)
            found[name].append(measure(number))
    text = tabulate(found, plan.training.batch)
    shape = " × ".join(map(str, plan.window.patch))
    how = f"{workers} loader process, {torch.get_num_threads()} threads"
    text = f"patch {shape}, batch {plan.training.batch}, {how}\n\n{text}"
    (arguments.out / "throughput.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def _prepare(bundle: Bundle, arguments: argparse.Namespace) -> tuple[list[PreparedCase], Peer]:
    cohort = bundle.cohort()
    training, held_out = split_cases(cohort, 0)
    few = (*training[: arguments.cases], held_out[0])
    kept = {case.patient for case in few}
    folds = ((held_out[0].patient,), tuple(sorted(kept - {held_out[0].patient})))
    listed = arguments.out / "cohort.json"
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_cohort(listed, cohort.model_copy(update={"cases": few, "folds": folds}))
    peer = Peer(arguments.python.absolute(), (arguments.out / "nnunet").absolute(), 0, 1.0)
    peer.export(listed)
    peer.plan()
    return prepare_cases(cohort, few[:-1], bundle.preprocessing, bundle.work / "cache"), peer


def _open_ours(plan: Plan, cases: list[PreparedCase], workers: int) -> DataLoader[Any]:
    warp, steps = build_augmentation(plan)
    data = PatchDataset(cases, warp, plan.training.batch, ENDLESS, plan.training.foreground_share, steps, plan.seed)
    return PatchLoader(data, batch_size=plan.training.batch, shuffle=False, num_workers=workers)


def _cache(plan: Plan, cases: list[PreparedCase]) -> CacheDataset:
    """The recipe of MONAI's tutorials: what is not random is done once and kept in memory."""
    files = [{"image": str(case.folder / "image.npy"), "label": str(case.folder / "label.npy")} for case in cases]
    crop = RandCropByPosNegLabeld(KEYS, "label", plan.window.patch, pos=1, neg=1, num_samples=plan.training.batch)
    steps = [
        LoadImaged(KEYS),
        EnsureChannelFirstd(["image"], channel_dim=0),
        EnsureChannelFirstd(["label"], channel_dim="no_channel"),
        EnsureTyped(KEYS, dtype=torch.float32),
        SpatialPadd(KEYS, plan.window.patch),
        crop,
        _turn_and_scale(plan),
        *build_augmentation(plan)[1],
    ]
    return CacheDataset(files, steps, progress=False)


def _turn_and_scale(plan: Plan) -> RandAffined:
    """As often as our warp turns or scales a patch; it doesn't bend and has no larger patch to take corners from."""
    warp = make_warp(plan)
    turn, size, *_ = warp["probabilities"]
    smallest, largest = warp["scales"]
    return RandAffined(
        KEYS,
        prob=1 - (1 - turn) * (1 - size),
        rotate_range=warp["angles"],
        scale_range=[(smallest - 1, largest - 1)] * 3,
        mode=["bilinear", "nearest"],
        padding_mode="border",
    )


def _open_stock(data: CacheDataset, workers: int) -> DataLoader[Any]:
    # Drawn without an end, so that no epoch restarts the workers, as it would do every few cases.
    sampler = RandomSampler(data, replacement=True, num_samples=ENDLESS)
    loader: DataLoader[Any] = StockLoader(data, batch_size=1, sampler=sampler, num_workers=workers)
    return loader


def time_loader(loader: DataLoader[Any], batch: int, seconds: float) -> float:
    """Patches a second of a loader alone, after those that waited."""
    batches: Iterator[Any] = iter(loader)
    for _ in islice(batches, WAITING):
        pass
    started, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - started < seconds:
        next(batches)
        count += 1
    return batch * count / (time.perf_counter() - started)


class _Clock:
    """Handler that counts steps after the first ones, and ends the run when the seconds have passed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started = 0.0
        self.rate = 0.0

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)

    def _count(self, engine: Engine) -> None:
        done = engine.state.iteration - WAITING
        if done == 0:
            self._started = time.perf_counter()
        elif done > 0:
            taken = time.perf_counter() - self._started
            self.rate = done / taken
            if taken >= self._seconds and done > 1:
                engine.terminate()


def time_steps(plan: Plan, loader: DataLoader[Any], seconds: float, *, ours: bool) -> float:
    """Training steps a second of MONAI's engine.

    Args:
        plan: of network, loss and optimizer.
        loader: of batches.
        seconds: to measure.
        ours: with medunet's memory layout and precision, as `train.json` has them; else as MONAI does by itself.
    """
    config = make_train_config(plan)
    wanted = ("imports", "device", "network_def", "supervised", "loss")
    known = {
        "network": config["network"] if ours else PLAIN,
        "optimizer": make_optimizer(plan.training.optimizer, "$@network.parameters()", plan.training.learning_rate),
    }
    parts = ConfigParser({key: config[key] for key in wanted} | known)
    clock = _Clock(seconds)
    trainer = SupervisedTrainer(
        device=parts.get_parsed_content("device"),
        max_epochs=1,
        train_data_loader=loader,
        network=parts.get_parsed_content("network"),
        optimizer=parts.get_parsed_content("optimizer"),
        loss_function=parts.get_parsed_content("loss"),
        inferer=ConfigParser(config["train"]["inferer"]).get_parsed_content() if ours else None,
        decollate=False,
        optim_set_to_none=True,
        train_handlers=[clock],
    )
    trainer.run()
    return clock.rate


PLAIN = "$@supervised.to(@device)"


def tabulate(found: dict[str, list[float]], batch: int) -> str:
    """Medians and ranges, and medunet's rate over each other's of the same kind, as a Markdown table."""
    lines = ["| what | patches/s | steps/s | lowest to highest | medunet is faster by |", "|---" * 5 + "|"]
    for name, rates in found.items():
        who, _, kind = name.partition(", ")
        steps = kind == "steps"
        middle = median(rates)
        ratio = "" if who == "medunet" else f"{median(found[f'medunet, {kind}']) / middle:.2f} ×"
        pair = (middle * batch, middle) if steps else (middle, middle / batch)
        lines.append(
            f"| {name} | {pair[0]:.2f} | {pair[1]:.2f} | {min(rates):.2f} to {max(rates):.2f} "
            f"{'steps' if steps else 'patches'}/s | {ratio} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
