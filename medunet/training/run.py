"""Run a bundle's train.json: the same wiring and loop as `python -m monai.bundle run`, on one process or many."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from medunet.bundle import open_bundle
from medunet.errors import BundleError, OutputExistsError, raise_ours
from medunet.training.ranks import is_launched, join_ranks, on_first
from medunet.training.result import FINISHED
from medunet.training.session import default_workers, lock_run
from medunet.training.transfer import prepare_start


def train_bundle(
    folder: Path,
    *,
    fold: int,
    budget_minutes: float | None,
    restart: bool,
    source: Path | None = None,
    patience: int = 0,
) -> Path:
    """Train a bundle, or go on with a run that was interrupted; on all processes where torchrun started them.

    Args:
        folder: the bundle.
        fold: whose patients are held out.
        budget_minutes: None takes the plan's.
        restart: keep an older run of this fold under another name and begin anew.
        source: bundle from whose weights the run starts.
        patience: validations without a gain after which the run ends; 0 never ends it. It counts at its first start.

    Returns:
        The file of weights.

    Raises:
        OutputExistsError: this fold is trained already.
        MedunetError: whatever stopped it.
    """
    bundle = open_bundle(folder)
    run = bundle.work / f"fold{fold}"
    configs = _choose_configs(folder)
    if is_launched():
        join_ranks()
    on_first(lambda: _make_way(run, restart))
    if source is not None:
        on_first(lambda: prepare_start(bundle, fold, open_bundle(source)))
    overrides: dict[str, Any] = {"fold": fold, "patience": patience}
    if budget_minutes is not None:
        overrides["budget"] = budget_minutes
    run_configs(folder, configs, overrides)
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
        raise_ours(error)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _choose_configs(folder: Path) -> list[str]:
    names = ["train.json", "multi_gpu_train.json"] if is_launched() else ["train.json"]
    for path in (paths := [folder / "configs" / name for name in names]):
        if not path.is_file():
            raise BundleError(path, "it is missing", "restore it, or make the bundle again with medunet init")
    return [str(path) for path in paths]


def _make_way(run: Path, restart: bool) -> None:
    """Put an older run aside if that is asked for; refuse one that is finished."""
    if restart and run.exists():
        with lock_run(run):
            run.rename(_free_name(run))
    if (run / FINISHED).exists():
        fold = run.name.removeprefix("fold")
        raise OutputExistsError(run, f"fold {fold} is trained already", "add --restart to train it anew")


def _free_name(run: Path) -> Path:
    number = 1
    while (name := run.with_name(f"{run.name}.before-{number}")).exists():
        number += 1
    return name
