"""Measure and plan: a cohort, with or without a bundle for it, or again for a bundle that is there."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from medunet.bundle import Bundle, find_stale, fit_source, open_bundle, read_source, rewrite_bundle, write_bundle
from medunet.cohort import (
    AS_FOUND,
    Cohort,
    LabelChoices,
    check_cohort,
    choose_labels,
    describe_split,
    find_cohort,
    find_folds,
    fold_cohort,
    raise_unknown_values,
)
from medunet.errors import InputError, LabelError
from medunet.files import check_free
from medunet.geometry import Grid
from medunet.inference.backends import TorchBackend
from medunet.inference.memory import choose_way, take_load
from medunet.machine import find_ram
from medunet.measuring import Fingerprint, measure_cohort
from medunet.networks import (
    build_network,
    complete_network,
    count_features,
    count_network,
    describe_speed,
    find_vram,
    make_network,
    measure_step,
    state_loss,
    state_network,
    swap_network,
)
from medunet.planning import (
    Given,
    GivenNetwork,
    Memory,
    Plan,
    count_enough_minutes,
    describe_gib,
    keep_given,
    make_plan,
    plan_further,
    predict_peaks,
    state_task,
)
from medunet.planning.peaks import PROGRAM_GIB, count_weights
from medunet.preparation import build_augmentation, make_preprocessing
from medunet.reading import ImageSize
from medunet.records import Record, read_record
from medunet.training import CONFIGS, check_untrained, find_training, fit_start, write_start

LOGGER = logging.getLogger(__name__)
MINUTES = 45.0
OWN = {"_target_": "own"}
"""What asks for the U-Net that medunet plans."""
MOST_RAM = 8.0
"""GiB that a plan takes without being told: more has gained nothing on a CPU's minutes."""


class Wishes(Record):
    """What the user asked of a plan; None where nothing was said."""

    dims: Literal[2, 3] | None = None
    budget_minutes: float | None = None
    memory: Memory | None = None
    network: dict[str, Any] | None = None
    """`_target_` of a network of MONAI's and arguments; `_target_` own is the U-Net that medunet plans."""


def make_bundle(
    path: Path,
    folder: Path,
    wishes: Wishes,
    channels: Sequence[str] | None = None,
    labels: LabelChoices = AS_FOUND,
    start: Path | None = None,
) -> Plan:
    """Find cases, measure them, plan, and write a bundle; see `medunet.init`."""
    check_free(folder)
    if start is not None and wishes.network is not None:
        found = "the network is that of another bundle (--from)"
        raise InputError(f"--network {_name_wish(wishes)}", found, "leave one of both away", code="option-wrong")
    source = None if start is None else read_source(start)
    cohort = _find(path, channels, labels)
    if source is not None:
        source, cohort = fit_source(source, cohort, wishes.dims)
    fingerprint = _measure(cohort, wishes, path)
    cohort = fold_cohort(cohort, path, fingerprint.sum_volumes(cohort), fingerprint.list_labels(cohort))
    if source is None:
        planned = _plan(cohort, fingerprint, wishes)
        write_bundle(folder, planned, fingerprint, cohort, CONFIGS)
        return planned
    planned = _plan(cohort, fingerprint, wishes, _complete(source.given, cohort, fingerprint))
    fitted = fit_start(source, planned)
    LOGGER.info("%s: of the weights of %s %s", folder, planned.source, fitted.describe())
    planned = planned.change(reasons={"source": f"--from; of its weights {fitted.describe()}"})
    fill = partial(write_start, source=source, fitted=fitted, plan=planned)
    write_bundle(folder, planned, fingerprint, cohort, CONFIGS, fill)
    return planned


def _complete(given: Given, cohort: Cohort, fingerprint: Fingerprint) -> Given:
    """What another bundle gave, with what it leaves open, for the outputs of a cohort."""
    given = given.fill(fingerprint)
    if given.network.given is None:
        return given
    outputs = len(state_task(cohort, fingerprint).name_classes())
    definition = complete_network(given.network.given.definition, outputs)
    weights, made = count_features(definition, given.window.patch)
    network = GivenNetwork(definition=definition, weights=weights, patch_bytes=made)
    return replace(given, network=given.network.model_copy(update={"given": network}))


def plan_path(
    path: Path,
    wishes: Wishes,
    channels: Sequence[str] | None = None,
    labels: LabelChoices = AS_FOUND,
    write: bool = False,
) -> Plan:
    """Plan for a bundle or a cohort; see `medunet.plan`.

    Raises:
        InputError: `write` and a cohort, or `channels` or `labels` and a bundle.
    """
    if (path / "configs" / "plan.json").is_file():
        if channels or labels != AS_FOUND:
            raise InputError(path, "it is a bundle, whose channels and labels are settled", "give the cohort instead")
        return plan_bundle(path, wishes, write)
    if write:
        raise InputError(
            path, "it is no bundle that a plan could be written into", "make one with medunet init", code="bundle-wrong"
        )
    return plan_cohort(path, wishes, channels, labels)


