"""Verbs of training: one fold, or all, and a bundle that is made to learn from another one."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from medunet.api.arguments import Count, Minutes, Size, verb
from medunet.files import PathLike

if TYPE_CHECKING:
    from medunet.cross_validation import TrainedFolds
    from medunet.planning import Plan


class Teaching(TypedDict, total=False):
    """How a student learns from its teacher.

    `cohort`: of the teacher's training, with its folds, where the teacher came without. `unlabelled`: further scans, as
    of `predict`, of which the teacher alone tells. `weight` of what it tells, where the loss of the labels has 1.
    `preset` with which the scan is to be predicted. `fold` that will be trained, of which the teacher must have a
    network.
    """

    cohort: PathLike | None
    unlabelled: PathLike | None
    weight: Minutes
    preset: Literal["exact", "fast"]
    fold: Count | None


@verb
def distill(
    bundle: PathLike,
    output: PathLike,
    *,
    seconds: Minutes,
    scan: tuple[Size, Size, Size],
    spacing: tuple[Minutes, Minutes, Minutes],
    budget_minutes: Minutes | None = None,
    **teaching: Unpack[Teaching],
) -> "Plan":
    """Make a bundle whose network predicts a scan in stated seconds on this machine, and learns from another bundle.

    Train it with `train` or `train_folds` as any other: of each fold the teacher's network of that fold alone tells.

    Args:
        bundle: the teacher, a trained bundle.
        output: folder that is made.
        seconds: that a prediction may take: reading, network, way back, writing.
        scan: voxels of the scan along x, y, z.
        spacing: of a voxel, in mm.
        budget_minutes: training time of each fold; the teacher's where not given.
        teaching: `cohort`, `unlabelled`, `weight`, `preset`, `fold`; see `Teaching`.

    Returns:
        The plan of the student.

    Raises:
        OutputExistsError: the folder exists.
        InputError: no network is as fast.
        MedunetError: the teacher or its cohort can't be used.
    """
    from medunet.bundle import locate_bundle
    from medunet.distilling import Wishes, make_student

    cohort, unlabelled = teaching.get("cohort"), teaching.get("unlabelled")
    wishes = Wishes(
        seconds=seconds,
        shape=scan,
        spacing_mm=spacing,
        preset=teaching.get("preset", "exact"),
        budget_minutes=budget_minutes,
        weight=teaching.get("weight", 1.0),
        fold=teaching.get("fold"),
        cohort=None if cohort is None else Path(cohort),
        unlabelled=None if unlabelled is None else Path(unlabelled),
    )
    return make_student(locate_bundle(Path(bundle)), Path(output), wishes)


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
    _teach(Path(bundle), fold)
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
    how["teach"] = partial(_teach, Path(bundle))
    with watching(TrainingPage(Path(bundle) / "work" / "training.html")):
        trained = train_all(Path(bundle), budget_minutes=budget_minutes, restart=restart, **how)
    _prove(Path(bundle))
    return trained


def _teach(bundle: Path, fold: int) -> None:
    """Write what a student learns of its teacher; under torchrun that must be there."""
    from medunet.distilling import teach_fold
    from medunet.training import is_launched

    if not is_launched():
        teach_fold(bundle, fold)


def _prove(bundle: Path) -> None:
    """Write the self-test of what was trained; of several processes by the first."""
    from medunet.handover import renew_selftest

    if os.environ.get("RANK", "0") == "0":
        renew_selftest(bundle)
