"""One training run of one fold: its folder, its cases and its schedule."""

import fcntl
import logging
import os
import time
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

import ignite.distributed as idist
from torch import nn

from medunet.bundle import Bundle, open_bundle, publish_weights, write_weights
from medunet.cohort import split_cases
from medunet.errors import InputError
from medunet.files import hash_file
from medunet.machine import compare_peak, forget_peak_memory, measure_peak_memory
from medunet.networks import choose_device, measure_peak_vram, measure_step
from medunet.planning import Plan, subtract_program
from medunet.preparation import PatchDataset, PreparedCase, build_augmentation, place_patches, prepare_cases
from medunet.records import read_record, write_record
from medunet.training.ranks import (
    check_joined,
    count_here,
    in_turn,
    measure_exchange,
    on_first,
    share_batch,
    share_cases,
)
from medunet.training.result import FINISHED, RECORD, WEIGHTS, Ending, FoldResult
from medunet.training.schedule import Schedule, make_schedule
from medunet.training.transfer import load_start, read_start

if TYPE_CHECKING:
    from medunet.training.checkpoints import RunCheckpoint

LOGGER = logging.getLogger(__name__)
SLOWER = 3.0
"""A step that takes so many times longer than when the bundle was planned is worth a warning."""
PROBE_SHARE, MOST_PROBE_SECONDS = 0.01, 30.0
"""Of the budget goes into timing steps: of five steps, probes of one quiet machine were 0.54 to 0.87 s a step."""


class TrainingSession:
    """A run that starts or is resumed.

    Attributes:
        bundle: what is trained.
        plan: its plan.
        folder: of the run, `work/fold<K>`.
        fold: which patients are held out.
        training: prepared cases to train on.
        validation: prepared cases of the held-out patients.
        schedule: epochs and steps, fixed when the run first started.
        started: `time.monotonic()` when this process opened the run.
        ended: why its steps ended, once they have.
        learning_rate: the plan's, or that of a run which starts from the weights of another bundle.
        peak_gib: what each stage took at most, as far as it ran in this process.
    """

    def __init__(self, bundle: Bundle, fold: int, budget_minutes: float, patience: int = 0) -> None:
        self.started = time.monotonic()
        forget_peak_memory()  # of planning in this process, which times wider networks
        self._held_gib = subtract_program(measure_peak_memory() / 2**30)
        self.ended: Ending = "schedule"
        self.bundle = bundle
        self.plan: Plan = bundle.plan
        self.peak_gib: dict[str, float] = {}
        self.fold = fold
        self.folder = bundle.work / f"fold{fold}"
        cohort = bundle.cohort()
        share_batch(self.plan.batch)
        on_first(self._hold)
        start = on_first(lambda: read_start(self.folder))
        self.learning_rate = self.plan.learning_rate if start is None else start.learning_rate
        training, validation = split_cases(cohort, fold)
        border = self.plan.objects.border if self.plan.objects else 0
        prepare = partial(prepare_cases, cohort, steps=bundle.preprocessing, cache=bundle.work / "cache", border=border)
        self.training = in_turn(lambda: prepare(cases=training))
        self.validation = in_turn(lambda: prepare(cases=validation))
        self._note_peak("prepare", measure_peak_memory() / 2**30, self._held_gib)
        self.schedule = self._open_schedule(budget_minutes * 60, patience)

    def _hold(self) -> None:
        self._lock = lock_run(self.folder)

    def _note_peak(self, stage: str, gib: float, held_gib: float = 0.0) -> None:
        self.peak_gib[stage] = round(gib, 2)
        compare_peak(stage, self.plan.peak_gib.get(stage), gib, held_gib)

    def _open_schedule(self, budget_seconds: float, patience: int) -> Schedule:
        path = self.folder / "schedule.json"
        schedule = on_first(lambda: read_record(path, Schedule) if path.is_file() else None)
        if schedule is None:
            measured = self._probe(budget_seconds).model_copy(update={"patience": patience})
            on_first(lambda: write_record(path, measured))
            schedule = on_first(lambda: measured)
        return schedule

    def _probe(self, budget_seconds: float) -> Schedule:
        """Measure on all ranks at once, which may share cores; the slowest counts."""
        batch = share_batch(self.plan.batch)
        probe = min(MOST_PROBE_SECONDS, PROBE_SHARE * budget_seconds)
        own = measure_step(self.plan.model_copy(update={"batch": batch}), probe)
        step = float(idist.all_reduce(own + measure_exchange(self.plan), "MAX"))
        warn_if_slower(step, self.plan.step_seconds)
        loader = float(idist.all_reduce(measure_loader(self.plan, self.training), "MIN")) * default_workers()
        if choose_device().type == "cpu":
            # A loader takes a core from one of the network's threads, and the others wait for that one.
            step += batch / loader
        patches = sum(count_patches(case, self.plan) for case in share_cases(self.validation))
        # A forward pass is about a third of a training step of `batch` patches.
        validation = int(idist.all_reduce(patches, "MAX")) * step / (3 * batch)
        rates = loader * idist.get_world_size(), self.plan.batch / step
        spent = time.monotonic() - self.started
        schedule = make_schedule(budget_seconds, spent, max(step, batch / loader), validation, rates)
        LOGGER.info(
            "loader %.1f patches/s, network %.1f patches/s: %d steps in %.1f minutes",
            *rates,
            schedule.epochs * schedule.steps_per_epoch,
            budget_seconds / 60,
        )
        return schedule

    def load_start(self, network: nn.Module) -> None:
        """Load the weights that the run starts from, if it doesn't start from random ones."""
        load_start(self.folder, network)

    def finish(self, checkpoint: "RunCheckpoint") -> None:
        """Write the best weights into the run and the bundle, and what they scored into its metadata."""
        self._note_peak("train", measure_peak_memory() / 2**30, self._held_gib)
        if (vram := measure_peak_vram()) is not None:
            self._note_peak("train_vram", vram)
        on_first(lambda: self._publish(checkpoint))

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
        write_weights(self.folder / WEIGHTS, state)
        digest = hash_file(self.folder / WEIGHTS)
        write_record(self.folder / RECORD, FoldResult(weights_sha256=digest, ended=self.ended, training=training))
        publish_weights(self.bundle.folder, state, {"training": training})
        if checkpoint.epoch >= self.schedule.epochs or self.ended == "patience":
            (self.folder / FINISHED).touch()
        LOGGER.info("wrote %s", self.bundle.folder / "models" / "model.pt")


