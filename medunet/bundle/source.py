"""Another bundle from which a new one goes on: its network, chain, window, the names of its outputs, its weights."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from medunet.bundle.folder import Bundle
from medunet.bundle.foreign import ForeignBundle, open_any_bundle, read_foreign
from medunet.bundle.foreign_steps import name_target
from medunet.bundle.foreign_task import name_outputs
from medunet.bundle.parts import Step
from medunet.bundle.weights import find_weights, load_weights
from medunet.cohort import Cohort, split_cases
from medunet.errors import BundleError, InputError
from medunet.findings import warn
from medunet.labels import simplify_name
from medunet.networks import build_network, complete_network, make_network
from medunet.planning import Given, GivenNetwork, GridPlan, NetworkPlan, WindowPlan
from medunet.task import Task, name_keys

KEYS = ("keys", "source_key", "key_dst", "name", "orig_keys", "ref_image")
"""Arguments of transforms that name images."""
BACKGROUND = re.compile(r"back.?ground", re.IGNORECASE)
AS_DATA = "write it as data in a copy of the bundle, and start from that"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A bundle to go on from.

    Attributes:
        folder: its root.
        task: what it segments.
        given: what it decides of a plan, for its own channels and outputs.
        network: `_target_` dictionary of its network.
        outputs: what the outputs of its network are called, in order.
        weights: of its network, by name.
        sha256: of the file of weights.
        patients: on whom it was trained, as far as it tells.
    """

    folder: Path
    task: Task
    given: Given
    network: Step
    outputs: tuple[str, ...]
    weights: Mapping[str, torch.Tensor]
    sha256: str
    patients: frozenset[str]

    @property
    def dims(self) -> Literal[2, 3]:
        """Spatial axes of its network."""
        return self.given.network.dims


def read_source(folder: Path) -> Source:
    """Read a bundle of medunet or in the conventions of MONAI's zoo, and load its weights.

    Of an ensemble the network of the first fold is taken.

    Raises:
        BundleError: it can't be opened, has no weights or those of another network, or its network or chain is more
            than data.
    """
    bundle = open_any_bundle(folder)
    return _read_foreign(bundle) if isinstance(bundle, ForeignBundle) else _read_own(bundle)


def _read_own(bundle: Bundle) -> Source:
    plan, fold = bundle.plan, bundle.trained().fold
    number = 0 if fold == "all" else fold
    path, wanted = next(iter(find_weights(bundle.folder, bundle.metadata, number).items()))
    definition = make_network(plan)
    network = build_network(definition)
    digest = load_weights(path, network, wanted)
    known = split_cases(bundle.cohort(), number)[0] if bundle.has_cohort else []
    return Source(
        folder=bundle.folder,
        task=plan.task,
        given=Given(bundle.name, plan.grid, plan.network, plan.window),
        network=definition,
        outputs=plan.task.name_classes(),
        weights=network.state_dict(),
        sha256=digest,
        patients=frozenset(case.patient for case in known),
    )


def _read_foreign(bundle: ForeignBundle) -> Source:
    reading = read_foreign(bundle, refuse=False)
    recipe, window = reading.recipe, reading.recipe.window
    for key, text in reading.odd.items():
        # Labels are decided anew, so that nothing of postprocessing counts.
        if not key.startswith("postprocessing"):
            found = f"'{key}' is {text[:120]!r}, which is more than data, and so can't be trained further"
            raise BundleError(bundle.path, found, AS_DATA, code="bundle-untrusted")
    if window.dims == 2 and window.axis != 2:
        found = f"its slices lie across axis {window.axis} of a scan, and only those across the last can be trained"
        raise BundleError(bundle.path, found, "let 'preprocessing' turn scans, and 'inferer' take 'spatial_dim' 2")
    network = build_network(recipe.network)
    digest = load_weights(reading.weights, network, None, recipe.entry)
    steps = _list_steps(recipe.preprocessing, recipe.inputs)
    outputs = int(recipe.network.get("out_channels") or len(recipe.decision.values))
    plan = NetworkPlan(
        dims=window.dims,
        heads=_count_heads(recipe.network),
        given=GivenNetwork(definition=complete_network(recipe.network, outputs)),
    )
    grid = GridPlan(spacing_mm=_find_spacing(steps), normalization={}, steps=tuple(steps))
    return Source(
        folder=bundle.folder,
        task=recipe.task,
        given=Given(bundle.name, grid, plan, WindowPlan(patch=window.patch, overlap=window.overlap, mode=window.mode)),
        network=recipe.network,
        outputs=_name_outputs(bundle, outputs, exclusive=recipe.decision.kind == "largest"),
        weights=network.state_dict(),
        sha256=digest,
        patients=frozenset(),
    )


def _count_heads(network: Step) -> int:
    """Heads for deep supervision: a DynUNet gets those of medunet, others have their own or none."""
    strides = network.get("strides") if name_target(network) == "DynUNet" else None
    return max(0, min(3, len(strides) - 2)) if isinstance(strides, Sequence) else 0


def _list_steps(preprocessing: Sequence[Any], keys: Sequence[str]) -> list[Step]:
    """The steps after images were loaded and have their channels first."""
    first = [step for step in preprocessing[1:] if isinstance(step, dict)]
    return [
        dict(step)
        for step in first
        if not (name_target(step) == "EnsureChannelFirstd" and set(_list_keys(step)) <= set(keys))
    ]