def plan_cohort(
    path: Path, wishes: Wishes, channels: Sequence[str] | None = None, labels: LabelChoices = AS_FOUND
) -> Plan:
    """Find cases, measure them and plan."""
    cohort = _find(path, channels, labels)
    return _plan(cohort, _measure(cohort, wishes, path), wishes)


def plan_bundle(folder: Path, wishes: Wishes, write: bool = False) -> Plan:
    """The plan of a bundle, or what it would be otherwise.

    Args:
        folder: the bundle.
        wishes: none shows its own plan; what they leave open stays as that has it.
        write: give the bundle that plan, and configurations that agree with it, unless its training has begun.

    Raises:
        BundleError: it is no bundle, or training has begun.
    """
    bundle = open_bundle(folder)
    if write:
        check_untrained(bundle)
    if wishes != Wishes():
        planned = _plan_again(bundle, wishes)
    else:
        planned = _foresee(bundle, bundle.plan) if write else bundle.plan
    if write:
        rewrite_bundle(bundle, planned, CONFIGS)
        LOGGER.info("wrote plan.json and the configurations of %s", folder)
    else:
        warn_if_stale(folder)
    return planned


def warn_if_stale(folder: Path) -> None:
    """Warn where configurations of a bundle that isn't trained yet aren't what its plan.json makes.

    Raises:
        BundleError: it is no bundle.
    """
    bundle = open_bundle(folder)
    stale = find_stale(bundle, CONFIGS)
    if stale and not find_training(bundle):
        LOGGER.warning(
            "%s: %s is not what plan.json makes; if that was edited, bring both in line with medunet plan %s --write",
            folder,
            ", ".join(stale),
            folder,
        )


def _find(path: Path, channels: Sequence[str] | None, labels: LabelChoices) -> Cohort:
    wanted = tuple(channels) if channels else None
    found = find_cohort(path, channels=wanted, objects=labels.objects, missing=labels.missing)
    found = choose_labels(found, labels, path)
    cohort = find_folds(check_cohort(found, str(path)), path)
    if said := describe_split(cohort):
        LOGGER.info("%s: %s", path, said)
    return cohort


def _measure(cohort: Cohort, wishes: Wishes, path: Path) -> Fingerprint:
    try:
        return measure_cohort(cohort, wishes.memory.ram_gib if wishes.memory else None)
    except LabelError as error:
        raise_unknown_values(cohort, error, path)
        raise


def _plan(cohort: Cohort, fingerprint: Fingerprint, wishes: Wishes, given: Given | None = None) -> Plan:
    memory = (wishes.memory or Memory()).fill(find_memory())
    minutes = wishes.budget_minutes or MINUTES
    if given is None:
        swap = None if wishes.network in (None, OWN) else partial(swap_network, wishes.network)
        planned = make_plan(
            cohort, fingerprint, measure_step, dims=wishes.dims, memory=memory, budget_minutes=minutes, swap=swap
        )
    else:
        planned = plan_further(cohort, fingerprint, given, measure_step, memory=memory, budget_minutes=minutes)
    planned = planned.change(foreseen={"peak_gib": _foresee_peaks(planned, fingerprint)})
    for key in ("sides", "partial", "surroundings"):
        if said := planned.reasons.get(key):
            LOGGER.info("%s", said)
    _warn_of_memory(planned)
    _warn_of_steps(planned)
    seconds = planned.foreseen.step_seconds
    return planned.change(foreseen={"speed": describe_speed(seconds) if seconds else None})


def _foresee(bundle: Bundle, edited: Plan) -> Plan:
    """A plan with the memory and the time that it takes as it was edited."""
    edited = _complete_edits(edited)
    seconds = measure_step(edited)
    peaks = _foresee_peaks(edited, _read_fingerprint(bundle))
    planned = edited.with_step(seconds).change(foreseen={"peak_gib": peaks, "speed": describe_speed(seconds)})
    _warn_of_memory(planned)
    _warn_of_steps(planned)
    return planned


def _complete_edits(edited: Plan) -> Plan:
    """A plan with what its network leaves open written out, and counted for its patch."""
    if isinstance(edited.training.loss, dict):
        edited = edited.change(training={"loss": state_loss(edited.training.loss, edited)})
    build_augmentation(edited)
    given = edited.network.given
    if given is None:
        return edited
    definition = state_network(given.definition, edited)
    weights, made = count_network(definition, edited.window.patch)
    counted = GivenNetwork(definition=definition, weights=weights, patch_bytes=made)
    return edited.change(network={"given": counted})


