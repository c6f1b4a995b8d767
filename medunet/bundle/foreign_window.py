"""How a bundle from elsewhere covers a scan with patches: its inferer, read as data."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from medunet.bundle.foreign_steps import CORRECT, name_target
from medunet.bundle.literals import Mark
from medunet.bundle.parts import Window
from medunet.errors import BundleError
from medunet.geometry import Unit

PATCHES = ("SlidingWindowInferer", "SliceInferer")
HOW = (
    *("buffer_dim", "buffer_steps", "cache_roi_weight_map", "cpu_thresh", "device", "progress", "sw_batch_size"),
    "sw_device",
)
"""Arguments that decide how fast it goes, not what comes of it."""
PADDINGS = ("constant", "reflect", "replicate", "circular")


def read_window(inferer: Any, dims: Literal[2, 3], path: object) -> Window:
    """Patches, overlap and weights of an inferer whose references were followed.

    Args:
        inferer: its `_target_` dictionary.
        dims: spatial axes of the network.
        path: of the file, for messages.

    Raises:
        BundleError: it is another inferer, or an argument isn't understood.
    """
    name = name_target(inferer)
    arguments = dict(inferer) if isinstance(inferer, Mapping) else {}
    for key in ("_target_", *HOW):
        arguments.pop(key, None)
    if name == "SimpleInferer" and not arguments:
        return Window((0, 0, 0) if dims == 3 else (0, 0, 1), 0.0, "constant", dims)
    if name not in PATCHES:
        found = f"the inferer {name!r} is none that medunet knows"
        raise BundleError(path, found, f"known are SimpleInferer, {', '.join(PATCHES)}; run it with monai.bundle")
    axis = arguments.pop("spatial_dim", 0) if name == "SliceInferer" else 2
    overlap, mode = _read_overlap(arguments.pop("overlap", 0.25)), arguments.pop("mode", "constant")
    padding = arguments.pop("padding_mode", "constant")
    patch = _read_patch(arguments.pop("roi_size", None), dims)
    usual = {"sigma_scale": 0.125, "cval": 0.0, "with_coord": False}
    if other := [key for key, value in arguments.items() if usual.get(key, Mark.UNKNOWN) != value]:
        raise BundleError(path, f"the argument '{other[0]}' of {name} isn't understood", "run it with monai.bundle")
    known = {"roi_size": patch, "overlap": overlap, "mode": mode in ("gaussian", "constant") or None}
    known |= {"padding_mode": padding in PADDINGS or None, "spatial_dim": axis in (0, 1, 2) or None}
    if wrong := [key for key, value in known.items() if value is None]:
        raise BundleError(path, f"'inferer::{wrong[0]}' is {inferer.get(wrong[0])!r}", CORRECT)
    if patch is None or overlap is None:
        raise ValueError("both were checked")
    return Window(patch, overlap, mode, dims, padding, axis)


def find_unit(inferer: Any, dims: Literal[2, 3]) -> Unit:
    """Whether a bundle takes pictures: a network of two axes does, but for one that goes through slices."""
    return "px" if dims == 2 and name_target(inferer) != "SliceInferer" else "mm"


def _read_overlap(value: Any) -> float | None:
    alike = set(value) if isinstance(value, Sequence) and not isinstance(value, str) else {value}
    one = next(iter(alike)) if len(alike) == 1 else None
    if not isinstance(one, int | float) or isinstance(one, bool) or not 0 <= one < 1:
        return None
    return float(one)


def _read_patch(value: Any, dims: Literal[2, 3]) -> tuple[int, int, int] | None:
    sizes = [value] * dims if isinstance(value, int) else list(value) if isinstance(value, Sequence) else []
    if len(sizes) != dims or not all(type(size) is int or size is None for size in sizes):
        return None
    # MONAI takes the whole length where a size isn't above 0.
    i, j, k = [max(size or 0, 0) for size in sizes] + [1] * (3 - dims)
    return i, j, k
