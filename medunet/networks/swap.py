"""A network of MONAI's by its name, for what a plan says of inputs, outputs and axes."""

from collections.abc import Iterator, Mapping
from typing import Any

from medunet.errors import BundleError
from medunet.networks.cost import count_features
from medunet.networks.foreign import build_foreign_network, complete_network
from medunet.planning import Plan, Swapped
from medunet.planning.rules import Triple

SUBJECT = "network"
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
LEAST = 48
"""Voxels of an edge at which a network is tried: of fewer some keep one voxel at their coarsest level and fail."""


def state_network(config: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The dictionary of a network with all that a plan decides of it written out.

    Args:
        config: `_target_` and arguments; what the plan decides may be left away.
        plan: whose channels, labels and axes count.

    Raises:
        BundleError: MONAI has no such network or argument, or one is said otherwise than the plan needs it.
    """
    check_stated(config, plan)
    wanted = _list_wanted(plan)
    build_foreign_network({**config, **wanted})
    return complete_network({**config, **wanted}, wanted["out_channels"])


def check_stated(config: Mapping[str, Any], plan: Plan) -> None:
    """Refuse a network of other inputs, outputs or axes than a plan has, as far as it says them.

    Raises:
        BundleError: naming the first.
    """
    for key, value in _list_wanted(plan).items():
        if config.get(key, value) != value:
            found = f"{key} of {config.get('_target_')} is {config[key]!r}, but its {_WHOSE[key]} make {value}"
            raise BundleError(SUBJECT, found, f"write {value}, or leave {key} away")


_WHOSE = {"spatial_dims": "plan's axes", "in_channels": "plan's channels", "out_channels": "plan's labels"}


def _list_wanted(plan: Plan) -> dict[str, int]:
    return {
        "spatial_dims": plan.network.dims,
        "in_channels": plan.task.count_inputs(),
        "out_channels": len(plan.task.name_classes()),
    }


def swap_network(config: Mapping[str, Any], plan: Plan) -> Swapped:
    """What a plan must know of a network to choose a patch for it.

    Args:
        config: as of `state_network`.
        plan: as there; its window doesn't count yet.

    Raises:
        BundleError: as `state_network`, or no patch was found that it takes.
    """
    definition = state_network(config, plan)
    dims = plan.network.dims

    def count(patch: Triple) -> tuple[int, int]:
        return count_features(definition, patch)

    if size := definition.get("img_size"):
        sizes = [size] * dims if isinstance(size, int) else list(size)
        x, y, z = (*sizes, 1)[:3]
        return Swapped(definition, 1, (x, y, z), count)
    return Swapped(definition, find_multiple(definition), None, count)


def count_network(definition: Mapping[str, Any], patch: Triple) -> tuple[int, int]:
    """Numbers that a network learns, and bytes of the features of a patch, as `count_features` counts them.

    Args:
        definition: complete.
        patch: voxels (x, y, z); 1 along z for a network of two axes.

    Raises:
        BundleError: it doesn't take such patches; the remedy says of what it takes multiples.
    """
    try:
        return count_features(definition, patch)
    except BundleError as error:
        size = definition.get("img_size")
        remedy = (
            f"take its img_size, {size}" if size else f"take multiples of {find_multiple(definition)} along each axis"
        )
        raise BundleError("window.patch", error.found, remedy) from error


def find_multiple(definition: Mapping[str, Any]) -> int:
    """The least number of voxels of which a network takes any odd multiple along all its axes.

    Args:
        definition: complete.

    Raises:
        BundleError: it fails on all that are tried.
    """
    fault = None
    for multiple, edge in _list_edges():
        try:
            count_features(definition, (edge, edge, 1 if definition["spatial_dims"] == 2 else edge))
        except BundleError as error:
            fault = fault or error
        else:
            return multiple
    raise fault or BundleError(SUBJECT, "it takes no patch", "take another network")


def _list_edges() -> Iterator[tuple[int, int]]:
    """Multiples, and of each an odd number of them: an even one would be a multiple of more."""
    for multiple in MULTIPLES:
        times = -(-LEAST // multiple)
        yield multiple, multiple * (times + 1 - times % 2)
