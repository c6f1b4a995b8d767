"""Run a bundle's train.json: the same wiring and loop as `python -m monai.bundle run`, on one process or many."""

import errno
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from medunet.bundle import open_bundle
from medunet.errors import BundleError, ResourceError, find_medunet_error, raise_ours
from medunet.records import read_record
from medunet.training.ranks import is_launched, join_ranks, on_first
from medunet.training.runs import Action, RunFolder, find_run
from medunet.training.schedule import Schedule
from medunet.training.session import default_workers
from medunet.training.transfer import prepare_start
from medunet.training.trust import check_configs

LOGGER = logging.getLogger(__name__)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system answers where nothing more can be written: disk, quota, or largest file."""


def train_bundle(
    folder: Path,
    *,
    fold: int,
    budget_minutes: float | None,
    restart: bool,
    source: Path | None = None,
    patience: int = 0,
    trust: bool = False,
) -> Path:
    """Train a bundle, or go on with a run that was interrupted; on all processes where torchrun started them.

    Args:
        folder: the bundle.
        fold: whose patients are held out.
        budget_minutes: None takes the plan's. A run that has a schedule keeps that, with a warning.
        restart: keep an older run of this fold under another name and begin anew.
        source: bundle from whose weights the run starts.
        patience: validations without a gain after which the run ends; 0 never ends it. It counts at its first start.
        trust: run what its configurations hold, whoever wrote it.

    Returns:
        The file of weights.

    Raises:
        OutputExistsError: this fold is trained already.
        MedunetError: whatever stopped it.
    """
    bundle = open_bundle(folder)
    run = find_run(bundle, fold)
    configs = _choose_configs(folder)
    check_configs(bundle, configs, trust=trust)
    if is_launched():
        join_ranks()
    on_first(lambda: _make_way(run, restart))
    if source is not None:
        on_first(lambda: prepare_start(bundle, fold, open_bundle(source)))
    overrides: dict[str, Any] = {"fold": fold, "patience": patience}
    if budget_minutes is not None:
        on_first(lambda: warn_of_budget(run, budget_minutes))
        overrides["budget"] = budget_minutes
    run_configs(folder, [str(path) for path in configs], overrides)
    return folder / "models" / "model.pt"


def run_configs(folder: Path, configs: Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Run configurations of a bundle as `python -m monai.bundle run` does, and leave logging to the caller.

    Args:
        folder: the bundle.
        configs: paths of train.json and of what overrides it.
        overrides: options, by their ids in the configurations; its place and the loader's processes are set here.

    Raises:
        MedunetError: whatever stopped it.
    """
    with _quiet(logging.getLogger(ConfigWorkflow.__module__)):  # it warns of a missing logging.conf, on stdout
        workflow = ConfigWorkflow(
            config_file=list(configs),
            meta_file=str(folder / "configs" / "metadata.json"),
            logging_file=False,
            workflow_type="train",
            bundle_root=str(folder),
            workers=default_workers(),
            **overrides,
        )
    try:
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    except Exception as error:
        if (full := find_full_disk(error)) is not None:
            ours = find_medunet_error(error)
            subject = ours.subject if ours else full.filename or folder / "work"
            found = f"it can't be written ({full.strerror})"
            raise ResourceError(subject, found, "make room and go on with the same command") from error
        raise_ours(error)


def find_full_disk(error: BaseException | None) -> OSError | None:
    """Find in the chain of what an error was raised from what the system answers where a disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _choose_configs(folder: Path) -> list[Path]:
    names = ["train.json", "multi_gpu_train.json"] if is_launched() else ["train.json"]
    for path in (paths := [folder / "configs" / name for name in names]):
        if not path.is_file():
            raise BundleError(path, "it is missing", "restore it, or make the bundle again with medunet init")
    return paths


def _make_way(run: RunFolder, restart: bool) -> None:
    """Put an older run aside if that is asked for; refuse one that can't go on."""
    if restart and run.allows(Action.RESTART):
        run.put_aside()
    run.check(Action.RESUME)


def warn_of_budget(run: RunFolder, budget_minutes: float) -> None:
    """Warn where a run keeps the schedule of another budget than the one that is wanted now."""
    if not run.schedule.is_file():
        return
    minutes = read_record(run.schedule, Schedule).budget_seconds / 60
    if not math.isclose(minutes, budget_minutes):
        LOGGER.warning(
            "%s: the run keeps this schedule, made for a budget of %g min, not of %g; begin anew with --restart",
            run.schedule,
            minutes,
            budget_minutes,
        )
