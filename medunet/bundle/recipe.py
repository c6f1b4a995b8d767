"""The recipe of a bundle: all that turns a scan into a mask, as typed data, read from its inference.json.

Nothing of that file is evaluated: window and decision are recognised, and an expression is accepted only where it is
the one that medunet writes. Of a bundle that its user trusts MONAI's parser evaluates network and chain.
"""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from medunet.bundle import earlier
from medunet.bundle.configs import make_inference_config, make_plan_cleaning
from medunet.bundle.ensemble import Files, average_logits
from medunet.bundle.expressions import find_expressions, refuse_nan, refuse_nan_logits
from medunet.bundle.folder import Bundle
from medunet.bundle.foreign_steps import read_chain
from medunet.bundle.metadata import FOUND_LITTLE, Metadata
from medunet.bundle.parts import Decision, Recipe, Step, Window
from medunet.bundle.seen import read_seen
from medunet.bundle.temperature import divide_logits, find_temperature
from medunet.bundle.trust import TRUST, evaluate_parts
from medunet.errors import BundleError
from medunet.files import hash_file
from medunet.labels import LabelTable
from medunet.networks import make_network
from medunet.planning import Plan, list_mirrored
from medunet.postprocessing import NOTHING, Cleaning
from medunet.preparation import (
    find_transform,
    make_cleaning,
    make_preprocessing,
    make_region_choice,
    make_restoring,
    take_cleaning,
)
from medunet.task import Task

LOGGER = logging.getLogger(__name__)
RESTORE = "restore it from a copy, or predict with MONAI alone"
AS_WRITTEN = ("imports", "network", "network_defs", "networks", "dataset", "handlers", "evaluator")
"""Keys of inference.json that must be as medunet writes them: with others, MONAI alone would predict otherwise."""
MOST_OUTPUTS = 255
"""Outputs that a network may have: as many label values fit 8 bits."""
FREE_OF_SAVING = {"output_dir", "output_postfix", "output_ext", "separate_folder"}
"""What may be edited of `SaveImaged`: where the mask lies, not what it holds."""


def make_recipe(bundle: Bundle) -> Recipe:
    """The recipe of a bundle of medunet: by its inference.json, whatever plan.json says of the same.

    A warning names each key of plan.json that says otherwise.

    Raises:
        BundleError: inference.json holds something that medunet neither writes nor understands; the key is named.
    """
    plan, task = bundle.plan, bundle.plan.task
    files = tuple(bundle.metadata.fold_weights) if "networks" in bundle.inference else ()
    written = _through_json(make_inference_config(plan, files))
    path = bundle.folder / "configs" / "inference.json"
    evaluated = evaluate_parts(bundle) if bundle.trust else None
    reader = _Reader(path, evaluated or bundle.inference, written, files, _through_json(make_restoring(plan)))
    reader.check_written(task, trust=bundle.trust)
    window, decision = reader.read_window(task), reader.read_decision(task)
    steps = tuple(evaluated["preprocessing"]["transforms"] if evaluated else bundle.preprocessing)
    restoring, notes = ("linear", ()) if plan.grid.steps is None else _read_given(plan, steps, path)
    recipe = Recipe(
        name=bundle.name,
        version=bundle.metadata.version or "0",
        task=task.model_copy(update={"labels": reader.settle_labels(task, decision)}),
        inputs=reader.read_inputs(task),
        preprocessing=steps,
        network=reader.network,
        window=window,
        restoring=restoring,
        decision=decision,
        cleaning=reader.read_cleaning(task)[1],
        extent_mm=plan.grid.extent_mm,
        values=plan.grid.values or (bundle.metadata.trust.values if bundle.metadata.trust else {}),
        seen=read_seen(bundle.folder, task, bundle.metadata.trust),
        mirrored=list_mirrored(plan),
        peak_gib=plan.foreseen.peak_gib.get("predict"),
        trusted=hash_file(path) if evaluated else "",
        doubts=_find_doubts(bundle.metadata),
        origin="medunet" if plan.grid.steps is None else "elsewhere",
        notes=notes,
    )
    for key, said in _find_differences(recipe, plan):
        LOGGER.warning("%s: %s of plan.json differs from inference.json, which counts (%s)", bundle.folder, key, said)
    return recipe


def _find_doubts(metadata: Metadata) -> tuple[str, ...]:
    found = metadata.training.validation_dice if metadata.training else None
    scores = [score for score in (found if isinstance(found, tuple) else [found]) if score is not None]
    if not scores or (mean := sum(scores) / len(scores)) >= FOUND_LITTLE:
        return ()
    return (f"held-out cases of training had Dice {mean:.3f}, so masks mean little; train the bundle for longer",)


