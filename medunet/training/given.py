"""The weights that a bundle was made with: what of another network's fits, output by output, for every run of it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medunet.bundle import Bundle, Source, match_outputs, write_weights
from medunet.errors import BundleError
from medunet.files import hash_file, whole_file
from medunet.networks import build_network, make_network
from medunet.planning import Plan
from medunet.records import write_record
from medunet.training.runs import Action, RunFolder
from medunet.training.transfer import TWINS, Start, read_start, slow_down

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Weights for a network, of those of another one.

    Attributes:
        state: what is known of them, by name; random where only a part of a tensor is.
        taken: names of tensors that were taken whole.
        new: the others of the network, each with the reason.
        unused: names of the other network's that this one hasn't.
    """

    state: dict[str, torch.Tensor]
    taken: tuple[str, ...]
    new: tuple[str, ...]
    unused: tuple[str, ...]

    def describe(self) -> str:
        """Count it in words."""
        parts = [f"{len(self.taken)} of {len(self.taken) + len(self.new)} tensors are taken"]
        parts += [f"{len(self.new)} are new ({self.new[0]}{', …' if len(self.new) > 1 else ''})"] if self.new else []
        parts += [f"{len(self.unused)} of the other network are left out"] if self.unused else []
        return ", ".join(parts)


def fit_start(source: Source, plan: Plan) -> Fitted:
    """What of a source's weights fits the network of a plan that goes on from it, and what is new."""
    match = match_outputs(source, plan.task.name_classes())
    torch.manual_seed(plan.seed)
    own = build_network(make_network(plan)).state_dict()
    axes = _find_output_axes(source.network, len(source.outputs))
    return fit_outputs(own, source.weights, axes, match)


def fit_outputs(own: State, theirs: State, axes: Mapping[str, Sequence[int]], match: Sequence[int | None]) -> Fitted:
    """Take what fits, of tensors that belong to outputs those parts whose outputs mean the same.

    Args:
        own: of a network with random weights.
        theirs: of the other one.
        axes: of each tensor that has one or more of the length of the outputs, which these are.
        match: for each output the other network's that means the same.
    """
    state: dict[str, torch.Tensor] = {}
    taken, new = [], []
    into = [number for number, other in enumerate(match) if other is not None]
    of = [other for other in match if other is not None]
    for name, value in own.items():
        if name.startswith(TWINS):
            continue
        there = theirs.get(name)
        if there is None:
            new.append(f"{name}: there is no such layer")
        elif name in axes and match != list(range(there.shape[axes[name][0]])):
            if not of:
                new.append(f"{name}: other labels")
                continue
            state[name] = _copy_outputs(value, there, axes[name], into, of)
            if len(into) == len(match):
                taken.append(name)
            else:
                new.append(f"{name}: {len(match) - len(into)} of {len(match)} outputs are of other labels")
        elif there.shape != value.shape:
            new.append(f"{name}: another size, {list(there.shape)} there and {list(value.shape)} here")
        else:
            state[name] = there
            taken.append(name)
    unused = tuple(name for name in theirs if name not in own)
    return Fitted(state, tuple(taken), tuple(new), unused)


def _copy_outputs(
    value: torch.Tensor, there: torch.Tensor, axes: Sequence[int], into: Sequence[int], of: Sequence[int]
) -> torch.Tensor:
    """A tensor whose parts of some outputs are those of others in another tensor."""
    target = np.ix_(*(into if axis in axes else range(n) for axis, n in enumerate(value.shape)))
    origin = np.ix_(*(of if axis in axes else range(n) for axis, n in enumerate(there.shape)))
    made = value.clone()
    made[target] = there[origin]
    return made


def _find_output_axes(network: Mapping[str, Any], outputs: int) -> dict[str, list[int]]:
    """Axes that grow with the outputs of a network, of each tensor that has some."""
    plain, wider = (build_network({**network, "out_channels": count}).state_dict() for count in (outputs, outputs + 1))
    found = {}
    for name, value in plain.items():
        pairs = enumerate(zip(value.shape, wider[name].shape, strict=True))
        if axes := [axis for axis, (one, other) in pairs if one != other]:
            found[name] = axes
    return found


def write_start(folder: Path, source: Source, fitted: Fitted, plan: Plan) -> None:
    """Keep weights in the folder of a bundle that is made, for every run of it.

    Args:
        folder: of the bundle.
        source: whose they are.
        fitted: from `fit_start`.
        plan: of the bundle.
    """
    kept = RunFolder(folder / "work")
    write_weights(kept.start_weights, fitted.state)
    start = Start(
        bundle=source.given.source,
        source_sha256=source.sha256,
        weights_sha256=hash_file(kept.start_weights),
        copied=len(fitted.taken),
        left=fitted.new,
        learning_rate=slow_down(plan.training.learning_rate),
        unused=fitted.unused,
    )
    write_record(kept.start, start)


def take_start(bundle: Bundle, run: RunFolder) -> None:
    """Let a run that hasn't begun start from the weights that its bundle was made with, unless it got others.

    Raises:
        BundleError: the bundle's network was changed since, so that they don't fit.
    """
    kept = RunFolder(bundle.work)
    start = read_start(kept)
    if start is None or run.start.is_file() or not run.allows(Action.START):
        return
    state = torch.load(kept.start_weights, map_location="cpu", weights_only=True)
    own = build_network(make_network(bundle.plan)).state_dict()
    if wrong := [name for name, value in state.items() if name not in own or own[name].shape != value.shape]:
        found = f"the weights of {start.bundle} don't fit the network any more, first {wrong[0]}"
        remedy = "restore 'network' of plan.json, or make the bundle anew with medunet init --from"
        raise BundleError(kept.start_weights, found, remedy, code="weights-wrong")
    with whole_file(run.start_weights) as part:
        shutil.copyfile(kept.start_weights, part)
    write_record(run.start, start)