def _foresee_peaks(planned: Plan, fingerprint: Fingerprint) -> dict[str, float]:
    """Peaks of all stages; of a prediction as that states them itself, within the memory of the plan."""
    peaks, task = predict_peaks(planned, fingerprint), planned.task
    if task.unit == "px":
        return peaks
    case = max(fingerprint.cases, key=lambda case: int(np.prod(case.shape)))
    voxels, grid = int(np.prod(case.shape)), Grid(case.shape, np.diag([*case.spacing_mm, 1.0]))
    stored = max(1, (case.voxel_bytes or 4 * voxels) // voxels)
    names = zip(task.image_keys(), task.channels, strict=True)
    sizes = {key: ImageSize(grid, task.count_components(name), stored) for key, name in names}
    window, network = planned.window, build_network(make_network(planned)).eval()
    load = take_load(make_preprocessing(planned), sizes, len(task.name_classes()), lambda shape: window.patch)
    backend = TorchBackend(torch.device("cpu"), torch.float32)
    backend.open(network, (task.count_inputs(), *window.patch), planned.network.dims)
    memory = planned.foreseen.memory
    limit = int((memory.ram_gib if memory and memory.ram_gib else find_ram() / 2**30) * 2**30)
    held = int(PROGRAM_GIB * 2**30) + 4 * count_weights(planned)
    return {**peaks, "predict": round(choose_way(load, backend, held, limit).peak / 2**30, 2)}


def _warn_of_memory(planned: Plan) -> None:
    memory = planned.foreseen.memory or Memory()
    for stage, gib in planned.foreseen.peak_gib.items():
        limit = memory.vram_gib if stage.endswith("_vram") else memory.ram_gib
        if limit is not None and gib > limit:
            may = describe_gib(limit)
            LOGGER.warning("%s will take %s at most, more than the %s that it may", stage, describe_gib(gib), may)


def _warn_of_steps(planned: Plan) -> None:
    minutes, enough = planned.training.budget_minutes, count_enough_minutes(planned)
    if enough > 2 * minutes:
        LOGGER.warning(
            "%g min of training are about %d steps on this machine, too few to learn much: give it --budget %dm, or "
            "train it on a faster machine or one that does nothing else",
            *(round(minutes, 2), planned.count_steps(), math.ceil(enough)),
        )


def _plan_again(bundle: Bundle, wishes: Wishes) -> Plan:
    """Plan from what was measured for a bundle; its cohort need not have come along."""
    former, task = bundle.plan, bundle.plan.task
    if former.training.teacher is not None:
        found = "its network was chosen for the seconds of a scan, and learns from another bundle"
        raise InputError(bundle.folder, found, "make another student with medunet distill", code="option-wrong")
    fingerprint = _read_fingerprint(bundle)
    cohort = Cohort(channels=task.channels, modalities=task.modalities, labels=task.labels, cases=())
    filled = Wishes(
        dims=wishes.dims or former.network.dims,
        budget_minutes=wishes.budget_minutes or former.training.budget_minutes,
        memory=(wishes.memory or Memory()).fill(former.foreseen.memory or Memory()),
        network=wishes.network or _keep_network(former),
    )
    if wishes.network is not None and former.source:
        found = f"the network is that of {former.source}, whose weights the bundle goes on from"
        raise InputError(f"--network {_name_wish(wishes)}", found, "make another bundle", code="option-wrong")
    kept: dict[str, str] = {key: former.reasons[key] for key in ("patients", "source") if key in former.reasons}
    given = keep_given(former) if former.source else None
    if given is not None and wishes.dims not in (None, former.network.dims):
        found = f"the network of {former.source} has {former.network.dims} axes"
        raise InputError(f"--dims {wishes.dims}", found, "leave the option away", code="dimensions-differ")
    planned = _plan(cohort, fingerprint, filled, given)
    by_hand: dict[str, Any] = {"augmentation": former.training.augmentation}
    if isinstance(former.training.loss, dict):
        by_hand["loss"], kept["loss"] = former.training.loss, former.reasons.get("loss", "by hand")
    return planned.change(training=by_hand, reasons=kept)


def _keep_network(former: Plan) -> dict[str, Any] | None:
    """The network that a plan was asked for."""
    return dict(former.network.given.definition) if former.network.given and not former.source else None


def _name_wish(wishes: Wishes) -> str:
    return str((wishes.network or OWN).get("_target_"))


def _read_fingerprint(bundle: Bundle) -> Fingerprint:
    return read_record(bundle.folder / "configs" / "fingerprint.json", Fingerprint)


def find_memory() -> Memory:
    """What this machine has to give: half of its RAM, at most 8 GiB without a GPU, and nearly all of a GPU."""
    half = find_ram() / 2**31
    vram = find_vram()
    return Memory(ram_gib=half if vram else min(MOST_RAM, half), vram_gib=vram, gpu=vram is not None)
