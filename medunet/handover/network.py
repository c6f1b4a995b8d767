"""The network of a bundle: loaded strictly, run at the smallest size that it takes and at the one that it is told."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medunet.bundle import Recipe, load_weights
from medunet.bundle.literals import find_entry
from medunet.errors import MedunetError, name_fault
from medunet.findings import Finding, describe_error, make_finding
from medunet.networks import build_network

SIZES = (1, 2, 4, 8, 16, 32, 64, 96, 128)
"""Edges of a patch that are tried, in voxels."""
PATTERN = re.compile(r"\s*(?:(\d+)\s*(?:\*\*\s*p)?\s*\*\s*)?(?:n|p|\*|(\d+))\s*")
DAMAGE = "restore the network_def and the weights that belong together"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Networks of a bundle with their weights.

    Attributes:
        networks: one a file; empty where one couldn't be built or loaded.
        findings: what is wrong with them.
    """

    networks: tuple[nn.Module, ...]
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> list[int]:
        """Parameters of each network, each counted once however often its weights are named."""
        return [sum(values.numel() for values in network.parameters()) for network in self.networks]


def load_networks(recipe: Recipe, files: dict[Path, str]) -> Loaded:
    """Build the networks of a recipe and load their weights, every tensor, by their hash.

    Args:
        recipe: of the bundle; one whose parts are data.
        files: of weights, with the SHA-256 that each must have.
    """
    networks: list[nn.Module] = []
    for path, wanted in files.items():
        try:
            network = build_network(recipe.network)
            load_weights(path, network, wanted, recipe.entry)
        except MedunetError as error:
            return Loaded((), (describe_error(error),))
        broken = [key for key, value in network.state_dict().items() if not torch.isfinite(value.float()).all()]
        if broken:
            found = f"{len(broken)} of its tensors hold what is no finite number, first {broken[0]}"
            return Loaded((), (make_finding("weights-wrong", path, found, "restore the file"),))
        networks.append(network.eval())
    return Loaded(tuple(networks), ())


def check_network(network: nn.Module, recipe: Recipe, metadata: Any, folder: Path) -> Iterator[Finding]:
    """Findings of a network that is run, on the CPU, with random numbers.

    Args:
        network: with its weights.
        recipe: that it belongs to.
        metadata: content of metadata.json.
        folder: the bundle, for messages.
    """
    inputs, dims = recipe.task.count_inputs(), recipe.window.dims
    outputs = len(recipe.decision.values) if recipe.decision.kind != "regions" else len(recipe.task.name_classes())
    path = folder / "configs" / "metadata.json"
    smallest, said = find_smallest(network, inputs, dims)
    if smallest is None:
        found = f"the network runs at no size up to {SIZES[-1]} voxels an axis ({said})"
        yield make_finding("bundle-forward", folder, found, DAMAGE)
        return
    logits = _run(network, inputs, [smallest] * dims)
    if logits.shape != (1, outputs, *[smallest] * dims) or not torch.isfinite(logits).all():
        found = f"of {smallest} voxels an axis it makes {tuple(logits.shape)}, or numbers that aren't finite"
        yield make_finding("bundle-forward", folder, found, f"{outputs} outputs of the same size are wanted")
    else:
        found = f"the network runs from {smallest} voxels an axis on, with {inputs} inputs and {outputs} outputs"
        yield make_finding("bundle-read", folder, found)
    told = find_entry(metadata, "network_data_format::outputs::pred::num_channels")
    if told is not None and told != logits.shape[1]:
        found = f"outputs::pred::num_channels is {told}, and the network has {logits.shape[1]} outputs"
        yield make_finding("bundle-forward", path, found, "correct it")
    yield from _check_told(network, metadata, path, dims)
    yield from _check_script(network, inputs, [smallest] * dims, folder)


def find_smallest(network: nn.Module, inputs: int, dims: int) -> tuple[int | None, str]:
    """The smallest edge in voxels at which a network runs, None where at none; and why it doesn't run below."""
    said = ""
    for size in SIZES:
        try:
            if _run(network, inputs, [size] * dims).shape[2:] == (size,) * dims:
                return size, said
        except Exception as error:
            # Networks refuse sizes in many ways.
            said = name_fault(error)
    return None, said


def _run(network: nn.Module, inputs: int, size: list[int]) -> torch.Tensor:
    values = torch.rand((1, inputs, *size), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits: torch.Tensor = network(values)
    return logits


def _check_told(network: nn.Module, metadata: Any, path: Path, dims: int) -> Iterator[Finding]:
    """The size that metadata.json tells, at which the zoo runs a network (`verify_net_in_out`)."""
    image = find_entry(metadata, "network_data_format::inputs::image")
    shape = image.get("spatial_shape") if isinstance(image, dict) else None
    channels = image.get("num_channels") if isinstance(image, dict) else None
    if not isinstance(shape, list) or not isinstance(channels, int):
        return
    sizes = [_read_size(item) for item in shape]
    if len(sizes) < dims or not all(sizes):
        found = f"inputs::image::spatial_shape is {shape}, of which no size can be made"
        yield make_finding("bundle-forward", path, found, "give numbers of voxels", "warning")
        return
    try:
        _run(network, channels, [size or 1 for size in sizes[:dims]])
    except Exception as error:
        found = f"at inputs::image, {channels} channels of {shape}, the network fails ({name_fault(error)})"
        yield make_finding("bundle-forward", path, found, "tell a size and channels that the network takes")


def _read_size(item: Any) -> int | None:
    """The size that MONAI makes of one axis, with 1 for each of its letters; None where it is of no known form."""
    if isinstance(item, int) and item > 0:
        return item
    match = PATTERN.fullmatch(item) if isinstance(item, str) else None
    if match is None:
        return None
    return int(match[1] or match[2] or 1)


def _check_script(network: nn.Module, inputs: int, size: list[int], folder: Path) -> Iterator[Finding]:
    """Whether the network becomes TorchScript, as the zoo's check wants (`ckpt_export`)."""
    values = torch.rand((1, inputs, *size), generator=torch.Generator().manual_seed(0))
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            script = torch.jit.script(network)
            same = torch.allclose(script(values), network(values), atol=1e-4)
    except Exception as error:
        found = f"it doesn't become TorchScript by torch.jit.script, as the zoo wants ({name_fault(error)[:120]})"
        yield make_finding("bundle-forward", folder, found, "say so in its card", "warning")
        return
    if not same:
        yield make_finding("bundle-forward", folder, "its TorchScript gives other logits", DAMAGE)
