"""Weights of a bundle: written once training ends, loaded strictly and only if their hash is right."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from medunet.errors import BundleError
from medunet.records import hash_file, read_json, whole_file, write_json

HASH_KEY = "weights_sha256"


def publish_weights(folder: Path, state: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Write `models/model.pt` (CPU tensors only) and note its SHA-256 and `facts` in metadata.json."""
    path = folder / "models" / "model.pt"
    with whole_file(path) as part:
        torch.save({key: value.detach().cpu().contiguous() for key, value in state.items()}, part)
    metadata_path = folder / "configs" / "metadata.json"
    write_json(metadata_path, {**read_json(metadata_path), HASH_KEY: hash_file(path), **facts})


def load_weights(folder: Path, network: nn.Module, metadata: dict[str, Any]) -> str:
    """Load `models/model.pt` into a network, every tensor.

    Returns:
        SHA-256 of the file.

    Raises:
        BundleError: there are no weights, the file isn't the one that metadata.json names, or they don't fit.
    """
    path = folder / "models" / "model.pt"
    if not path.is_file():
        raise BundleError(path, "the bundle has no weights", f"train it first with: medunet train {folder}")
    found = hash_file(path)
    wanted = metadata.get(HASH_KEY)
    if wanted is not None and found != wanted:
        raise BundleError(path, f"its SHA-256 {found[:12]}… is not {wanted[:12]}… of metadata.json", "restore the file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BundleError(path, "it holds no weights that can be read safely", "restore the file") from error
    missing, unexpected, wrong = _compare(network.state_dict(), state if isinstance(state, dict) else {})
    if missing or unexpected or wrong:
        first = (missing + unexpected + wrong)[0]
        raise BundleError(
            path,
            f"{len(missing)} tensors are missing, {len(unexpected)} unknown and {len(wrong)} of another shape, "
            f"first {first}",
            "train the bundle again, or restore the network_def that it was trained with",
        )
    network.load_state_dict(state, strict=True)
    return found


def _compare(wanted: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> tuple[list[str], list[str], list[str]]:
    missing = [key for key in wanted if key not in found]
    unexpected = [key for key in found if key not in wanted]
    wrong = [key for key in wanted if key in found and wanted[key].shape != found[key].shape]
    return missing, unexpected, wrong
