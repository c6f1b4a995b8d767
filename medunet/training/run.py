"""Run a bundle's train.json: the same wiring and loop as `python -m monai.bundle run`."""

from pathlib import Path

from monai.bundle import ConfigWorkflow

from medunet.bundle import open_bundle
from medunet.errors import OutputExistsError, raise_ours
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
    """Train a bundle, or go on with a run that was interrupted.

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
    if restart and run.exists():
        with lock_run(run):
            run.rename(_free_name(run))
    if (run / FINISHED).exists():
        raise OutputExistsError(run, f"fold {fold} is trained already", "add --restart to train it anew")
    if source is not None:
        prepare_start(bundle, fold, open_bundle(source))
    overrides = {"fold": fold, "workers": default_workers(), "bundle_root": str(folder), "patience": patience}
    if budget_minutes is not None:
        overrides["budget"] = budget_minutes
    configs = folder / "configs"
    workflow = ConfigWorkflow(
        config_file=str(configs / "train.json"),
        meta_file=str(configs / "metadata.json"),
        logging_file=False,
        workflow_type="train",
        **overrides,
    )
    try:
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    except Exception as error:
        raise_ours(error)
    return folder / "models" / "model.pt"


def _free_name(run: Path) -> Path:
    number = 1
    while (name := run.with_name(f"{run.name}.before-{number}")).exists():
        number += 1
    return name
