"""The path of one volume: read and prepare, patches, network, back to the source grid, labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from monai.data import MetaTensor
from torch import nn

from medunet.bundle import Bundle, ForeignBundle, Recipe, join_hashes, load_weights, take_recipe
from medunet.confidence import Reason
from medunet.errors import ResourceError
from medunet.findings import overhearing, remark, tell
from medunet.geometry import Grid
from medunet.inference.assemble import Assembly, assemble_planes, count_assembling
from medunet.inference.backends import Backend
from medunet.inference.box import Box, find_body_box
from medunet.inference.computing import EXACT, Computed, Computing, describe_computed, hasten_recipe, open_backend
from medunet.inference.confidence import Watch
from medunet.inference.judgement import judge, judge_scan
from medunet.inference.likeness import find_unlike
from medunet.inference.memory import Provision
from medunet.inference.probabilities import ProbabilityMaps
from medunet.inference.restore import restore_mask
from medunet.inference.restore_foreign import lay_slices, restore_foreign
from medunet.inference.sampling import LogitSamples
from medunet.inference.scans import Scan
from medunet.labels import Mask
from medunet.machine import find_free_memory
from medunet.networks import MeanNetwork, build_network
from medunet.postprocessing import NOTHING, clean_mask
from medunet.preparation import count_resampling, find_source_grid, run_chain, stream_chain
from medunet.reading import Image

WHOLE = Provision(0, 0)
"""All in memory, of which nothing was foreseen."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """A recipe that is ready to predict; as a context manager it closes its backend at the end.

    Attributes:
        recipe: what it does.
        backend: runs its network, or those of all folds.
        weights: SHA-256 of the loaded files, by name.
        computed: how the backend computes.
    """

    recipe: Recipe
    backend: Backend
    weights: dict[str, str]
    computed: Computed

    @property
    def weights_sha256(self) -> str:
        """One SHA-256 for all loaded files of weights."""
        return join_hashes(self.weights)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.backend.close()


def open_predictor(bundle: Bundle | ForeignBundle, fold: int | None = None, computing: Computing = EXACT) -> Predictor:
    """Load a bundle's network and weights; of an ensemble all, which stay in memory.

    Args:
        bundle: a trained one.
        fold: load the network of this fold alone.
        computing: by which backend, and how precisely.

    Raises:
        BundleError: weights are missing or don't fit, or inference.json holds what medunet doesn't understand.
        InputError: the bundle has no network of this fold, or the backend can't run it.
    """
    return load_predictor(*take_recipe(bundle, fold), computing)


def load_predictor(recipe: Recipe, files: Mapping[Path, str], computing: Computing = EXACT) -> Predictor:
    """As `open_predictor`, by a recipe and from files of weights with the SHA-256 that each must have."""
    recipe = hasten_recipe(recipe, computing)
    networks = [_build(recipe) for _ in files]
    pickles = recipe.evaluated is not None and recipe.evaluated.pickles
    weights = {
        path.name: load_weights(path, network, wanted, recipe.entry, pickles=pickles)
        for network, (path, wanted) in zip(networks, files.items(), strict=True)
    }
    network = networks[0] if len(networks) == 1 else MeanNetwork(networks)
    backend = open_backend(network, recipe, computing)
    return Predictor(recipe, backend, weights, describe_computed(backend, computing))


def _build(recipe: Recipe) -> nn.Module:
    made: nn.Module | None = recipe.evaluated.network if recipe.evaluated else None
    return build_network(recipe.network) if made is None else made


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A scan that is read and prepared, so that only the network is missing.

    Attributes:
        id: name of the scan.
        image: of the chain, with what it tells of the source.
        voxels: (C, I, J, K) that the network sees: the image, or the part of it in a box.
        source: grid of the first channel as it was read.
        network: grid of the voxels.
        box: outside of which everything is background.
        notes: for what the files were noted, and what was done.
        warnings: what makes the mask doubtful, in words.
        doubts: what speaks against relying on a mask.
    """

    id: str
    image: MetaTensor
    voxels: torch.Tensor
    source: Grid
    network: Grid
    box: Box | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    doubts: tuple[Reason, ...]


def predict_scan(
    predictor: Predictor,
    scan: Scan,
    box: Box | None = None,
    maps: ProbabilityMaps | LogitSamples | None = None,
    provision: Provision | None = None,
) -> Mask:
    """Predict one scan.

    Args:
        predictor: from `open_predictor`.
        scan: what to read.
        box: in the patient, to which the prediction is restricted.
        maps: keep the probabilities, or logits of some voxels.
        provision: how it fits the memory; all is in memory if not given.

    Returns:
        Labels on the grid of the scan's first channel, with what its files were noted for.

    Raises:
        ResourceError: the logits take more memory than is free.
        MedunetError: a file is refused by its reader, or the box lies elsewhere.
    """
    way = provision or WHOLE
    return predict_prepared(predictor, prepare_scan(predictor.recipe, scan, box, way), maps, way)


