"""The one inference chain: from a plan to lists of MONAI `_target_` dictionaries, and running them.

These lists stand in the bundle's `inference.json` and `evaluate.json`, where MONAI alone runs them, and in
medunet's own prediction and training, which read them from there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import monai.transforms
import numpy as np
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImage, LoadImaged, SaveImage, SaveImaged, Transform

from medunet.cohort import Case, find_channel
from medunet.errors import BundleError, InputError, raise_ours
from medunet.geometry import Grid
from medunet.planning import Normalization, Plan
from medunet.preparation.reader import VolumeReader
from medunet.reading import Image
from medunet.task import Task, name_keys

Step = dict[str, Any]
_RESTORE = "restore the bundle's inference.json"
_WORDS = {"_target_", "_desc_"}
"""Keys of a step that are no arguments."""
_LOADING = _WORDS | {"keys", "dtype", "image_only", "ensure_channel_first"}
SPATIAL = ("monai.transforms.spatial.", "monai.transforms.croppad.")
"""Modules of the transforms that move voxels."""
FAR = 2**30
"""Beyond the end of every picture."""


def make_preprocessing(plan: Plan) -> list[Step]:
    """Transforms from paths to `image`, a float32 tensor: (C, I, J, K) in the plan's orientation and spacing, or a
    picture (C, I, J) of the size that it has.

    The first channel is resampled to the plan's spacing, the others to the first; each is normalised before
    they are joined. Steps that another bundle gave stand in place of all that.
    """
    task = plan.task
    keys = list(task.image_keys())
    # The second is no argument of the first: the stock operator of MONAI Deploy drops that one and loads by itself.
    steps: list[Step] = [{"_target_": "LoadImaged", "keys": keys}, {"_target_": "EnsureChannelFirstd", "keys": keys}]
    if plan.grid.steps is not None:
        return [*steps, *(dict(step) for step in plan.grid.steps)]
    steps += _match_colours(task) if task.unit == "px" else _match_grids(plan)
    scales = plan.grid.normalization
    steps += [_make_normalization(key, scales[name]) for key, name in zip(keys, task.channels, strict=True)]
    if len(keys) > 1:
        steps.append({"_target_": "ConcatItemsd", "keys": keys, "name": "image"})
    return [*steps, {"_target_": "EnsureTyped", "keys": ["image"], "dtype": "float32"}]


def _match_grids(plan: Plan) -> list[Step]:
    reference, *others = plan.task.image_keys()
    spacing = plan.grid.spacing_mm
    # 0 keeps the spacing that there is: a 2D network takes slices as they lie.
    pixdim = [*spacing[:2], 0.0] if plan.network.dims == 2 else list(spacing)
    steps: list[Step] = [
        make_orientation([reference], plan.grid.axes),
        {"_target_": "Spacingd", "keys": [reference], "pixdim": pixdim, "mode": "bilinear"},
    ]
    return steps + [
        {"_target_": "ResampleToMatchd", "keys": [key], "key_dst": reference, "mode": "bilinear"} for key in others
    ]


def make_orientation(keys: list[str], axes: str = "RAS") -> Step:
    """Transform that stores volumes in an order of axes, whatever theirs was."""
    labels = [["L", "R"], ["P", "A"], ["I", "S"]]
    return {"_target_": "Orientationd", "keys": keys, "axcodes": axes, "labels": labels}


def _match_colours(task: Task) -> list[Step]:
    """Grey is repeated to the planned components, and alpha cut off: both by taking the components for an axis."""
    steps: list[Step] = []
    for key, name in zip(task.image_keys(), task.channels, strict=True):
        count = task.count_components(name)
        steps += [
            {"_target_": "EnsureChannelFirstd", "keys": [key], "channel_dim": "no_channel"},
            {"_target_": "SpatialCropd", "keys": [key], "roi_start": [0, 0, 0], "roi_end": [count, FAR, FAR]},
            {
                "_target_": "SpatialPadd",
                "keys": [key],
                "spatial_size": [count, -1, -1],
                "mode": "edge",
                "method": "end",
            },
            {"_target_": "SqueezeDimd", "keys": [key], "dim": 0},
        ]
    return steps


def _make_normalization(key: str, how: Normalization) -> Step:
    if how.kind == "each":
        return {"_target_": "NormalizeIntensityd", "keys": [key], "channel_wise": True}
    return {
        "_target_": "ScaleIntensityRanged",
        "keys": [key],
        "a_min": how.low,
        "a_max": how.high,
        "b_min": (how.low - how.mean) / how.sd,
        "b_max": (how.high - how.mean) / how.sd,
        "clip": True,
    }


def make_restoring(plan: Plan) -> list[Step]:
    """Transforms that bring the logits `pred` (outputs, I, J, K) back to the grid of the first channel.

    They are brought back linearly before the labels are taken: labels first and nearest neighbours lose up to 0.05
    Dice on a ball. Pictures weren't resampled, so their logits (outputs, I, J) lie right already, but where another
    bundle gave the steps.
    """
    restore = {
        "_target_": "Invertd",
        "keys": ["pred"],
        "transform": "@preprocessing",
        "orig_keys": _find_moved(plan),
        "nearest_interp": False,
        "to_tensor": True,
    }
    return [] if plan.task.unit == "px" and plan.grid.steps is None else [restore]


def _find_moved(plan: Plan) -> str:
    """The key whose steps are undone: the first channel's, or `image` where channels are moved after they were joined.

    MONAI undoes only steps of that very key, and says nothing where there are none.
    """
    first = plan.task.image_keys()[0]
    joined = False
    for step in plan.grid.steps or ():
        kind = find_transform(step)
        if step["_target_"] == "ConcatItemsd":
            joined = True
        elif joined and kind is not None and kind.__module__.startswith(SPATIAL):
            return "image"
    return first


def make_decision(task: Task) -> list[Step]:
    """Transforms from the logits `pred` (outputs, I, J, K) to a label map (1, I, J, K).

    That is the class of the largest logit, or the value of the last region whose logit is above 0, a probability above
    one half (nnU-Net's `regions_class_order`).
    """
    regions = task.labels.regions
    if not regions:
        return [{"_target_": "AsDiscreted", "keys": ["pred"], "argmax": True}]
    numbers, values = list(range(1, len(regions) + 1)), [region.value for region in regions]
    steps: list[Step] = [make_region_choice(len(regions))]
    if values != numbers:
        steps.append({"_target_": "MapLabelValued", "keys": ["pred"], "orig_labels": numbers, "target_labels": values})
    return steps


def make_region_choice(count: int) -> Step:
    """Transform from the logits `pred` of so many regions to the number of the last above 0, 1 for the first."""
    numbers, shape = list(range(1, count + 1)), "-1, *[1] * (x.ndim - 1)"
    last = f"$lambda x: ((x > 0) * torch.tensor({numbers}).view({shape}).to(x)).amax(0, True)"
    return {"_target_": "Lambdad", "keys": ["pred"], "func": last}


def instantiate(steps: Sequence[Step | Transform]) -> list[Any]:
    """Build MONAI transforms from `_target_` dictionaries, as data: no expressions, MONAI's transforms only.

    A step that was built already, since somebody trusts the bundle, stays as it is.

    Raises:
        BundleError: a step names something else, or its arguments don't fit.
    """
    built = []
    for step in steps:
        if not isinstance(step, Mapping):
            built.append(step)
            continue
        kind = find_transform(step)
        if kind is None:
            raise BundleError("preprocessing", f"{step.get('_target_')!r} is not a plain MONAI transform", _RESTORE)
        try:
            built.append(kind(**{key: value for key, value in step.items() if key not in _WORDS}))
        except Exception as error:
            raise BundleError("preprocessing", f"{kind.__name__} can't be built ({error})", _RESTORE) from error
    return built


def find_transform(step: Any) -> type[Transform] | None:
    """The class of MONAI's that a step names, None where it names another one or holds what may run code.

    MONAI's own parser would take any function, and `LoadImaged` and `SaveImaged` import what their arguments name.
    """
    target = step.get("_target_") if isinstance(step, Mapping) else None
    kind = getattr(monai.transforms, target, None) if isinstance(target, str) else None
    if not (isinstance(kind, type) and issubclass(kind, Transform)) or _holds_expression(step):
        return None
    loads = issubclass(kind, (LoadImage, LoadImaged)) and step.keys() - _LOADING
    other = issubclass(kind, (SaveImage, SaveImaged)) or any(key.startswith("_") for key in step.keys() - _WORDS)
    return None if loads or other else kind


def _holds_expression(value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith(("$", "@", "%"))
    if isinstance(value, Mapping):
        return any(_holds_expression(item) for item in value.values())
    return isinstance(value, Sequence) and any(_holds_expression(item) for item in value)


def run_chain(
    steps: Sequence[Any],
    images: Mapping[str, Image],
    task: Task | None = None,
    look: Callable[[Mapping[str, MetaTensor]], None] | None = None,
) -> Any:
    """Run a preprocessing chain with medunet's reader in place of MONAI's.

    Args:
        steps: as from `make_preprocessing`.
        images: that were found, by channel key.
        task: images of another kind than it takes are refused.
        look: gets the images as they were read, (C, I, J, K) each, before anything is done to them.

    Returns:
        The `image`: a MetaTensor (C, I, J, K) with its affine, and what its files were noted for as `notes` of its
        meta data; K is 1 for a picture.

    Raises:
        MedunetError: a file is refused, in the sentence of its reader.
    """
    rest = list_steps(steps)
    data: dict[str, Any] = {}
    paths = {key: found.path for key, found in images.items()}
    try:
        for key, source in images.items():
            # One channel at a time, since two of them may lie in one folder, or in one series.
            (load,) = instantiate([{**steps[0], "keys": [key]}])
            data |= load({key: source.path}, reader=VolumeReader(source))
        if task is not None:
            check_kind(data, paths, task)
        if look is not None:
            look(data)
        notes = tuple(f"{path}: {note}" for key, path in paths.items() if (note := data[key].meta["notes"]))
        image = Compose(rest)(data)["image"]
        image.meta["notes"] = notes
    except RuntimeError as error:
        raise_ours(error)
    return image if image.ndim == 4 else image[..., None]


def list_steps(steps: Sequence[Any]) -> list[Any]:
    """MONAI's transforms of a chain, but for the first, which loads.

    Raises:
        BundleError: the first does something else.
    """
    load, *rest = instantiate(steps)
    if not isinstance(load, LoadImaged):
        raise BundleError("preprocessing", "its first transform is not LoadImaged", _RESTORE)
    return rest


def check_kind(data: Mapping[str, Any], paths: Mapping[str, str], task: Task) -> None:
    """Check that images (C, I, J, K), by key, are such as a task takes: paths are for the messages.

    Raises:
        InputError: one has another kind, size, unit or number of components.
    """
    for key, name in zip(task.image_keys(), task.channels, strict=True):
        found, wanted, picture = len(data[key]), task.count_components(name), data[key].ndim == 3
        if picture != (task.unit == "px"):
            kind = "pictures" if task.unit == "px" else "images with a physical size"
            said = f"it is {'a' if picture else 'no'} picture, but the bundle takes {kind}"
            remedy = "give PNG" if task.unit == "px" else "give the scan as DICOM, NIfTI, NRRD or MHA"
            raise InputError(paths[key], said, f"{remedy}, or take another bundle", code="size-differs")
        if found != wanted and not (picture and found == 1):
            said = f"it has {found} components, but the bundle takes {wanted}"
            remedy = "give images like those of its training, or take another bundle"
            raise InputError(paths[key], said, remedy, code="components-differ")
        if picture and data[key].shape[1:] != data[task.image_keys()[0]].shape[1:]:
            said = f"its size differs from that of the {task.channels[0]}"
            raise InputError(paths[key], said, "give equal sizes", code="size-differs")
        units, planned = data[key].meta.get("units"), task.units.get(name)
        if units and planned and units != planned:
            said = f"its values are in {units} ({data[key].meta['notes']}), but the bundle takes {planned}"
            raise InputError(paths[key], said, f"give it in {planned}", code="units-differ")


def find_images(case: Case, channels: tuple[str, ...]) -> dict[str, Image]:
    """Find what a preprocessing chain reads of a case, by key.

    Raises:
        MedunetError: a channel can't be found.
    """
    keys = zip(name_keys(channels), channels, strict=True)
    return {key: find_channel(case.channels[name]) for key, name in keys}


def find_source_grid(image: MetaTensor) -> Grid:
    """Grid on which an image was read, of a prepared one that of its first channel."""
    shape = [int(n) for n in image.meta["spatial_shape"]]
    i, j, k = (*shape, 1) if len(shape) == 2 else shape
    return Grid((i, j, k), np.asarray(image.meta["original_affine"]), "px" if len(shape) == 2 else "mm")
