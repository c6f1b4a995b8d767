"""Run a bundle's train.json: the same wiring and loop as `python -m monai.bundle run`."""

from pathlib import Path

from monai.bundle import ConfigWorkflow

from medunet.bundle import open_bundle
from medunet.errors import OutputExistsError, raise_ours
from medunet.training.result import FINISHED
from medunet.training.session import default_workers, lock_run


def train_bundle(folder: Path, *, fold: int, budget_minutes: float | None, restart: bool) -> Path:
    """Train a bundle, or go on with a run that was interrupted.

    Args:
        folder: the bundle.
        fold: whose patients are held out.
        budget_minutes: None takes the plan's.
        restart: keep an older run of this fold under another name and begin anew.

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
    overrides = {"fold": fold, "workers": default_workers(), "bundle_root": str(folder)}
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
