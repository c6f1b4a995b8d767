"""One training run of one fold: its folder, its cases and its schedule."""

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import ignite.distributed as idist
from torch import nn

from medunet.bundle import Bundle, hide_images, open_bundle, publish_weights
from medunet.bundle.metadata import FOUND_LITTLE
from medunet.cohort import split_cases
from medunet.machine import compare_peak, forget_peak_memory, measure_peak_memory
from medunet.networks import choose_device, measure_peak_vram, measure_step
from medunet.planning import Plan, subtract_program
from medunet.preparation import PatchDataset, PreparedCase, build_augmentation, place_patches
from medunet.progress import speak
from medunet.records import read_record, write_record
from medunet.training.given import take_start
from medunet.training.prepared import check_taught, prepare_fold
from medunet.training.ranks import (
    check_joined,
    count_here,
    in_turn,
    measure_exchange,
    on_first,
    share_batch,
    share_cases,
)
from medunet.training.runs import Ending, RunFolder, find_run
from medunet.training.schedule import Schedule, make_schedule
from medunet.training.transfer import load_start, read_start

if TYPE_CHECKING:
    from medunet.training.checkpoints import RunCheckpoint

LOGGER = logging.getLogger(__name__)
SLOWER = 3.0
"""A step that takes so many times longer than when the bundle was planned is worth a warning."""
PROBE_SHARE, MOST_PROBE_SECONDS = 0.01, 30.0
"""Of the budget goes into timing steps: of five steps, probes of one quiet machine were 0.54 to 0.87 s a step."""


@dataclass(slots=True)
class TrainingSession:
    """A run that starts or is resumed, made by `open_session`.

    Attributes:
        bundle: what is trained.
        run: its folder.
        fold: which patients are held out.
        learning_rate: the plan's, or that of a run which starts from the weights of another bundle.
        training: prepared cases to train on.
        validation: prepared cases of the held-out patients.
        schedule: epochs and steps, fixed when the run first started.
        started: `time.monotonic()` when this process opened the run.
        held_gib: memory that this process held before, beyond its libraries.
        peak_gib: what each stage took at most, as far as it ran in this process.
        locks: what holds the run for this process, until `finish` or the process ends; of the first rank only.
        ended: why its steps ended, once they have.
    """

    bundle: Bundle
    run: RunFolder
    fold: int
    learning_rate: float
    training: list[PreparedCase]
    validation: list[PreparedCase]
    schedule: Schedule
    started: float
    held_gib: float
    peak_gib: dict[str, float]
    locks: list[IO[bytes]]
    ended: Ending = "schedule"

    @property
    def plan(self) -> Plan:
        """The plan of the bundle."""
        return self.bundle.plan

    @property
    def folder(self) -> Path:
        """Path of the run's folder, for configurations."""
        return self.run.path

    def load_start(self, network: nn.Module) -> None:
        """Load the weights that the run starts from, if it doesn't start from random ones."""
        load_start(self.run, network)

    def finish(self, checkpoint: "RunCheckpoint") -> None:
        """Write the best weights into the run and the bundle, and what they scored into its metadata."""
        peak = measure_peak_memory() / 2**30
        self.peak_gib["train"] = note_peak(self.plan, "train", peak, self.held_gib)
        if (vram := measure_peak_vram()) is not None:
            self.peak_gib["train_vram"] = note_peak(self.plan, "train_vram", vram)
        on_first(lambda: self._publish(checkpoint))
        for lock in self.locks:
            lock.close()

    def _publish(self, checkpoint: "RunCheckpoint") -> None:
        training = {
            "fold": self.fold,
            "epochs": checkpoint.epoch,
            "steps": checkpoint.epoch * self.schedule.steps_per_epoch,
            "minutes": round(checkpoint.seconds / 60, 2),
            "validation_dice": checkpoint.best_metric,
            "cases": len(self.training),
            "held_out_cases": len(self.validation),
            "peak_memory_gib": self.peak_gib,
        }
        state = checkpoint.best_state()
        images = [digest for case in self.training for digest in case.hashes()]
        result = self.run.write_result(state, self.ended, training, images)
        publish_weights(self.bundle.folder, state, {"training": training, "training_images": hide_images(images)})
        self.run.finish(result, self.schedule.epochs)
        self._say_how_good(checkpoint)

    def _say_how_good(self, checkpoint: "RunCheckpoint") -> None:
        epochs = self.schedule.epochs
        if self.ended == "signal" and checkpoint.epoch < epochs:
            LOGGER.info("stopped after epoch %d of %d; the same command goes on", checkpoint.epoch, epochs)
        elif checkpoint.best_metric is not None and checkpoint.best_metric < FOUND_LITTLE:
            LOGGER.warning(
                "%s: its held-out cases have Dice %.3f, so its masks mean little; give it more time: "
                "medunet train %s --fold %d --budget %dm --restart",
                *(self.bundle.folder, checkpoint.best_metric, self.bundle.folder, self.fold),
                math.ceil(4 * self.schedule.budget_seconds / 60),
            )