def _read_given(plan: Plan, steps: Sequence[Any], path: Path) -> tuple[Literal["linear", "nearest"], tuple[str, ...]]:
    """How results come back through a chain that another bundle gave, and what is undone otherwise than by MONAI."""
    moved = make_restoring(plan)[0]["orig_keys"]
    on_it = (step for step in steps[1:] if isinstance(step, dict) and moved in step.get("keys", ()))
    chain = read_chain([{"_target_": "LoadImaged", "keys": [moved]}, *on_it], path)
    return "nearest" if chain.nearest else "linear", chain.notes


def choose_decision(task: Task) -> Decision:
    """The decision that medunet writes for a task."""
    regions = task.labels.regions
    if regions:
        return Decision("regions", tuple(region.value for region in regions))
    return Decision("largest", tuple(range(len(task.name_classes()))))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads and checks an inference.json; what is refused is named by file and key.

    Attributes:
        path: of the file, for messages.
        config: what it holds, as plain data.
        written: what medunet writes for the plan of the bundle.
        files: of the weights of an ensemble.
        restoring: steps that bring logits back.
    """

    path: Path
    config: dict[str, Any]
    written: dict[str, Any]
    files: Files
    restoring: list[Step]

    @property
    def network(self) -> Step:
        """The `_target_` dictionary of the network."""
        network: Step = self._take("network_def", dict)
        return network

    def refuse(self, key: str, found: str) -> BundleError:
        """The error that names a key."""
        return BundleError(self.path, f"the key '{key}' {found}", RESTORE)

    def _take(self, key: str, kind: Any) -> Any:
        """A value by its path, with dots between keys and numbers of list items."""
        value: Any = self.config
        for part in key.split("."):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (LookupError, TypeError, ValueError):
                raise self.refuse(key, "is missing") from None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.refuse(key, f"is {value!r}, which medunet doesn't understand")
        return value

    def check_written(self, task: Task, *, trust: bool) -> None:
        """Refuse other wiring than medunet writes, and unless it is trusted what would run a stranger's code."""
        if not trust:
            self._check_data(task)
        for key in AS_WRITTEN:
            free = key == "imports" and (trust or self.config.get(key) == earlier.IMPORTS)
            if self.config.get(key) != self.written.get(key) and not free:
                raise self.refuse(key, "isn't what medunet writes")

    def _check_data(self, task: Task) -> None:
        written = {text for _, text in find_expressions(self.written)}
        for key, text in find_expressions(self.config):
            # The steps of postprocessing are compared one by one.
            known = text in written or key.startswith("postprocessing.")
            if not known and text not in earlier.list_expressions(task):
                raise self._distrust(key, f"holds the expression {text!r}, which medunet doesn't write")
        guards = refuse_nan(task)
        for number, step in enumerate(self._take("preprocessing.transforms", list)):
            if step not in guards and find_transform(step) is None:
                name = step.get("_target_") if isinstance(step, dict) else step
                raise self._distrust(
                    f"preprocessing.transforms.{number}", f"is {name!r}, no plain transform of MONAI's"
                )

    def _distrust(self, key: str, found: str) -> BundleError:
        return BundleError(self.path, f"the key '{key}' {found}", TRUST, code="bundle-untrusted")

    def read_inputs(self, task: Task) -> tuple[str, ...]:
        """Keys of the images that the chain loads."""
        load = self._take("preprocessing.transforms.0", dict)
        if load.get("_target_") != "LoadImaged":
            raise self.refuse("preprocessing", "is a chain whose first transform is not LoadImaged")
        keys = load.get("keys")
        if keys != list(task.image_keys()):
            found = f"is {keys!r}, but the channels of plan.json are {', '.join(task.image_keys())}"
            raise self.refuse("preprocessing.transforms.0.keys", found)
        if self.network.get("in_channels") != task.count_inputs():
            found = f"is {self.network.get('in_channels')!r}, but the channels of plan.json have {task.count_inputs()}"
            raise self.refuse("network_def.in_channels", found)
        return tuple(keys)

    def read_window(self, task: Task) -> Window:
        """Patch, overlap and weights of the sliding window."""
        inferer, dims = self._take("inferer", dict), self.network.get("spatial_dims")
        if dims not in (2, 3):
            raise self.refuse("network_def.spatial_dims", f"is {dims!r}, neither 2 nor 3")
        slices = dims == 2 and task.unit == "mm"
        wanted = {"_target_": "SliceInferer", "spatial_dim": 2} if slices else {"_target_": "SlidingWindowInferer"}
        for key in ("_target_", "spatial_dim"):
            if inferer.get(key) != wanted.get(key):
                raise self.refuse(f"inferer.{key}", f"is {inferer.get(key)!r}, which doesn't fit the network")
        if more := set(inferer) - {"_target_", "spatial_dim", "roi_size", "sw_batch_size", "overlap", "mode"}:
            raise self.refuse(f"inferer.{sorted(more)[0]}", "is unknown to medunet")
        overlap, mode = self._take("inferer.overlap", float | int), self._take("inferer.mode", str)
        if not 0 <= overlap < 1:
            raise self.refuse("inferer.overlap", f"is {overlap:g}, not from 0 to below 1")
        if mode not in ("gaussian", "constant"):
            raise self.refuse("inferer.mode", f"is {mode!r}, neither gaussian nor constant")
        return Window(self._read_patch(dims), float(overlap), mode, dims)

    def _read_patch(self, dims: int) -> tuple[int, int, int]:
        sizes = self._take("inferer.roi_size", list)
        if not _are_counts(sizes, dims):
            raise self.refuse("inferer.roi_size", f"is {sizes!r}, not {dims} numbers of voxels")
        strides = self._take("network_def.strides", list) if self.network.get("_target_") == "DynUNet" else []
        if not all(_are_counts(stride, dims) for stride in strides):
            raise self.refuse("network_def.strides", f"is {strides!r}, not {dims} strides a level")
        steps = [math.prod(stride[axis] for stride in strides) for axis in range(dims)]
        if any(size % step for size, step in zip(sizes, steps, strict=True)):
            raise self.refuse("inferer.roi_size", f"is {sizes!r}, no multiple of the network's {steps!r}")
        i, j, k = (*sizes, 1) if dims == 2 else sizes
        return i, j, k

    def read_decision(self, task: Task) -> Decision:
        """How logits become label values, after what comes before that was found as medunet writes it."""
        steps: list[Step] = self._take("postprocessing.transforms", list)
        first = self._list_first(steps)
        for number, step in enumerate(first):
            if number >= len(steps) or steps[number] != _through_json(step):
                raise self._refuse_step(number)
        self._check_saving(len(steps) - 1)
        outputs = self._take("network_def.out_channels", int)
        if not 0 < outputs <= MOST_OUTPUTS:
            raise self.refuse("network_def.out_channels", f"is {outputs}, not from 1 to {MOST_OUTPUTS}")
        decision = self._recognise(self.read_cleaning(task)[0], len(first), outputs)
        return replace(decision, temperature=find_temperature(first))

    def read_cleaning(self, task: Task) -> tuple[list[Step], Cleaning]:
        """The steps of the decision, and what is left out of the label map after it."""
        steps = self._take("postprocessing.transforms", list)
        left = steps[len(self._list_first(steps)) : -1]
        return (left, NOTHING) if len(left) < 2 else take_cleaning(left, task)

    def _list_first(self, steps: Sequence[Step]) -> list[Step]:
        """What medunet writes before the decision."""
        guards = refuse_nan_logits()
        # Bundles of earlier versions have none; medunet's own path refuses such logits anyway.
        first = [*average_logits(self.files), *(guards if guards[0] in steps else [])]
        return [*first, *divide_logits(find_temperature(steps[len(first) : len(first) + 1])), *self.restoring]

    def _recognise(self, steps: Sequence[Step], number: int, outputs: int) -> Decision:
        kind: Literal["largest", "regions"] = "largest"
        values = tuple(range(outputs))
        if steps and steps[0] == make_region_choice(outputs):
            kind, values = "regions", tuple(range(1, outputs + 1))
        elif not steps or steps[0] != {"_target_": "AsDiscreted", "keys": ["pred"], "argmax": True}:
            raise self._refuse_step(number)
        if len(steps) > 1:
            renamed = self._read_renaming(number + 1)
            if kind == "regions" and 0 in renamed:
                raise self._refuse_step(number + 1)
            values = tuple(renamed.get(value, value) for value in values)
        if len(steps) > 2:
            raise self._refuse_step(number + 2)
        return Decision(kind, values)

    def _read_renaming(self, number: int) -> dict[int, int]:
        key = f"postprocessing.transforms.{number}"
        step = self._take(key, dict)
        rest = {name: value for name, value in step.items() if name not in ("orig_labels", "target_labels")}
        if rest != {"_target_": "MapLabelValued", "keys": ["pred"]}:
            raise self._refuse_step(number)
        before, after = self._take(f"{key}.orig_labels", list), self._take(f"{key}.target_labels", list)
        if len(before) != len(after) or not all(type(value) is int for value in [*before, *after]):
            raise self._refuse_step(number)
        return dict(zip(before, after, strict=True))

    def _check_saving(self, number: int) -> None:
        steps = self.config["postprocessing"]["transforms"]
        wanted = self.written["postprocessing"]["transforms"][-1]
        step = steps[number] if steps and isinstance(steps[number], dict) else {}
        kept = {key: value for key, value in step.items() if key not in FREE_OF_SAVING}
        if kept != {key: value for key, value in wanted.items() if key not in FREE_OF_SAVING}:
            raise self._refuse_step(max(number, 0))

    def _refuse_step(self, number: int) -> BundleError:
        return self.refuse(f"postprocessing.transforms.{number}", "isn't what medunet writes there")

    def settle_labels(self, task: Task, decision: Decision) -> LabelTable:
        """The labels of the task, with regions as the decision has them.

        Raises:
            BundleError: its outputs or their values have no names.
        """
        table, outputs = task.labels, len(decision.values)
        known = {0, *(label.value for label in table.labels)}
        if decision.kind == "largest":
            own = table.model_copy(update={"regions": ()})
            wanted = len(task.model_copy(update={"labels": own}).name_classes())
            plain = decision.values == tuple(range(wanted)) if task.objects else set(decision.values) <= known
        else:
            wanted = len(table.structures)
            own, plain = self._paint(table, decision), set(decision.values) <= known and not task.objects
        if outputs != wanted:
            raise self.refuse("network_def.out_channels", f"is {outputs}, but plan.json names {wanted} outputs")
        if not plain:
            found = f"gives the values {list(decision.values)}, for which plan.json has no labels"
            raise self.refuse("postprocessing", found)
        return own

    def _paint(self, table: LabelTable, decision: Decision) -> LabelTable:
        """The table whose regions are written as the decision says."""
        if len(table.regions) != len(decision.values):
            return table
        pairs = zip(table.regions, decision.values, strict=True)
        regions = [{**region.model_dump(), "value": value} for region, value in pairs]
        try:
            return LabelTable.model_validate({**table.model_dump(), "regions": regions})
        except ValidationError:
            found = f"writes the regions of plan.json as {list(decision.values)}, not as labels of theirs"
            raise self.refuse("postprocessing", found) from None


