"""Weights of a bundle, of one fold or several: written once training ends, loaded strictly and only by their hash."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medunet.bundle.configs import OF_NETWORKS
from medunet.bundle.metadata import Metadata
from medunet.bundle.temperature import settle_temperature
from medunet.errors import BundleError, InputError
from medunet.files import hash_file, whole_file
from medunet.planning import read_plan
from medunet.records import check_record, read_json, write_json

FOLD_NAME = re.compile(r"model_fold(\d+)\.pt")


def name_fold(fold: int) -> str:
    """Name of a fold's weights in the `models` of an ensemble."""
    return f"model_fold{fold}.pt"


def write_weights(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write weights as CPU tensors, whole or not at all; an older file is replaced.

    Equal tensors are stored once, as those that a DynUNet of MONAI's names twice; the file still holds every key.
    """
    with whole_file(path) as part:
        save_tensors(part, _share_equal(state))


def _share_equal(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    kept: dict[tuple[torch.dtype, torch.Size, bytes], torch.Tensor] = {}
    shared = {}
    for key, value in state.items():
        tensor = value.detach().cpu().contiguous()
        content = hashlib.sha256(tensor.reshape(-1).view(torch.uint8).numpy().data).digest()
        shared[key] = kept.setdefault((tensor.dtype, tensor.shape, content), tensor)
    return shared


def save_tensors(path: Path, value: Mapping[str, Any]) -> None:
    """Write what torch can save; equal values make equal files, since no name of a file goes in.

    Raises:
        OSError: the disk is full.
    """
    with path.open("wb") as stream:
        try:
            torch.save(value, stream)
        except RuntimeError as error:
            # Of a write that failed torch tells only that a position isn't where it should be.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def publish_weights(folder: Path, state: Mapping[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Write `models/model.pt` (CPU tensors only) and note its SHA-256 and `facts` in metadata.json.

    A bundle that was an ensemble is one of a single network from then on.
    """
    path = folder / "models" / "model.pt"
    write_weights(path, state)
    content = read_json(folder / "configs" / "metadata.json")
    # At every moment of this, metadata.json and the other configurations name files that are there.
    if content.pop("fold_weights", None):
        _write_configs(folder, ())
    digest = hash_file(path)
    _write_metadata(folder, {**content, "weights_sha256": digest, **facts})
    settle_temperature(folder, [digest])
    for left in (folder / "models").glob(name_fold(0).replace("0", "*")):
        left.unlink()


def publish_folds(folder: Path, files: Mapping[int, Path], facts: dict[str, Any]) -> None:
    """Make a bundle an ensemble: copy the weights of its folds in, and average their networks from then on.

    `inference.json` and `evaluate.json` are written anew; metadata.json lists each file with its SHA-256, and as the
    hash of all that of the lines that sha256sum would write.

    Args:
        folder: the bundle.
        files: of weights, by fold.
        facts: for metadata.json.
    """
    hashes = {}
    for fold, source in sorted(files.items()):
        path = folder / "models" / name_fold(fold)
        with whole_file(path) as part:
            shutil.copyfile(source, part)
        hashes[path.name] = hash_file(path)
    joint = {"weights_sha256": join_hashes(hashes), "fold_weights": hashes}
    _write_metadata(folder, {**read_json(folder / "configs" / "metadata.json"), **joint, **facts})
    _write_configs(folder, tuple(hashes))
    settle_temperature(folder, hashes.values())
    (folder / "models" / "model.pt").unlink(missing_ok=True)


def _write_metadata(folder: Path, content: dict[str, Any]) -> None:
    """Keys keep their order, and those that nobody knows stay."""
    path = folder / "configs" / "metadata.json"
    check_record(content, Metadata, str(path))
    write_json(path, content)


def _write_configs(folder: Path, files: tuple[str, ...]) -> None:
    plan = read_plan(folder / "configs" / "plan.json")
    for name, make in OF_NETWORKS.items():
        write_json(folder / "configs" / name, make(plan, files))


def join_hashes(hashes: Mapping[str, str]) -> str:
    """One SHA-256 for several files: its own where there is one, else that of the lines of sha256sum."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def find_weights(folder: Path, metadata: Metadata, fold: int | None = None) -> dict[Path, str]:
    """The files of a bundle's weights and the SHA-256 of each.

    Args:
        folder: the bundle.
        metadata: its metadata.json.
        fold: only of the network of this fold.

    Raises:
        BundleError: there are no weights, metadata.json doesn't name their hash, or it lists other files than those of
            folds.
        InputError: no network of this fold is there.
    """
    hashes = metadata.fold_weights
    if not hashes:
        own = metadata.training.fold if metadata.training else None
        if fold is not None and fold != own:
            said = f"the bundle is of fold {own} alone, not of {fold}"
            raise InputError("--fold", said, "leave it out", code="option-wrong")
        return _find_single(folder / "models" / "model.pt", metadata)
    found = {FOLD_NAME.fullmatch(name): digest for name, digest in hashes.items()}
    # Names of files are a stranger's word: only those in the folder itself are taken.
    by_fold = {int(match[1]): digest for match, digest in found.items() if match}
    if len(by_fold) < len(hashes):
        raise BundleError(folder, "metadata.json: fold_weights lists other names than model_fold<K>.pt", "restore it")
    if fold is not None and fold not in by_fold:
        known = ", ".join(map(str, by_fold))
        said = f"the bundle has no network of fold {fold}"
        raise InputError("--fold", said, f"choose one of {known}", code="option-wrong")
    chosen = by_fold if fold is None else {fold: by_fold[fold]}
    return {folder / "models" / name_fold(number): digest for number, digest in chosen.items()}


def _find_single(path: Path, metadata: Metadata) -> dict[Path, str]:
    if not path.is_file():
        raise _miss_weights(path)
    if metadata.weights_sha256 is None:
        raise BundleError(
            path.parents[1] / "configs" / "metadata.json",
            "the key 'weights_sha256' is missing, so that nothing tells whether models/model.pt is the right file",
            "restore it from a copy, or train the bundle anew",
            code="weights-wrong",
        )
    return {path: metadata.weights_sha256}


def _miss_weights(path: Path) -> BundleError:
    bundle = path.parents[1]
    remedy = f"train it first with: medunet train {bundle}"
    return BundleError(path, "the bundle has no weights", remedy, code="weights-missing")


def load_weights(path: Path, network: nn.Module, wanted: str | None, entry: str = "", *, pickles: bool = False) -> str:
    """Load a file of weights into a network, every tensor.

    Args:
        path: `models/model.pt` of a bundle, or another one.
        network: that takes them.
        wanted: the SHA-256 that the file must have; None takes any.
        entry: of the file that holds the network's, where it has such an entry.
        pickles: read it even where it holds more than tensors, which may run a stranger's code.

    Returns:
        SHA-256 of the file.

    Raises:
        BundleError: there are no weights, the file isn't the one that metadata.json names, or they don't fit.
    """
    found, state = read_weights(path, wanted, pickles=pickles)
    inner: Any = state.get(entry)
    state = inner if isinstance(inner, dict) else state
    missing, unexpected, wrong = _compare(network.state_dict(), state)
    if missing or unexpected or wrong:
        first = (missing + unexpected + wrong)[0]
        said = f"{len(missing)} tensors are missing, {len(unexpected)} unknown and {len(wrong)} of another shape"
        remedy = "restore the weights and the network_def that belong together, or train the bundle again"
        raise BundleError(path, f"{said}, first {first}", remedy, code="weights-wrong")
    network.load_state_dict(state, strict=True)
    return found


def read_weights(path: Path, wanted: str | None, *, pickles: bool = False) -> tuple[str, dict[str, torch.Tensor]]:
    """SHA-256 and tensors of a file of weights; arguments and errors as of `load_weights`."""
    if not path.is_file():
        raise _miss_weights(path)
    found = hash_file(path)
    if wanted is not None and found != wanted:
        found = f"its SHA-256 {found[:12]}… is not {wanted[:12]}… of metadata.json"
        raise BundleError(path, found, "restore the file", code="weights-wrong")
    try:
        state = torch.load(path, map_location="cpu", weights_only=not pickles)
    except Exception as error:
        said = "it holds no weights that can be read safely"
        raise BundleError(path, said, "restore the file", code="weights-wrong") from error
    return found, state if isinstance(state, dict) else {}


def _compare(wanted: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> tuple[list[str], list[str], list[str]]:
    missing = [key for key in wanted if key not in found]
    unexpected = [key for key in found if key not in wanted]
    wrong = [key for key in wanted if key in found and wanted[key].shape != getattr(found[key], "shape", None)]
    return missing, unexpected, wrong