def _list_keys(step: Step) -> list[str]:
    keys = step.get("keys", ())
    return [keys] if isinstance(keys, str) else list(keys)


def _find_spacing(steps: Sequence[Step]) -> tuple[float, float, float]:
    """Spacing of the grid along each axis, 0 where the chain keeps that of the scan."""
    found = [0.0, 0.0, 0.0]
    for step in steps:
        wanted = step.get("pixdim") if name_target(step) == "Spacingd" else None
        sizes = list(wanted) if isinstance(wanted, Sequence) else [] if wanted is None else [wanted] * 3
        for axis, size in enumerate(sizes[:3]):
            found[axis] = float(size) if isinstance(size, int | float) and size > 0 else found[axis]
    x, y, z = found
    return x, y, z


def _name_outputs(bundle: ForeignBundle, count: int, *, exclusive: bool) -> tuple[str, ...]:
    names = name_outputs(bundle.described)
    first = "background" if exclusive and count > 1 else names.get(0, "")
    return (first, *(names.get(number, "") for number in range(1, count)))


def match_outputs(source: Source, classes: Sequence[str]) -> list[int | None]:
    """For each output of a new network that of the source which means the same, by its name.

    Args:
        source: to go on from.
        classes: what the new outputs are called.

    Returns:
        Numbers of outputs; only None where no name but background is alike.
    """
    known = {_simplify(name): number for number, name in enumerate(source.outputs) if name}
    found = [known.get(_simplify(name)) for name in classes]
    alike = any(number is not None for number, name in zip(found, classes, strict=True) if name != "background")
    return found if alike else [None] * len(classes)


def _simplify(name: str) -> str:
    return "background" if BACKGROUND.fullmatch(name.strip()) else simplify_name(name)


def fit_source(source: Source, cohort: Cohort, dims: int | None = None) -> tuple[Source, Cohort]:
    """Fit a source to a cohort, before anything is measured: its channels get the cohort's names.

    Args:
        source: to go on from.
        cohort: that is trained on; its channels come back in the source's order where names are alike.
        dims: spatial axes that somebody asked for.

    Raises:
        InputError: the cohort has another number of channels, holds pictures for volumes or the other way round, the
            network has other axes, or a patient was in the source's training.
    """
    subject, task = f"--from {source.folder}", source.task
    pictures = _holds_pictures(cohort)
    if pictures != (task.unit == "px"):
        kind = {True: "pictures of two axes", False: "volumes"}
        found = f"its {source.dims}D network takes {kind[not pictures]}, and the cohort holds {kind[pictures]}"
        raise InputError(subject, found, "start from another bundle", code="dimensions-differ")
    if dims is not None and dims != source.dims:
        found = f"its network has {source.dims} axes"
        raise InputError(f"--dims {dims}", found, "leave the option away", code="dimensions-differ")
    if len(cohort.channels) != len(task.channels):
        found = f"it takes {len(task.channels)} channels ({', '.join(task.channels)})"
        remedy = f"choose them with --channels: the cohort has {', '.join(cohort.channels)}"
        raise InputError(subject, found, remedy, code="channel-missing")
    if seen := sorted(source.patients & {case.patient for case in cohort.cases}):
        found = f"patient {seen[0]} of the cohort was in its training, so that no score of such a patient would count"
        raise InputError(subject, found, "start from another bundle, or leave out its patients", code="patient-seen")
    cohort = _order_channels(cohort, task.channels)
    names = dict(zip(task.channels, cohort.channels, strict=True))
    for theirs, ours in names.items():
        wanted, found = task.modalities[theirs], cohort.modalities[ours]
        if wanted not in ("OT", found):
            said = f"its {theirs} is {wanted}, the cohort's {ours} is {found}, and its chain stays as it is"
            warn("modality-differs", subject, said)
    return replace(source, given=_rename(source, names)), cohort


def _holds_pictures(cohort: Cohort) -> bool:
    first = next((case.channels[cohort.channels[0]] for case in cohort.cases), None)
    return first is not None and first.path.lower().endswith(".png")


def _order_channels(cohort: Cohort, wanted: Sequence[str]) -> Cohort:
    known = {simplify_name(name): name for name in cohort.channels}
    names = [known.get(simplify_name(name)) for name in wanted]
    ordered = tuple(name for name in names if name is not None)
    return cohort.model_copy(update={"channels": ordered}) if len(ordered) == len(wanted) else cohort


def _rename(source: Source, names: Mapping[str, str]) -> Given:
    given, grid = source.given, source.given.grid
    before, after = name_keys(tuple(names)), name_keys(tuple(names.values()))
    keys = dict(zip(before, after, strict=True))
    steps = None if grid.steps is None else tuple(_rename_keys(step, keys) for step in grid.steps)
    scales = {names[name]: scale for name, scale in grid.normalization.items()}
    return replace(given, grid=grid.model_copy(update={"steps": steps, "normalization": scales}))


def _rename_keys(step: Step, keys: Mapping[str, str]) -> Step:
    def rename(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [rename(item) for item in value]
        return keys.get(value, value) if isinstance(value, str) else value

    return {name: rename(value) if name in KEYS else value for name, value in step.items()}
