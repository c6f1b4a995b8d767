"""Export the network of a bundle, all folds of an ensemble in one; it is named once it computes what PyTorch does."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from medunet.bundle import Bundle, ForeignBundle, Recipe, open_any_bundle, take_recipe
from medunet.errors import InputError
from medunet.files import check_free, check_writable, hash_file
from medunet.handover.cases import draw_case
from medunet.handover.exports.consumer import Consumer, describe_decision, describe_tensors, describe_window
from medunet.handover.exports.targets import FORMATS, INPUT, OUTPUT, Target, convert, open_exported
from medunet.handover.exports.windows import Compared, Windows, choose_sizes, compare
from medunet.handover.network import find_smallest, load_networks
from medunet.handover.selftest import PLACE, RECORD, SelfTest
from medunet.inference import Scan, find_scan
from medunet.inference.backends.interface import EXACT_BOUND
from medunet.inference.predict import prepare_scan
from medunet.networks import MeanNetwork
from medunet.reading import find_image
from medunet.records import read_record, write_record

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exported:
    """A network in another format.

    Attributes:
        file: that is opened.
        consumer: what stands in the JSON beside it.
        description: that JSON.
    """

    file: Path
    consumer: Consumer
    description: Path

    @property
    def difference(self) -> float:
        """Largest difference of a logit from PyTorch's."""
        return max(item.difference for item in self.consumer.compared)


@dataclass(frozen=True, slots=True)
class _Source:
    """What is exported.

    Attributes:
        recipe: of the bundle.
        network: all folds in one.
        hashes: SHA-256 of each file of weights.
        windows: patches for the comparison.
        smallest: edge in voxels from which on the network runs.
    """

    recipe: Recipe
    network: nn.Module
    hashes: dict[str, str]
    windows: Windows
    smallest: int


def export_bundle(
    folder: Path, output: Path, targets: Sequence[Target], *, scan: Path | None = None, overwrite: bool = False
) -> list[Exported]:
    """Export a bundle.

    Args:
        folder: a trained bundle, whose parts are data.
        output: folder for the files, made if it isn't there.
        targets: formats.
        scan: whose windows are compared; the bundle's self-test if not given, else a made-up case.
        overwrite: replace files that exist.

    Raises:
        BundleError: the bundle can't predict.
        InputError: its network can't be written so, or computes otherwise then.
        OutputExistsError: a file exists.
        ExtraError: what writes or reads a format isn't installed.
    """
    check_writable(output)
    for target in targets if not overwrite else ():
        for name in _list_names(target):
            check_free(output / name)
    source = _open(folder, scan)
    output.mkdir(parents=True, exist_ok=True)
    return [_export(source, target, output) for target in targets]


def _list_names(target: Target) -> list[str]:
    """Files of a format, the one that describes it last."""
    row = FORMATS[target]
    return [row.name, *row.beside, f"{row.name}.json"]


def _open(folder: Path, scan: Path | None) -> _Source:
    bundle = open_any_bundle(folder)
    recipe, files = take_recipe(bundle)
    loaded = load_networks(recipe, files)
    if not loaded.networks:
        first = loaded.findings[0]
        raise InputError(first.subject, first.found, first.remedy, code=first.code)
    network = loaded.networks[0] if len(loaded.networks) == 1 else MeanNetwork(loaded.networks)
    network = network.eval().requires_grad_(False)
    smallest, said = find_smallest(network, recipe.task.count_inputs(), recipe.window.dims)
    if smallest is None:
        raise InputError(folder, f"its network runs at no size ({said})", "check it with medunet bundle check")
    voxels = _prepare(bundle, recipe, scan)
    if recipe.window.dims == 2 and recipe.window.axis != 2:
        voxels = voxels.movedim(recipe.window.axis + 1, -1)
    patch = [edge for axis, edge in enumerate(recipe.window.patch) if axis != recipe.window.axis]
    patch = [*patch, 1] if recipe.window.dims == 2 else list(recipe.window.patch)
    sizes = choose_sizes(patch, voxels.shape[1:], smallest, recipe.window.dims)
    hashes = {path.name: hash_file(path) for path in files}
    return _Source(recipe, network, hashes, Windows(voxels, recipe.window.dims, sizes), smallest)


def _prepare(bundle: Bundle | ForeignBundle, recipe: Recipe, scan: Path | None) -> torch.Tensor:
    """Voxels (C, I, J, K) of a prepared scan: of one that is given, of the self-test, or of a made-up case."""
    if scan is not None:
        return prepare_scan(recipe, find_scan(scan, recipe.task)).voxels
    place = bundle.folder / PLACE
    if (place / RECORD).is_file():
        names = read_record(place / RECORD, SelfTest).images
        return prepare_scan(
            recipe, Scan("case", {key: find_image(place / "images" / names[key]) for key in names})
        ).voxels
    with TemporaryDirectory() as folder:
        ending = ".png" if recipe.task.unit == "px" else ".nii.gz"
        paths = {key: volume.save(Path(folder) / f"{key}{ending}") for key, volume in draw_case(recipe, 0).items()}
        return prepare_scan(recipe, Scan("case", {key: find_image(path) for key, path in paths.items()})).voxels


def _export(source: _Source, target: Target, output: Path) -> Exported:
    row = FORMATS[target]
    first = next(iter(source.windows.cut()))
    with TemporaryDirectory(prefix=".part-", dir=output) as place:
        path = Path(place) / row.name
        convert(target, source.network, torch.cat([first, first]), path)
        run = open_exported(target, path)
        compared = [compare(source.network, run, patches) for patches in source.windows.cut()]
        _check(target, compared)
        names = [row.name, *row.beside]
        consumer = _describe(source, target, {name: hash_file(path.with_name(name)) for name in names}, compared)
        write_record(Path(place) / f"{row.name}.json", consumer)
        for name in [*row.beside, row.name, f"{row.name}.json"]:
            os.replace(path.with_name(name), output / name)
    worst = max(compared, key=lambda item: item.share)
    LOGGER.info("%s: logits differ from PyTorch's by at most %.2g", row.name, worst.difference)
    return Exported(output / row.name, consumer, output / f"{row.name}.json")


def _check(target: Target, compared: Sequence[Compared]) -> None:
    """Refuse what computes otherwise than by rounding."""
    worst = max(compared, key=lambda item: item.share)
    if not worst.share <= EXACT_BOUND:
        size = " × ".join(map(str, worst.patch))
        found = f"of {worst.batch} patches of {size} it makes logits that are {worst.difference:.2g} off PyTorch's"
        raise InputError(f"--to {target}", found, "choose another format", code="backend-unfit")


def _describe(source: _Source, target: Target, files: dict[str, str], compared: Sequence[Compared]) -> Consumer:
    recipe, row = source.recipe, FORMATS[target]
    goes_in, comes_out = describe_tensors(recipe, (INPUT, OUTPUT))
    makers = dict.fromkeys(("medunet", "monai", "torch", row.reader))
    return Consumer(
        bundle=recipe.name,
        version=recipe.version,
        weights=source.hashes,
        format=target,
        files=files,
        written_by={name: version(name) for name in makers},
        input=goes_in,
        output=comes_out,
        before=tuple(dict(step) for step in recipe.preprocessing),
        window=describe_window(recipe, source.smallest),
        after=describe_decision(recipe),
        labels=recipe.task.labels,
        compared=tuple(compared),
    )
