"""How a network is computed: by which backend, how precisely, on how much of a scan."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from medunet.bundle import Recipe
from medunet.errors import ExtraError, InputError
from medunet.findings import remark
from medunet.inference.backends import (
    Backend,
    ConversionError,
    MeanBackend,
    MirroredBackend,
    OpenVinoBackend,
    TorchBackend,
    has_openvino,
)
from medunet.networks import MeanNetwork, choose_device, choose_precision
from medunet.records import Record

Preset = Literal["exact", "fast"]
BackendName = Literal["torch", "openvino"]
FAST_OVERLAP = 0.2
"""Of neighbouring patches in the preset `fast`: with 0.5 a voxel of a volume is computed 8 times, with 0.2 twice."""


@dataclass(frozen=True, slots=True)
class Computing:
    """What a user wants.

    Attributes:
        preset: "exact" computes in float32, so that labels are the same on every machine but for rounding. "fast"
            computes in bfloat16 where the device has it, with patches that overlap less, and of a CT only the box
            around the body.
        backend: that is taken whatever else there is; None takes OpenVINO on a CPU, where it is installed, else torch.
        mirror: the logits are the mean over all flips that training made of patches.
    """

    preset: Preset = "exact"
    backend: BackendName | None = None
    mirror: bool = False


EXACT = Computing()
PLAIN = Computing(backend="torch")
"""What scores are made with: torch in float32, which is there wherever medunet is."""


class Computed(Record):
    """How a mask was computed."""

    preset: str
    """`exact` or `fast`."""
    backend: str
    """What ran the network: `torch` or `openvino`."""
    device: str
    """Where: `cpu`, or a GPU as torch names it."""
    precision: str
    """What it was computed in, like `float32`."""
    batch: int
    """Patches at once."""
    mirror: bool = False
    """The mean over mirrored patches was taken."""

    def describe(self) -> str:
        """All of it in words."""
        mirrored = ", mirrored" if self.mirror else ""
        where = "" if self.device == "cpu" else f" on {self.device}"
        how = f"{self.batch} patches at once, preset {self.preset}{mirrored}"
        return f"by {self.backend}{where} in {self.precision}, {how}"


def describe_computed(backend: Backend, computing: Computing) -> Computed:
    """How a backend computes; it needn't be open."""
    traits = backend.traits
    return Computed(
        preset=computing.preset,
        backend=traits.name,
        device=traits.device,
        precision=traits.precision,
        batch=traits.preferred_batch,
        mirror=computing.mirror,
    )


def hasten_recipe(recipe: Recipe, computing: Computing) -> Recipe:
    """A recipe as a preset has it: `fast` covers a scan by fewer patches and, of a CT, its body alone."""
    if computing.preset == "exact":
        return recipe
    task, window = recipe.task, recipe.window
    window = replace(window, overlap=min(window.overlap, FAST_OVERLAP))
    # A trusted bundle's own steps need the whole scan.
    whole = recipe.evaluated is not None and recipe.evaluated.postprocessing is not None
    return replace(recipe, window=window, body=task.modalities[task.channels[0]] == "CT" and not whole)


def list_backends(computing: Computing, *, several: bool = False) -> list[Backend]:
    """Backends that may be taken, not open yet, the first first; of `several` networks one computes at a time."""
    device = choose_device()
    fast = computing.preset == "fast"
    half = fast and choose_precision(torch.device("cpu")) == torch.bfloat16
    best = OpenVinoBackend("bfloat16" if half else "float32", keep=not several)
    if computing.backend == "openvino":
        return [best]
    plain = TorchBackend(device, choose_precision(device) if fast else torch.float32)
    if computing.backend == "torch" or device.type != "cpu" or not has_openvino():
        return [plain]
    return [best, plain]


def is_known(recipe: Recipe) -> bool:
    """Whether the network is one that every backend takes, so that the backend is known before it is loaded."""
    return recipe.origin == "medunet" and recipe.network.get("_target_") == "DynUNet"


def check_computing(recipe: Recipe, computing: Computing) -> None:
    """Refuse what doesn't go with a recipe.

    Raises:
        InputError: nothing says how patches were mirrored in training.
    """
    if computing.mirror and recipe.origin == "elsewhere":
        found = "a bundle that medunet didn't write doesn't say how its patches were mirrored in training"
        raise InputError("--mirror", found, "leave it out", code="option-wrong")


def open_backend(network: nn.Module, recipe: Recipe, computing: Computing) -> Backend:
    """Open the best backend that takes a network; a note tells where it isn't the first.

    Args:
        network: with its weights.
        recipe: that it belongs to.
        computing: what is wanted.

    Raises:
        InputError: the backend that is wanted can't run the network.
        ExtraError: the backend that is wanted isn't installed.
    """
    window = recipe.window
    patch = (recipe.task.count_inputs(), *window.patch)
    first, *others = list_backends(computing, several=isinstance(network, MeanNetwork))
    try:
        return _join(first, recipe, computing).open(network, patch, window.dims)
    except (ConversionError, ExtraError) as error:
        if not others or is_known(recipe):
            raise _refuse(first, error) from error
        remark("backend-unfit", recipe.name, f"{error}, so that torch computes")
        return _join(others[0], recipe, computing).open(network, patch, window.dims)


def _join(backend: Backend, recipe: Recipe, computing: Computing) -> Backend:
    """A backend of the same kind for each fold, mirrored where that is wanted; none is open yet."""
    axes = range(recipe.window.dims) if recipe.mirrored is None else recipe.mirrored

    def make() -> Backend:
        new = copy(backend)
        return MirroredBackend(new, axes) if computing.mirror else new

    return MeanBackend(make, len(recipe.decision.values))


def _refuse(backend: Backend, error: Exception) -> Exception:
    if isinstance(error, ExtraError):
        return error
    return InputError(f"--backend {backend.traits.name}", str(error), "take --backend torch", code="backend-unfit")