def _find_differences(recipe: Recipe, plan: Plan) -> Iterator[tuple[str, str]]:
    """Keys of a plan that say otherwise than a recipe, and what the recipe says."""
    window = recipe.window
    if window.patch != plan.window.patch:
        yield "window.patch", f"inferer.roi_size: {' × '.join(map(str, window.patch[: window.dims]))}"
    for key in ("overlap", "mode"):
        if getattr(window, key) != getattr(plan.window, key):
            yield f"window.{key}", f"inferer.{key}: {getattr(window, key)}"
    if recipe.network != _through_json(make_network(plan)):
        yield "network", "network_def"
    made = _through_json(make_preprocessing(plan))
    for number, step in enumerate(recipe.preprocessing):
        if number >= len(made) or step != made[number]:
            name = step.get("_target_") if isinstance(step, dict) else type(step).__name__
            yield "grid", f"preprocessing.transforms.{number}: {name}"
            break
    else:
        if len(made) > len(recipe.preprocessing):
            yield "grid", f"preprocessing: {made[len(recipe.preprocessing)]['_target_']} is left out"
    if replace(recipe.decision, temperature=1.0) != choose_decision(plan.task):
        yield "task.labels", f"postprocessing: {recipe.decision.kind}, values {list(recipe.decision.values)}"
    left_out = [] if recipe.cleaning == NOTHING else make_cleaning(plan.task, recipe.cleaning)
    if make_plan_cleaning(plan) != left_out:
        yield "decision", f"postprocessing: {recipe.cleaning}"


def _are_counts(values: Any, count: int) -> bool:
    """Whether it is a list of so many whole numbers above 0."""
    return isinstance(values, list) and len(values) == count and all(type(n) is int and n > 0 for n in values)


def _through_json(value: Any) -> Any:
    """A value as it comes back from a JSON file, which knows no tuples."""
    return json.loads(json.dumps(value))
