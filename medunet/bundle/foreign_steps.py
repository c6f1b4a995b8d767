"""The chain and the postprocessing of a bundle from elsewhere, read step by step.

A chain is taken whose every step keeps the grid, or is a spatial transform that MONAI can undo. Of postprocessing the
order counts: labels that are decided before the way back are not those that are decided after it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

import monai.transforms
from monai.transforms import InvertibleTransform, Randomizable, RandomizableTrait

from medunet.bundle.literals import Mark
from medunet.bundle.parts import Decision, Step
from medunet.errors import BundleError
from medunet.preparation.chain import SPATIAL

CORRECT = "correct it, or predict with MONAI alone"
INTENSITY = "monai.transforms.intensity."
HARMLESS = frozenset({"CastToTyped", "ConcatItemsd", "CopyItemsd", "DataStatsd", "DeleteItemsd", "EnsureChannelFirstd"})
HARMLESS |= {"EnsureTyped", "Identityd", "SelectItemsd", "ToDeviced", "ToTensord"}
"""Transforms of MONAI that change neither the grid nor what comes of it."""
EARLIER = {"AddChanneld": "EnsureChannelFirstd", "AsChannelFirstd": "EnsureChannelFirstd"}
"""Transforms that earlier versions of MONAI had, and what stands for them."""
CLEANING = ("FillHolesd", "KeepLargestConnectedComponentd", "LabelFilterd", "MapLabelValued")
"""Transforms from a label map to a label map."""
IDLE = ("CastToTyped", "DeleteItemsd", "EnsureTyped", "Identityd", "SelectItemsd", "ToDeviced", "ToTensord")
"""Transforms that leave outputs and labels what they are."""
RESAMPLING = {
    **dict.fromkeys(("Affined", "ResampleToMatchd", "Rotated", "Spacingd", "SpatialResampled"), "bilinear"),
    **dict.fromkeys(("Resized", "Zoomd"), "area"),
}
"""Spatial transforms that interpolate, and how they do where nobody says."""
Restoring = Literal["linear", "nearest"]


class UntrustedStepError(Exception):
    """A step is none of those that are understood; MONAI itself can run it.

    Args:
        number: of the step.
        name: of what it names.
    """

    def __init__(self, number: int, name: str) -> None:
        self.number, self.name = number, name
        super().__init__(name)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that was read.

    Attributes:
        keys: of the images that it loads.
        first: whether it puts channels first, so that a file may hold several.
        oriented: whether it turns images, so that all scans lie alike.
        steps: after loading; of a step that isn't understood its number.
        notes: what was repaired, or is undone otherwise than by MONAI.
        nearest: whether MONAI brings results back by the nearest voxel, as it resampled the image.
    """

    keys: tuple[str, ...]
    first: bool
    oriented: bool
    steps: tuple[Step | int, ...]
    notes: tuple[str, ...]
    nearest: bool


def name_target(step: Any) -> str:
    """The class that a step names, without its modules; in the spelling that ends with d."""
    name = str(step.get("_target_", "")).rpartition(".")[2] if isinstance(step, dict) else str(step)
    for ending in ("Dict", "D"):
        if name.endswith(ending) and hasattr(monai.transforms, name.removesuffix(ending) + "d"):
            return name.removesuffix(ending) + "d"
    return name


def read_chain(steps: Any, path: object) -> Chain:
    """Read a preprocessing whose references were followed.

    Args:
        steps: its transforms.
        path: of the file, for messages.

    Raises:
        BundleError: it begins with something else than loading, or a step can't be undone or is unknown.
    """
    if not isinstance(steps, list) or not steps or name_target(steps[0]) != "LoadImaged":
        raise BundleError(path, "'preprocessing' doesn't begin with LoadImaged", CORRECT)
    keys = steps[0].get("keys")
    keys = tuple([keys] if isinstance(keys, str) else keys if isinstance(keys, list) else ())
    if not keys or not all(isinstance(key, str) for key in keys):
        raise BundleError(path, f"LoadImaged loads the keys {steps[0].get('keys')!r}", CORRECT)
    kept: list[Step | int] = []
    notes: list[str] = []
    for number, step in enumerate(steps[1:], start=1):
        name = EARLIER.get(name_target(step), name_target(step))
        if name != name_target(step):
            notes.append(f"{name} stands for {name_target(step)}, which MONAI {version('monai')} lacks")
        kept.append(number if holds(step, Mark.UNKNOWN) else _read_step(step, name, number, path))
    names = [name_target(step) for step in kept if isinstance(step, dict)]
    first = "EnsureChannelFirstd" in names or bool(steps[0].get("ensure_channel_first"))
    if steps[0].get("ensure_channel_first"):
        kept.insert(0, {"_target_": "EnsureChannelFirstd", "keys": list(keys)})
    modes = [_find_mode(step) for step in kept if isinstance(step, dict) and name_target(step) in RESAMPLING]
    if len(modes) > 1 or not set(modes) <= {"linear", "nearest"}:
        notes.append("MONAI undoes each resampling of the chain by its own mode; here all are undone linearly at once")
    nearest = modes == ["nearest"]
    return Chain(keys, first, "Orientationd" in names, tuple(kept), tuple(notes), nearest)


