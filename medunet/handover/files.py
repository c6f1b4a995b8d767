"""What the files of a bundle must hold by MONAI's schema and the checks of its zoo; nothing is evaluated."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medunet.bundle import find_config
from medunet.bundle.literals import find_entry, read_config
from medunet.errors import MedunetError
from medunet.findings import Finding, describe_error, make_finding

META_KEYS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("schema", "version", "monai_version", "pytorch_version", "numpy_version"), (str,)),
    "required_packages_version": (dict,),
    **dict.fromkeys(("task", "description", "authors", "copyright"), (str,)),
    "network_data_format": (dict,),
}
"""Keys that MONAI's schema of 2024-07-25 requires, and what they hold."""
TENSOR_KEYS: dict[str, tuple[type, ...]] = {
    **{"type": (str,), "format": (str,), "num_channels": (int,), "spatial_shape": (list,), "dtype": (str,)},
    "value_range": (list,),
}
"""The same of each tensor that goes in or comes out."""
CONFIG_KEYS = ("bundle_root", "device", "dataset_dir", "dataset", "evaluator", "network_def", "inferer")
"""Keys of an inference configuration that MONAI's properties require."""
LARGEST = 25_000_000
"""Bytes of a file that the zoo takes without large_files."""
RESTORE = "restore it from a copy, or add it"
SAID = "the zoo's check of bundles refuses that"


def check_files(folder: Path) -> Iterator[Finding]:
    """Findings of a bundle's folder, its metadata.json and the keys of its inference configuration.

    Args:
        folder: its root.
    """
    weights = list((folder / "models").glob("model*.pt"))
    if not (folder / "LICENSE").is_file() or not (folder / "LICENSE").read_bytes().strip():
        yield make_finding("bundle-incomplete", folder / "LICENSE", f"there is no licence; {SAID}", RESTORE)
    if weights and not (folder / "models" / "model.pt").is_file():
        found = f"the zoo wants a models/model.pt, and this ensemble has {len(weights)} files of weights"
        yield make_finding("bundle-incomplete", folder / "models", found, severity="note")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size > LARGEST and "work" not in path.relative_to(folder).parts:
            found = f"it holds {path.stat().st_size / 1e6:.0f} MB, and the zoo takes 25"
            yield make_finding("bundle-incomplete", path, found, "name it in large_files.yml there", "warning")
    yield from _check_metadata(folder / "configs" / "metadata.json")
    path = find_config(folder) or folder / "configs" / "inference.json"
    yield from _check_keys(path)


def _check_keys(path: Path) -> Iterator[Finding]:
    try:
        config = read_config(path)
    except MedunetError as error:
        yield describe_error(error)
        return
    for key in CONFIG_KEYS:
        if not (isinstance(config, Mapping) and key in config):
            yield make_finding("bundle-incomplete", path, f"the key '{key}' of MONAI's properties is missing", RESTORE)


def _check_metadata(path: Path) -> Iterator[Finding]:
    try:
        metadata = read_config(path)
    except MedunetError as error:
        yield describe_error(error)
        return
    if not isinstance(metadata, dict):
        yield make_finding("bundle-schema", path, "it holds no keys", RESTORE)
        return
    yield from _check_kinds(metadata, META_KEYS, path, "")
    version, changelog = metadata.get("version"), metadata.get("changelog")
    if not isinstance(changelog, Mapping):
        yield make_finding("bundle-schema", path, f"the key 'changelog' is missing; {SAID}", "say what each version is")
    elif version not in changelog:
        found = f"its version {version!r} isn't in its changelog; {SAID}"
        yield make_finding("bundle-schema", path, found, "say there what this version brought")
    for group in ("inputs", "outputs"):
        tensors = find_entry(metadata, f"network_data_format::{group}")
        if not isinstance(tensors, Mapping) or not tensors:
            yield make_finding("bundle-schema", path, f"'network_data_format::{group}' is missing", RESTORE)
            continue
        for name, tensor in tensors.items():
            yield from _check_tensor(tensor, path, f"network_data_format::{group}::{name}")


def _check_tensor(tensor: Any, path: Path, key: str) -> Iterator[Finding]:
    if not isinstance(tensor, Mapping):
        yield make_finding("bundle-schema", path, f"'{key}' is {tensor!r}, and no description of a tensor", RESTORE)
        return
    yield from _check_kinds(tensor, TENSOR_KEYS, path, f"{key}::")
    count, names = tensor.get("num_channels"), tensor.get("channel_def")
    if isinstance(names, Mapping) and isinstance(count, int) and len(names) != count:
        found = f"'{key}' has {count} channels and names {len(names)}, which MONAI's schema takes"
        yield make_finding("bundle-schema", path, found, "name each of them")


def _check_kinds(
    values: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]], path: Path, above: str
) -> Iterator[Finding]:
    for key, wanted in kinds.items():
        name = f"{above}{key}"
        if key not in values:
            yield make_finding("bundle-schema", path, f"the key '{name}' of MONAI's schema is missing", RESTORE)
        elif not isinstance(values[key], wanted):
            found = f"'{name}' is {values[key]!r:.80}, and MONAI's schema wants a {wanted[0].__name__}"
            yield make_finding("bundle-schema", path, found, "correct it")
