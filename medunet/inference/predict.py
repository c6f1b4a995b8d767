"""The path of one volume: read and prepare, patches, network, back to the source grid, labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from monai.data import MetaTensor
from torch import nn

from medunet.bundle import Bundle, ForeignBundle, Recipe, join_hashes, load_weights, take_recipe
from medunet.confidence import Reason
from medunet.errors import ResourceError
from medunet.findings import overhearing, tell
from medunet.geometry import Grid
from medunet.inference.assemble import Assembly, assemble_planes, count_assembling
from medunet.inference.backends import Backend, MeanBackend, TorchBackend
from medunet.inference.box import Box
from medunet.inference.confidence import Watch
from medunet.inference.judgement import judge, judge_scan
from medunet.inference.likeness import find_unlike
from medunet.inference.memory import Provision
from medunet.inference.probabilities import ProbabilityMaps
from medunet.inference.restore import restore_mask
from medunet.inference.restore_foreign import lay_slices, restore_foreign
from medunet.inference.scans import Scan
from medunet.labels import Mask
from medunet.machine import find_free_memory
from medunet.networks import MeanNetwork, build_network, choose_device
from medunet.postprocessing import NOTHING, clean_mask
from medunet.preparation import count_resampling, find_source_grid, run_chain, stream_chain


@dataclass(frozen=True, slots=True)
class Predictor:
    """A recipe that is ready to predict; as a context manager it closes its backend at the end.

    Attributes:
        recipe: what it does.
        backend: runs its network, or those of all folds.
        weights: SHA-256 of the loaded files, by name.
    """

    recipe: Recipe
    backend: Backend
    weights: dict[str, str]

    @property
    def weights_sha256(self) -> str:
        """One SHA-256 for all loaded files of weights."""
        return join_hashes(self.weights)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.backend.close()


def open_predictor(bundle: Bundle | ForeignBundle, fold: int | None = None) -> Predictor:
    """Load a bundle's network and weights, on a GPU where there is one; of an ensemble all, which stay in memory.

    Args:
        bundle: a trained one.
        fold: load the network of this fold alone.

    Raises:
        BundleError: weights are missing or don't fit, or inference.json holds what medunet doesn't understand.
        InputError: the bundle has no network of this fold.
    """
    return load_predictor(*take_recipe(bundle, fold))


def load_predictor(recipe: Recipe, files: Mapping[Path, str]) -> Predictor:
    """As `open_predictor`, by a recipe and from files of weights with the SHA-256 that each must have."""
    networks = [_build(recipe) for _ in files]
    pickles = recipe.evaluated is not None and recipe.evaluated.pickles
    weights = {
        path.name: load_weights(path, network, wanted, recipe.entry, pickles=pickles)
        for network, (path, wanted) in zip(networks, files.items(), strict=True)
    }
    network = networks[0] if len(networks) == 1 else MeanNetwork(networks)
    window = recipe.window
    shape = (recipe.task.count_inputs(), *window.patch)
    backend = MeanBackend(lambda: TorchBackend(choose_device()), len(recipe.decision.values))
    backend.open(network, shape, window.dims)
    return Predictor(recipe, backend, weights)


def _build(recipe: Recipe) -> nn.Module:
    made: nn.Module | None = recipe.evaluated.network if recipe.evaluated else None
    return build_network(recipe.network) if made is None else made


def predict_scan(
    predictor: Predictor,
    scan: Scan,
    box: Box | None = None,
    maps: ProbabilityMaps | None = None,
    provision: Provision | None = None,
) -> Mask:
    """Predict one scan.

    Args:
        predictor: from `open_predictor`.
        scan: what to read.
        box: in the patient, to which the prediction is restricted.
        maps: keep the probabilities.
        provision: how it fits the memory; all is in memory if not given.

    Returns:
        Labels on the grid of the scan's first channel, with what its files were noted for.

    Raises:
        ResourceError: the logits take more memory than is free.
        MedunetError: a file is refused by its reader, or the box lies elsewhere.
    """
    recipe, way = predictor.recipe, provision or Provision(0, 0)
    images = {key: scan.images[key] for key in recipe.inputs}
    doubts: list[Reason] = []
    with overhearing() as heard:
        look = partial(_compare, recipe, scan.id, box is None, doubts)
        if way.room is None:
            image = run_chain(recipe.preprocessing, images, recipe.task, look)
        else:
            image = stream_chain(recipe.preprocessing, images, way.room, recipe.task, look)
            way.volumes |= image.meta.pop("volumes")
    grid = find_source_grid(image)
    voxels, affine = image.as_tensor(), np.asarray(image.affine)
    if box is not None:
        voxels, affine = box.crop(voxels, affine, scan.id)
    window, what = recipe.window, f"predicting {scan.id}"
    if window.axis != 2:
        voxels, affine = lay_slices(voxels, affine, window.axis)
    network = Grid(voxels.shape[1:], affine)
    if not way.peak:
        check_memory(predictor, network, grid, scan.id)
    watch, patch = Watch(recipe), window.fit(network.shape)
    backend, how = way.lead(watch.join(predictor.backend)), Assembly(window.mode, window.padding, way.sums, way.held)
    planes = watch.see(assemble_planes(voxels, backend, patch, window.overlap, what, how))
    keep = None if maps is None else maps.open(grid)
    if recipe.origin == "medunet":
        mask = restore_mask(planes, network, grid, recipe.task, recipe.decision, keep, way.labels)
    else:
        mask = restore_foreign(planes, network, image, recipe, scan.id, keep, way.labels)
    warnings = (*recipe.doubts, *(f"{item.subject}: {item.found}" for item in heard))
    mask = replace(mask, notes=(*image.meta["notes"], *recipe.notes), warnings=warnings)
    mask = mask if box is None else box.clear_outside(mask)
    mask = mask if recipe.cleaning == NOTHING else clean_mask(mask, recipe.cleaning)
    return replace(mask, confidence=judge(mask, watch.finish(), recipe, doubts))


def _compare(recipe: Recipe, subject: str, whole: bool, doubts: list[Reason], data: Mapping[str, MetaTensor]) -> None:
    """Warn of what is unlike training in the images that were read, and note what speaks against relying on a mask."""
    keys = zip(recipe.task.channels, recipe.inputs, strict=True)
    images = {name: (data[key].as_tensor().numpy(), find_source_grid(data[key])) for name, key in keys}
    findings = list(find_unlike(images, recipe, subject, whole=whole))
    for item in findings:
        tell(item)
    doubts += judge_scan(images, recipe, findings, whole=whole)


def check_memory(predictor: Predictor, network: Grid, source: Grid, what: str) -> None:
    """Check, before the network runs, that the logits of a scan and its labels fit the memory.

    Args:
        predictor: from `open_predictor`.
        network: grid of the logits.
        source: grid of the labels.
        what: name of the scan.

    Raises:
        ResourceError: they take more than is free.
    """
    recipe, patch = predictor.recipe, predictor.recipe.window.fit(network.shape)
    classes, batch = len(recipe.decision.values), predictor.backend.traits.preferred_batch
    needed = count_assembling(network.shape, patch, recipe.task.count_inputs(), classes, batch)
    needed += count_resampling(network, source, classes)
    if recipe.evaluated is not None and recipe.evaluated.postprocessing is not None:
        needed += 4 * classes * int(np.prod(network.shape) + np.prod(source.shape))
    free = find_free_memory()
    if needed > free:
        found = f"the logits of its {classes} classes take {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} are free"
        raise ResourceError(what, found, "predict it by boxes (--box), or on a machine with more memory")