def _find_mode(step: Step) -> str:
    """How a resampling step interpolates: `linear`, `nearest`, or else by its own name."""
    name = name_target(step)
    mode = step.get("mode", RESAMPLING[name])
    mode = mode[0] if isinstance(mode, list) and mode else mode
    plain = {**dict.fromkeys(("bilinear", "trilinear", "linear", 1), "linear"), "nearest": "nearest", 0: "nearest"}
    edge = step.get("padding_mode", "border") in ("border", ["border"]) or name in ("Resized", "Zoomd")
    return plain.get(mode, str(mode)) if edge else f"{mode} in {step['padding_mode']}"


def holds(value: Any, mark: Mark) -> bool:
    """Whether a mark stands anywhere in a value."""
    if isinstance(value, dict):
        return any(holds(item, mark) for item in value.values())
    return any(holds(item, mark) for item in value) if isinstance(value, list) else value is mark


def _read_step(step: Step, name: str, number: int, path: object) -> Step | int:
    kind = getattr(monai.transforms, name, None)
    if not isinstance(kind, type):
        if "." in str(step.get("_target_", "")):
            return number
        found = f"MONAI {version('monai')} has no transform '{name}' ('preprocessing::transforms::{number}')"
        raise BundleError(path, found, "use the version of MONAI that the bundle names in metadata.json")
    if name == "Lambdad":
        return number
    spatial = kind.__module__.startswith(SPATIAL) and issubclass(kind, InvertibleTransform)
    undone = spatial or kind.__module__.startswith(INTENSITY) or name in HARMLESS
    if not undone or issubclass(kind, (Randomizable, RandomizableTrait)):
        found = f"{name} ('preprocessing::transforms::{number}') can't be undone, so that no mask fits the scan"
        raise BundleError(path, found, CORRECT)
    arguments = {key: value for key, value in step.items() if value is not Mark.DEVICE and key != "_target_"}
    if name == "EnsureChannelFirstd":
        # Our reader gives channels first and says so; what is said here is true of another reader's arrays.
        arguments.pop("channel_dim", None)
    return {"_target_": name, **arguments}


@dataclass(slots=True)
class _Postprocessing:
    """How far the steps have come.

    Attributes:
        decision: what was read so far.
        decided: outputs were made labels.
        restored: how results were brought back; None before that.
        notes: what is done otherwise than by MONAI.
        sure: what makes outputs probabilities, as far as it was said.
    """

    decision: Decision
    decided: bool = False
    restored: Restoring | None = None
    notes: tuple[str, ...] = ()
    sure: Literal["", "softmax", "sigmoid"] = ""


def read_postprocessing(steps: Any, outputs: int, path: object) -> tuple[Decision, Restoring, tuple[str, ...]]:
    """How outputs become labels, and how they are brought back.

    Args:
        steps: its transforms, whose references were followed.
        outputs: of the network.
        path: of the file, for messages.

    Returns:
        The decision, the way back, and what is done otherwise than by MONAI.

    Raises:
        UntrustedStepError: a step isn't understood.
        BundleError: no label map comes of it.
    """
    found = _Postprocessing(Decision("largest", tuple(range(outputs))))
    for number, step in enumerate(steps if isinstance(steps, list) else []):
        name = name_target(step)
        if name in ("SaveImaged", *IDLE):
            continue
        readers = {"Activationsd": _read_activation, "Invertd": _read_inversion, "AsDiscreted": _read_decision}
        readers |= dict.fromkeys(CLEANING, _read_cleaning)
        if holds(step, Mark.UNKNOWN) or name not in readers or not readers[name](found, step):
            raise UntrustedStepError(number, str(step.get("_target_")) if isinstance(step, dict) else str(step))
    if not found.decided:
        _decide_at_end(found, outputs, path)
    if found.decision.kind == "threshold" and outputs > 1:
        said = f"its {outputs} outputs are decided one by one and may overlap, which a label map can't hold"
        raise BundleError(path, said, "add a step to 'postprocessing' that joins them")
    if found.restored is None:
        found.restored = "nearest"
    # Classes of which the largest is taken exclude each other, as a softmax has it; a threshold alone says nothing.
    unsure = found.sure == "sigmoid" if found.decision.kind == "largest" else found.sure != "sigmoid"
    return replace(found.decision, unsure=unsure), found.restored, found.notes