def open_session(bundle_root: str, fold: int, budget_minutes: float, patience: int = 0) -> TrainingSession:
    """Open a run of a bundle: hold it, prepare its cases, and probe this machine unless the run has a schedule.

    Args:
        bundle_root: folder of the bundle.
        fold: whose patients are held out.
        budget_minutes: what the schedule is made for, where the run has none.
        patience: of that schedule.

    Raises:
        MedunetError: the bundle, the fold or a case can't be used.
    """
    check_joined()
    if idist.get_rank() == 0:
        speak()  # `monai.bundle run` configures no logging, so nothing would be seen of hours of work
    bundle = open_bundle(Path(bundle_root))
    plan, run = bundle.plan, find_run(bundle, fold)
    started = time.monotonic()
    forget_peak_memory()  # of planning in this process, which times wider networks
    held_gib = subtract_program(measure_peak_memory() / 2**30)
    split_cases(bundle.cohort(), fold)  # refuses a fold that isn't one before a run is made of it
    share_batch(plan.training.batch)
    locks: list[IO[bytes]] = []
    on_first(lambda: locks.append(run.hold()))
    on_first(lambda: take_start(bundle, run))
    start = on_first(lambda: read_start(run))
    training, validation = in_turn(lambda: prepare_fold(bundle, fold))
    check_taught(bundle.folder, training, fold)
    peak_gib = {"prepare": note_peak(plan, "prepare", measure_peak_memory() / 2**30, held_gib)}
    schedule = _fix_schedule(
        run, lambda: _probe(plan, training, validation, budget_minutes * 60, started), patience=patience
    )
    return TrainingSession(
        bundle=bundle,
        run=run,
        fold=fold,
        learning_rate=plan.training.learning_rate if start is None else start.learning_rate,
        training=training,
        validation=validation,
        schedule=schedule,
        started=started,
        held_gib=held_gib,
        peak_gib=peak_gib,
        locks=locks,
    )


def _fix_schedule(run: RunFolder, probe: Callable[[], Schedule], *, patience: int) -> Schedule:
    """The schedule that a run has, or the one that all ranks measure now, which is kept."""
    schedule = on_first(lambda: read_record(run.schedule, Schedule) if run.schedule.is_file() else None)
    if schedule is None:
        measured = probe().model_copy(update={"patience": patience})
        on_first(lambda: write_record(run.schedule, measured))
        schedule = on_first(lambda: measured)
    return schedule


def _probe(
    plan: Plan,
    training: list[PreparedCase],
    validation: list[PreparedCase],
    budget_seconds: float,
    started: float,
) -> Schedule:
    """Measure on all ranks at once, which may share cores; the slowest counts."""
    batch = share_batch(plan.training.batch)
    probe = min(MOST_PROBE_SECONDS, PROBE_SHARE * budget_seconds)
    own = measure_step(plan.change(training={"batch": batch}), probe)
    step = float(idist.all_reduce(own + measure_exchange(plan), "MAX"))
    warn_if_slower(step, plan.foreseen.step_seconds)
    loader = float(idist.all_reduce(measure_loader(plan, training), "MIN")) * default_workers()
    if choose_device().type == "cpu":
        # A loader takes a core from one of the network's threads, and the others wait for that one.
        step += batch / loader
    patches = sum(count_patches(case, plan) for case in share_cases(validation))
    # A forward pass is about a third of a training step of `batch` patches.
    seconds = int(idist.all_reduce(patches, "MAX")) * step / (3 * batch)
    rates = loader * idist.get_world_size(), plan.training.batch / step
    spent = time.monotonic() - started
    schedule = make_schedule(budget_seconds, spent, max(step, batch / loader), seconds, rates)
    LOGGER.info(
        "loader %.1f patches/s, network %.1f patches/s: %d steps in %.1f minutes",
        *rates,
        schedule.epochs * schedule.steps_per_epoch,
        budget_seconds / 60,
    )
    return schedule


def note_peak(plan: Plan, stage: str, gib: float, held_gib: float = 0.0) -> float:
    """Compare the peak memory of a stage with what the plan foresaw; returns it rounded, in GiB."""
    compare_peak(stage, plan.foreseen.peak_gib.get(stage), gib, held_gib)
    return round(gib, 2)


def warn_if_slower(step: float, planned: float | None) -> None:
    """Warn where a step takes far longer than when the bundle was planned: the schedule will hold few of them."""
    if planned is not None and step > SLOWER * planned:
        LOGGER.warning(
            "a step takes %.2f s here, %.2f s when the bundle was planned: if other work takes the cores, "
            "stop this run and start it with --restart when they are free",
            step,
            planned,
        )


def measure_loader(plan: Plan, cases: list[PreparedCase], seconds: float = 2.0) -> float:
    """Patches a second that one loader process makes."""
    warp, steps = build_augmentation(plan)
    how = plan.training
    dataset = PatchDataset(cases, warp, how.batch, 1000, how.foreground_share, steps, how.seed)
    dataset.set_epoch(0)  # reads what the patches are drawn from, which isn't to be timed
    started, made = time.perf_counter(), 0
    while made < 4 or (time.perf_counter() - started < seconds and made < len(dataset)):
        _ = dataset[made]
        made += 1
    return made / (time.perf_counter() - started)


def count_patches(case: PreparedCase, plan: Plan) -> int:
    """Patches of the sliding window over a prepared case."""
    window = plan.window
    shape = tuple(max(pair) for pair in zip(case.label().shape, window.patch, strict=True))
    return len(place_patches(shape, window.patch, window.overlap))


def default_workers() -> int:
    """Loader processes of a rank: one core's worth on two cores, at most four."""
    return max(1, min(4, (os.cpu_count() or 2) // count_here() - 1))