def open_session(bundle_root: str, fold: int, budget_minutes: float, patience: int = 0) -> TrainingSession:
    """Open a run of a bundle: prepare its cases, and probe this machine unless the run has a schedule.

    Raises:
        MedunetError: the bundle, the fold or a case can't be used.
    """
    check_joined()
    return TrainingSession(open_bundle(Path(bundle_root)), fold, budget_minutes, patience)


def lock_run(folder: Path) -> IO[bytes]:
    """Hold a run for this process; it is given back when the returned file is closed, however the process ends.

    Raises:
        InputError: another process trains it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("ab")
    try:
        # Unlike flock, workers that outlive a killed process don't inherit it.
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InputError(
            folder, "another process trains this fold", "wait for it, or stop it", code="run-busy"
        ) from None
    return lock


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
    dataset = PatchDataset(cases, warp, plan.batch, 1000, plan.foreground_share, steps, plan.seed)
    started, made = time.perf_counter(), 0
    while made < 4 or (time.perf_counter() - started < seconds and made < len(dataset)):
        _ = dataset[made]
        made += 1
    return made / (time.perf_counter() - started)


def count_patches(case: PreparedCase, plan: Plan) -> int:
    """Patches of the sliding window over a prepared case."""
    shape = tuple(max(pair) for pair in zip(case.label().shape, plan.patch, strict=True))
    return len(place_patches(shape, plan.patch, plan.overlap))


def default_workers() -> int:
    """Loader processes of a rank: one core's worth on two cores, at most four."""
    return max(1, min(4, (os.cpu_count() or 2) // count_here() - 1))