def _decide_at_end(found: _Postprocessing, outputs: int, path: object) -> None:
    if outputs == 1:
        if found.decision.activation != "sigmoid" and found.decision.threshold != math.inf:
            raise BundleError(path, "'postprocessing' makes no labels of the only output", "add AsDiscreted to it")
        found.decision = replace(found.decision, kind="threshold", threshold=_move(found, 0.5), values=(1,))
    found.notes += ("MONAI's own result is outputs; here they are decided: the largest, or one half of a single one",)


def _read_activation(found: _Postprocessing, step: Step) -> bool:
    softmax, sigmoid = bool(step.get("softmax")), bool(step.get("sigmoid"))
    if found.decided or softmax == sigmoid or step.get("other") is not None:
        return False
    found.sure = "softmax" if softmax else "sigmoid"
    if found.restored is None:
        found.decision = replace(found.decision, activation=found.sure)
    elif sigmoid:
        # Brought back are logits, and so compared: the threshold becomes a logit where one is found.
        found.decision = replace(found.decision, threshold=math.inf)
    return True


def _read_inversion(found: _Postprocessing, step: Step) -> bool:
    if found.restored is not None:
        return False
    nearest = step.get("nearest_interp", True)
    found.restored = "nearest" if nearest or found.decided else "linear"
    if found.decided and not nearest:
        said = "MONAI interpolates the label map on its way back, of which no label map comes; here labels stay whole"
        found.notes += (said,)
    return True


def _read_decision(found: _Postprocessing, step: Step) -> bool:
    threshold, rounding = step.get("threshold"), step.get("rounding")
    if found.decided or rounding is not None:
        return False
    if step.get("argmax"):
        if step.get("to_onehot"):
            found.notes += ("MONAI writes a channel for each label; here they are one label map",)
    elif isinstance(threshold, int | float) and not isinstance(threshold, bool):
        found.decision = replace(found.decision, kind="threshold", threshold=_move(found, threshold), values=(1,))
    else:
        return False
    found.decided = True
    return True


def _move(found: _Postprocessing, threshold: float) -> float:
    """The threshold for what is brought back: of a probability its logit, where the sigmoid comes after the way."""
    if found.decision.threshold != math.inf:
        return float(threshold)
    inside = min(max(threshold, 1e-12), 1 - 1e-12)
    return math.log(inside / (1 - inside))


def _read_cleaning(found: _Postprocessing, step: Step) -> bool:
    if not found.decided or step.get("is_onehot"):
        return False
    arguments = {key: value for key, value in step.items() if key not in ("_target_", "keys") and value is not None}
    place: Literal["before", "after"] = "before" if found.restored is None else "after"
    if found.decision.steps and found.decision.cleaned != place:
        return False
    arguments.pop("is_onehot", None)
    cleaned = (*found.decision.steps, {"_target_": name_target(step), "keys": ["pred"], **arguments})
    found.decision = replace(found.decision, steps=cleaned, cleaned=place)
    return True


def join_files(channels: Sequence[str], chain: Chain) -> list[Step]:
    """The steps that load one file for each channel into the only key of a chain.

    MONAI stacks files that it gets as a list; here each is a channel of its own, brought to the grid of the first.
    """
    names = list(channels)
    others: list[Step] = [
        {"_target_": "ResampleToMatchd", "keys": [name], "key_dst": names[0], "mode": "bilinear"} for name in names[1:]
    ]
    return [
        {"_target_": "LoadImaged", "keys": names},
        {"_target_": "EnsureChannelFirstd", "keys": names},
        *others,
        {"_target_": "ConcatItemsd", "keys": names, "name": chain.keys[0]},
    ]