def prepare_scan(recipe: Recipe, scan: Scan, box: Box | None = None, way: Provision = WHOLE) -> Prepared:
    """Read and prepare a scan, for which no network is needed.

    Args:
        recipe: by which it will be predicted.
        scan: what to read.
        box: in the patient, to which the prediction is restricted.
        way: how it fits the memory.

    Raises:
        MedunetError: a file is refused by its reader, or the box lies elsewhere.
    """
    images = {key: scan.images[key] for key in recipe.inputs}
    look = _Look(recipe, scan.id, box)
    with overhearing() as heard:
        image = _prepare(recipe, images, way, look)
    voxels, affine = image.as_tensor(), np.asarray(image.affine)
    if look.box is not None:
        voxels, affine = look.box.crop(voxels, affine, scan.id)
    if recipe.window.axis != 2:
        voxels, affine = lay_slices(voxels, affine, recipe.window.axis)
    said = (f"{item.subject}: {item.found}" for item in heard if item.severity != "note")
    return Prepared(
        id=scan.id,
        image=image,
        voxels=voxels,
        source=find_source_grid(image),
        network=Grid(voxels.shape[1:], affine),
        box=look.box,
        notes=(*image.meta["notes"], *recipe.notes, *look.notes),
        warnings=(*recipe.doubts, *said),
        doubts=tuple(look.doubts),
    )


def predict_prepared(
    predictor: Predictor, scan: Prepared, maps: ProbabilityMaps | LogitSamples | None = None, way: Provision = WHOLE
) -> Mask:
    """Predict a scan that was prepared by the same recipe; arguments and errors as of `predict_scan`."""
    recipe, network, window = predictor.recipe, scan.network, predictor.recipe.window
    if not way.peak:
        check_memory(predictor, network, scan.source, scan.id)
    watch, patch = Watch(recipe), window.fit(network.shape)
    backend, how = way.lead(watch.join(predictor.backend)), Assembly(window.mode, window.padding, way.sums, way.held)
    planes = watch.see(assemble_planes(scan.voxels, backend, patch, window.overlap, f"predicting {scan.id}", how))
    keep = None if maps is None else maps.open(scan.source)
    if recipe.origin == "medunet":
        mask = restore_mask(planes, network, scan.source, recipe.task, recipe.decision, keep, way.labels)
    elif isinstance(keep, LogitSamples):
        raise TypeError("logits are those of a scan by medunet's own steps alone")
    else:
        mask = restore_foreign(planes, network, scan.image, recipe, scan.id, keep, way.labels)
    mask = replace(mask, notes=scan.notes, warnings=scan.warnings)
    if way.room is not None:
        backend.release()  # what is measured and written needs it as well
    with way.settling():
        for part, outside in scan.box.find_outside(mask.grid) if scan.box else ():
            mask.voxels[part][outside] = 0
        mask = mask if recipe.cleaning == NOTHING else clean_mask(mask, recipe.cleaning)
        return replace(mask, confidence=judge(mask, watch.finish(), recipe, scan.doubts))


def _prepare(recipe: Recipe, images: Mapping[str, Image], way: Provision, look: Any) -> Any:
    """The prepared image, in memory or streamed, as of `run_chain`."""
    if way.room is None:
        return run_chain(recipe.preprocessing, images, recipe.task, look)
    image = stream_chain(recipe.preprocessing, images, way.room, recipe.task, look)
    way.volumes |= image.meta.pop("volumes")
    return image


class _Look:
    """What is done with images as they were read: they are compared with those of training, the body is found.

    Attributes:
        box: to which the prediction is restricted.
        notes: what of that the user has to know.
        doubts: what speaks against relying on a mask.
    """

    def __init__(self, recipe: Recipe, subject: str, box: Box | None) -> None:
        self._recipe, self._subject = recipe, subject
        self.box = box
        self.notes: tuple[str, ...] = ()
        self.doubts: list[Reason] = []

    def __call__(self, data: Mapping[str, MetaTensor]) -> None:
        recipe, whole = self._recipe, self.box is None
        keys = zip(recipe.task.channels, recipe.inputs, strict=True)
        read = {name: (data[key].as_tensor().numpy(), find_source_grid(data[key])) for name, key in keys}
        # Pictures are read as (C, I, J).
        images = {name: (voxels.reshape(*voxels.shape[:3], -1), grid) for name, (voxels, grid) in read.items()}
        findings = list(find_unlike(images, recipe, self._subject, whole=whole))
        for item in findings:
            tell(item)
        self.doubts += judge_scan(images, recipe, findings, whole=whole)
        voxels, grid = next(iter(images.values()))
        if recipe.body and whole and (body := find_body_box(voxels[0], grid)):
            self.box, self.notes = body.box, (body.describe(),)
            remark("body-box", self._subject, body.describe())


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
        raise ResourceError(what, found, "predict it on a machine with more memory, or by boxes (--box)")
