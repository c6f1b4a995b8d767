"""Segmentation networks of MONAI beside our own, built from data."""

import inspect
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import monai.networks.nets
from torch import nn

from medunet.errors import BundleError, name_fault
from medunet.extras import load_extra

KNOWN = (
    *("AttentionUnet", "BasicUNet", "DynUNet", "FlexibleUNet", "HighResNet", "MedNeXt", "SegResNet", "SegResNetDS"),
    *("SwinUNETR", "UNETR", "UNet", "VNet"),
)
"""Networks that give one tensor of logits for one image and that take nothing but data."""
DROPPED = {"SwinUNETR": ("img_size",)}
"""Arguments of older versions of MONAI that decide nothing."""
NEEDS = dict.fromkeys(("SwinUNETR", "UNETR"), "einops")
"""Packages that MONAI imports when it runs a network."""
PER_LEVEL = ("kernel_size", "strides", "upsample_kernel_size")
"""Arguments of a DynUNet that have a size for each level, along all axes or along each."""
STATED = ("spatial_dims", "in_channels")
"""Arguments that medunet looks up, wherever a class has a value of its own for them."""
NO_DOWNLOAD = {"pretrained": False}
"""Arguments that would fetch other weights than those of the bundle."""


def find_network(config: Mapping[str, Any]) -> type[nn.Module] | None:
    """The class that a `_target_` dictionary names, None where it is none of those that are known."""
    module, _, name = str(config.get("_target_", "")).rpartition(".")
    if name not in KNOWN or not (module == "" or module.startswith("monai.networks.nets")):
        return None
    kind: type[nn.Module] | None = getattr(monai.networks.nets, name, None)
    return kind


def find_arguments(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments of a known network, and names of those that are left out since they decide nothing any more.

    Raises:
        BundleError: it is none that is known, or this version of MONAI lacks an argument.
    """
    kind = find_network(config)
    if kind is None:
        found = f"{config.get('_target_')!r} is no segmentation network of MONAI that medunet knows"
        raise BundleError("network_def", found, f"known are {', '.join(KNOWN)}")
    arguments = {name: value for name, value in config.items() if name != "_target_"}
    signature = inspect.signature(kind).parameters
    dropped = [name for name in DROPPED.get(kind.__name__, ()) if name in arguments and name not in signature]
    for name in arguments.keys() - signature.keys() - set(dropped):
        found = f"{kind.__name__} of MONAI {version('monai')} has no argument '{name}'"
        raise BundleError("network_def", found, "use the version of MONAI that the bundle names in metadata.json")
    kept = {name: value for name, value in arguments.items() if name not in dropped}
    return kept | {name: value for name, value in NO_DOWNLOAD.items() if name in kept}, dropped


def complete_network(config: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    """The dictionary of a known network with other outputs, and all that the class would assume written out.

    Heads of deep supervision that a DynUNet of MONAI's carries in its weights are left out.

    Raises:
        BundleError: as `find_arguments`.
    """
    arguments, _ = find_arguments(config)
    kind = find_network(config)
    name = kind.__name__ if kind else ""
    known = inspect.signature(kind or dict).parameters
    stated = {key: known[key].default for key in STATED if key in known and key not in arguments}
    changed: dict[str, Any] = {"deep_supervision": False, "deep_supr_num": 1} if name == "DynUNet" else {}
    for key in PER_LEVEL if name == "DynUNet" else ():
        sizes = arguments.get(key) or ()
        changed[key] = [[size] * arguments["spatial_dims"] if isinstance(size, int) else list(size) for size in sizes]
    return {
        "_target_": name,
        **stated,
        **arguments,
        **{key: value for key, value in changed.items() if key in arguments},
        "out_channels": outputs,
    }


def list_packages(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Packages beside MONAI that a network needs when it runs."""
    kind = find_network(config)
    return (NEEDS[kind.__name__],) if kind and kind.__name__ in NEEDS else ()


def build_foreign_network(config: Mapping[str, Any]) -> nn.Module:
    """Build a network of a bundle from elsewhere.

    Raises:
        BundleError: as `find_arguments`, or its arguments don't fit each other.
        ExtraError: MONAI's network needs a package that isn't installed.
    """
    arguments, _ = find_arguments(config)
    kind = find_network(config)
    if package := NEEDS.get(kind.__name__ if kind else ""):
        load_extra(package, str(config["_target_"]))
    try:
        return kind(**arguments)  # type: ignore[misc]
    except Exception as error:
        found = f"{config['_target_']} can't be built ({name_fault(error)})"
        raise BundleError("network_def", found, "correct the bundle or restore it from a copy") from error
