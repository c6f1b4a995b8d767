"""Verbs of training: one fold, or all."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medunet.api.arguments import Count, Minutes, verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.cross_validation import TrainedFolds


@verb
def train(
    bundle: PathLike,
    *,
    fold: Count = 0,
    budget_minutes: Minutes | None = None,
    restart: bool = False,
    source: PathLike | None = None,
    patience: Count = 0,
    trust: bool = False,
) -> Path:
    """Train a bundle, or go on with a run that was interrupted; a self-test of it is written where it finds something.

    Args:
        bundle: from `init`.
        fold: whose patients are held out.
        budget_minutes: None takes the plan's.
        restart: keep an older run of this fold under another name and begin anew.
        source: bundle from whose weights the run starts, as far as they fit.
        patience: end the run after so many validations without a gain; 0 never does.
        trust: run what the bundle's train.json holds beyond what medunet writes, since you know who wrote it.

    Returns:
        The file of weights.

    Raises:
        MedunetError: whatever stopped it.
    """
    from medunet.bundle import locate_bundle
    from medunet.planner import warn_if_stale
    from medunet.training import train_bundle, watching
    from medunet.training_page import TrainingPage

    warn_if_stale(Path(bundle))
    begin = locate_bundle(Path(source)) if source is not None else None
    with watching(TrainingPage()):
        weights = train_bundle(
            Path(bundle),
            fold=fold,
            budget_minutes=budget_minutes,
            restart=restart,
            source=begin,
            patience=patience,
            trust=trust,
        )
    _prove(Path(bundle))
    return weights


@verb
def train_folds(
    bundle: PathLike,
    *,
    budget_minutes: Minutes | None = None,
    restart: bool = False,
    source: PathLike | None = None,
    patience: Count = 0,
    trust: bool = False,
) -> "TrainedFolds":
    """Train every fold of a bundle, score each patient by the network that never saw it, and make an ensemble.

    Args:
        bundle: from `init`.
        budget_minutes: for each fold; None takes the plan's.
        restart: keep older runs under other names and begin all anew.
        source: bundle from whose weights each fold starts, as far as they fit.
        patience: end each fold after so many validations without a gain; 0 never does.
        trust: as of `train`.

    Returns:
        Files of weights, and the cross-validated scores.

    Raises:
        MedunetError: whatever stopped it.
    """
    from medunet.bundle import locate_bundle
    from medunet.cross_validation import train_folds as train_all
    from medunet.planner import warn_if_stale
    from medunet.training import watching
    from medunet.training_page import TrainingPage

    warn_if_stale(Path(bundle))
    begin = locate_bundle(Path(source)) if source is not None else None
    how: dict[str, Any] = {"source": begin, "patience": patience, "trust": trust}
    with watching(TrainingPage(Path(bundle) / "work" / "training.html")):
        trained = train_all(Path(bundle), budget_minutes=budget_minutes, restart=restart, **how)
    _prove(Path(bundle))
    return trained


def _prove(bundle: Path) -> None:
    """Write the self-test of what was trained; of several processes by the first."""
    from medunet.handover import renew_selftest

    if os.environ.get("RANK", "0") == "0":
        renew_selftest(bundle)
