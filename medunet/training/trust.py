"""Check the configurations of training before they run: MONAI's parser would run whatever a stranger wrote there."""

import inspect
import json
import pydoc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ComponentLocator, ConfigComponent, ConfigParser
from monai.losses import PerceptualLoss
from monai.transforms import LoadImage, LoadImaged, SaveImage, SaveImaged

from medunet.bundle import Bundle
from medunet.bundle.earlier import TRAINING_IMPORTS, list_expressions
from medunet.bundle.expressions import find_expressions, walk
from medunet.bundle.trust import TRUST
from medunet.errors import BundleError, name_fault
from medunet.records import read_json, suggest
from medunet.training.config import CONFIGS

FAMILIES = (
    *(
        f"monai.{name}."
        for name in ("transforms", "networks", "losses", "inferers", "metrics", "handlers", "optimizers")
    ),
    *("torch.nn.", "torch.optim.", "ignite.handlers.", "ignite.metrics."),
)
"""Whose classes may stand in an edited configuration, since they only compute."""
IMPORTING = (LoadImage, LoadImaged, SaveImage, SaveImaged, PerceptualLoss)
"""Those among them that import what their arguments name, or fetch code."""
_LOCATOR = ComponentLocator()
WORDS = {"_target_", "_desc_", "_disabled_", "_requires_"}
RESTORE = "correct it, or restore it from a copy"


def check_configs(bundle: Bundle, paths: Sequence[Path], *, trust: bool) -> None:
    """Check what MONAI is going to run, and that what it names is there and takes the arguments that it gets.

    Args:
        bundle: whose they are; its metadata.json goes through MONAI's parser, too.
        paths: train.json, and what overrides it.
        trust: leave out the first, since the user knows who wrote it.

    Raises:
        BundleError: a key holds an expression or a target that medunet neither writes nor knows as harmless, names
            something that doesn't exist, or gives it arguments that don't fit.
    """
    metadata = bundle.folder / "configs" / "metadata.json"
    configs = {path: read_json(path) for path in paths}
    if not trust:
        expressions, targets = _list_written(bundle)
        for path, config in {**configs, metadata: read_json(metadata)}.items():
            _check_expressions(path, config, expressions)
            _check_targets(path, config, targets)
    for path, config in configs.items():
        for key, step in _find_steps(config):
            _check_arguments(path, key, step)
    _build_network(paths[0], configs[paths[0]])


def _list_written(bundle: Bundle) -> tuple[set[str], set[str]]:
    """Expressions and targets that medunet writes for a bundle's plan, with any optimizer of its own."""
    kinds = ("muon", "adamw", "sgd")
    plans = [bundle.plan.change(training={"optimizer": kind}) for kind in kinds]
    configs = [json.loads(json.dumps(make(plan))) for plan in plans for make in CONFIGS.values()]
    expressions = {text for config in configs for _, text in find_expressions(config)}
    targets = {step["_target_"] for config in configs for _, step in _find_steps(config)}
    return expressions | list_expressions(bundle.plan.task) | set(TRAINING_IMPORTS), targets


def _check_expressions(path: Path, config: Any, written: set[str]) -> None:
    for key, text in find_expressions(config):
        # A reference names another key, whose value is checked by itself.
        if text not in written and not text.startswith("@"):
            found = f"the key '{key}' holds the expression {text!r}, which medunet doesn't write"
            raise BundleError(path, found, TRUST, code="bundle-untrusted")


def _check_targets(path: Path, config: Any, written: set[str]) -> None:
    for key, step in _find_steps(config):
        target = step["_target_"]
        strange = next((word for word in step if word.startswith("_") and word not in WORDS), None)
        if strange is not None:
            raise BundleError(
                path, f"the key '{key}.{strange}' isn't written by medunet", TRUST, code="bundle-untrusted"
            )
        if target not in written and not _is_harmless(target):
            found = f"the key '{key}._target_' is {target!r}, which medunet neither writes nor knows as harmless"
            raise BundleError(path, found, TRUST, code="bundle-untrusted")


def _is_harmless(target: Any) -> bool:
    """Whether it is a class that only computes; what can't be found does nothing, and is refused later."""
    if not isinstance(target, str) or target.split(".")[0] not in ("monai", "torch", "ignite", target):
        return False
    kind = _find(target)
    if kind is None:
        return True
    of_family = isinstance(kind, type) and f"{kind.__module__}.".startswith(FAMILIES)
    return of_family and not issubclass(kind, IMPORTING)


def _find(target: str) -> Any:
    """What a target names, as MONAI finds it; None where there is nothing."""
    try:
        name = ConfigComponent(config={"_target_": target}, locator=_LOCATOR).resolve_module_name()
        return pydoc.locate(str(name))
    except (pydoc.ErrorDuringImport, ModuleNotFoundError):
        return None


def _find_steps(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and content of everything that MONAI would make of a `_target_`, the outer ones first."""
    for parts, value in walk(config):
        if isinstance(value, Mapping) and "_target_" in value:
            yield ".".join(parts), dict(value)


def _check_arguments(path: Path, key: str, step: dict[str, Any]) -> None:
    target = step["_target_"]
    if str(target).startswith(("$", "@", "%")):
        return
    kind = _find(str(target))
    if kind is None:
        raise BundleError(path, f"the key '{key}._target_' is {target!r}, which doesn't exist", RESTORE)
    try:
        signature = inspect.signature(kind)
    except (TypeError, ValueError):  # a few of C have none
        return
    given = {word: value for word, value in step.items() if not word.startswith("_")}
    known = signature.parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        for word in given:
            if word not in known:
                found = f"the key '{key}.{word}' is no argument of {target}"
                raise BundleError(path, found, suggest(word, list(known)))
    try:
        signature.bind_partial(**given) if "_mode_" in step else signature.bind(**given)
    except TypeError as error:
        raise BundleError(path, f"the key '{key}': {target} is {error}", RESTORE) from None


def _build_network(path: Path, config: dict[str, Any]) -> None:
    """Build the network, which costs little, before hours of preparation."""
    network = config.get("network_def")
    if network is None or any(True for _ in find_expressions(network)):
        return
    try:
        ConfigParser({"network_def": network}).get_parsed_content("network_def")
    except Exception as error:
        said = name_fault(error.__cause__ or error)
        raise BundleError(path, f"the key 'network_def' can't be built ({said})", RESTORE) from error
