"""Train all folds, predict each patient by the network that never saw it, and make one ensemble of all networks."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medunet.bundle import (
    Bundle,
    ForeignBundle,
    find_weights,
    hide_images,
    make_recipe,
    open_bundle,
    publish_folds,
)
from medunet.cohort import Case, count_folds, split_cases
from medunet.errors import InputError
from medunet.evaluation import (
    Choice,
    CrossValidation,
    ScoredCase,
    Scores,
    check_held_out,
    find_floors,
    join_scores,
    match_labels,
    open_memory,
    score_cases,
    score_masks,
)
from medunet.findings import warn
from medunet.inference import (
    check_predictions,
    find_prediction,
    load_predictor,
    open_predictor,
    predict_case,
    predict_cases,
)
from medunet.inference.computing import PLAIN
from medunet.labels import Mask
from medunet.records import write_record
from medunet.report import Gallery, write_spread
from medunet.training import FoldResult, find_run, is_launched, train_bundle
from medunet.training.runs import Action

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainedFolds:
    """What training of all folds came to.

    Attributes:
        weights: the files of the ensemble.
        validation: scores of all held-out patients.
        table: their summary, as lines of text.
        scores: the file that holds them.
    """

    weights: tuple[Path, ...]
    validation: CrossValidation
    table: str
    scores: Path


def train_folds(
    folder: Path,
    *,
    budget_minutes: float | None,
    restart: bool,
    source: Path | None = None,
    patience: int = 0,
    trust: bool = False,
    teach: Callable[[int], None] = lambda _: None,
) -> TrainedFolds:
    """Train every fold of a bundle, one after the other, and make the ensemble of all.

    What is there already is taken over: finished folds, folds whose minutes were gone, masks of the same weights.

    Args:
        folder: the bundle.
        budget_minutes: for each fold; None takes the plan's.
        restart: keep older runs under other names and begin all anew.
        source: bundle from whose weights each fold starts.
        patience: validations without a gain after which a fold ends; 0 never ends it.
        trust: run what its configurations hold, whoever wrote it.
        teach: is called before a fold is trained.

    Raises:
        InputError: there is one fold only, two hold out the same patient, or torchrun started this process.
        MedunetError: whatever stopped it; where that was a signal, the state of the fold is kept.
    """
    if is_launched():
        remedy = "train each with --fold K, then run medunet train --fold all without torchrun, which takes them over"
        raise InputError("--fold all", "torchrun trains single folds", remedy, code="processes-unfit")
    bundle = open_bundle(folder, trust=trust)
    cohort = bundle.cohort()
    held_out = [split_cases(cohort, fold)[1] for fold in range(count_folds(cohort))]
    check_held_out(held_out, str(folder))
    if len(held_out) < 2:
        raise InputError("--fold all", "the cohort has one fold only", "train it with --fold 0", code="option-wrong")
    how: dict[str, Any] = {"restart": restart, "source": source, "patience": patience, "trust": trust}
    train = partial(train_bundle, folder, budget_minutes=budget_minutes, **how)
    recipe, results = make_recipe(bundle), []
    for fold, cases in enumerate(held_out):
        run = find_run(bundle, fold)
        trained = not restart and run.allows(Action.TAKE_OVER)
        LOGGER.info("fold %d%s", fold, " is trained already" if trained else ":")
        if not trained:
            teach(fold)
            train(fold=fold)
        results.append(run.read_result())
        predictor = load_predictor(recipe, {run.weights: results[-1].weights_sha256}, PLAIN)
        predict_cases(predictor, cases, run.held_out)
    return _finish(bundle, held_out, results)


def _finish(bundle: Bundle, held_out: Sequence[Sequence[Case]], results: Sequence[FoldResult]) -> TrainedFolds:
    cohort = bundle.cohort()
    validation = score_masks(
        cohort, held_out, lambda fold, case, truth: find_prediction(find_run(bundle, fold).held_out, case, truth)
    )
    scores = bundle.work / "cross_validation" / "scores.json"
    write_record(scores, validation)
    files = {fold: find_run(bundle, fold).weights for fold in range(len(results))}
    facts: dict[str, Any] = {"training": _join_facts(results, len(cohort.cases))}
    # Runs of earlier versions have none; a part of them would tell of the others that they were never seen.
    whole = all(result.images for result in results)
    facts["training_images"] = hide_images(name for result in results for name in result.images) if whole else None
    publish_folds(bundle.folder, files, facts)
    published = open_bundle(bundle.folder)
    weights = tuple(find_weights(published.folder, published.metadata))
    return TrainedFolds(weights, validation, write_spread(validation), scores)


def _join_facts(results: Sequence[FoldResult], cases: int) -> dict[str, Any]:
    """Of all folds what metadata.json holds of one: minutes and held-out cases in total, the rest fold by fold."""
    each = [result.training for result in results]
    return {
        "fold": "all",
        "epochs": [facts["epochs"] for facts in each],
        "steps": [facts["steps"] for facts in each],
        "minutes": round(sum(facts["minutes"] for facts in each), 2),
        "validation_dice": [facts["validation_dice"] for facts in each],
        "cases": cases,
        "held_out_cases": sum(facts["held_out_cases"] for facts in each),
    }


def predict_held_out(bundle: Bundle, choice: Choice) -> Path:
    """Predict the held-out cases of a fold by its own network, unless that was done when it was trained.

    Args:
        bundle: an ensemble.
        choice: of one of its folds.

    Returns:
        The folder of the masks.
    """
    if choice.fold == "all":
        raise ValueError("an ensemble has seen every patient")
    folder = find_run(bundle, choice.fold).held_out
    predict_cases(open_predictor(bundle, choice.fold, PLAIN), choice.cases, folder)
    return folder


def score_choices(
    bundle: Bundle | ForeignBundle, choices: Sequence[Choice], predictions: Path | None, gallery: Gallery
) -> Scores:
    """Score a bundle on chosen cases beside floors.

    Args:
        bundle: a trained one.
        choices: of `choose_cases`; several are the folds of an ensemble.
        predictions: folder of masks; None predicts.
        gallery: takes pictures and volumes of the cases.

    Raises:
        InputError: masks of an ensemble are given for patients that it has seen.
        MissingInputError: some of the given masks aren't there.
    """
    held_out = len(choices) > 1
    if predictions and held_out:
        raise InputError(
            predictions,
            "the ensemble that made these masks has seen the held-out patients of each fold",
            "leave --predictions out, or name other patients with --cohort",
            code="patient-seen",
        )
    if predictions:
        check_predictions(predictions, choices[0].cases, bundle.task.unit)
    parts: list[Scores] = []
    modality = bundle.task.modalities[bundle.task.channels[0]]

    seen: list[str] = []
    was_seen = open_memory(bundle, choices[0])

    def show(scored: ScoredCase) -> None:
        if was_seen(scored.volume):
            seen.append(scored.case.id)
            found = "its image is one that the bundle was trained on, so that its score proves nothing"
            warn("patient-seen", f"case {scored.case.id}", found, "score patients that were not")
        gallery.add_scored(scored, modality)

    for choice in choices:
        floors = find_floors(bundle, choice)
        find_mask = _choose_masks(bundle, choice, predictions, held_out=held_out)
        parts.append(score_cases(choice.cohort, choice.cases, floors, find_mask, show))
    return join_scores(parts).model_copy(update={"seen": tuple(seen)})


def _choose_masks(
    bundle: Bundle | ForeignBundle, choice: Choice, predictions: Path | None, *, held_out: bool
) -> Callable[[Case, Mask], Mask]:
    """Where the masks that are scored come from: given, kept of held-out cases, or predicted now."""
    if isinstance(bundle, ForeignBundle):
        return _choose_foreign(bundle, choice, predictions)
    if predictions:
        return partial(find_prediction, predictions)
    if held_out:
        return partial(find_prediction, predict_held_out(bundle, choice))
    predictor = open_predictor(bundle, computing=PLAIN)
    return lambda case, _: predict_case(predictor, case)


def _choose_foreign(bundle: ForeignBundle, choice: Choice, predictions: Path | None) -> Callable[[Case, Mask], Mask]:
    """Masks of a bundle from elsewhere, with the labels of the cohort that is scored."""
    table = choice.cohort.labels
    values = np.zeros(1 + len(bundle.task.labels.labels), dtype=np.uint8)
    for own, wanted in match_labels(table, bundle.task.labels, bundle.name).items():
        values[own] = wanted
    predictor = None if predictions else open_predictor(bundle, computing=PLAIN)

    def find(case: Case, truth: Mask) -> Mask:
        if predictor is None:
            given = find_prediction(predictions or Path(), case, replace(truth, table=bundle.task.labels))
        else:
            given = predict_case(predictor, case)
        return replace(given, voxels=values[given.voxels], table=table)

    return find
