"""The self-test of a bundle: a made-up case that lies in it, and the labels that its network finds there.

It holds nothing of any patient. Whoever has the bundle can tell by it whether weights, chain and decision still are
what they were, with medunet, with MONAI alone, or with a program of his own.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from medunet.bundle import open_any_bundle, open_bundle
from medunet.bundle.metadata import FOUND_LITTLE
from medunet.errors import BundleError, MedunetError
from medunet.files import hash_file, whole_folder
from medunet.geometry import check_same_grid
from medunet.handover.cases import draw_case
from medunet.inference import Predictor, Scan, open_predictor, predict_scan
from medunet.inference.computing import PLAIN
from medunet.labels import Mask
from medunet.progress import track
from medunet.reading import Volume, find_image, read_image, read_mask
from medunet.records import Record, read_record, write_record

LOGGER = logging.getLogger(__name__)
PLACE = Path("docs") / "selftest"
RECORD = "selftest.json"
TRIES = 24
"""Cases that are drawn at most."""
AFTER_TRAINING = 8
"""The same at the end of a training, which shouldn't take longer than it must."""
ENOUGH = 1000
"""Voxels of each label with which a case is taken at once: of fewer, one that rounding moves counts for too much."""
MOST = 0.7
"""Share of the voxels beyond which a network calls everything by one name."""
LARGEST = 1_000_000
"""Bytes of the folder."""
DICE = 0.999
"""What masks of the same case must have at least, label by label."""


class SelfTest(Record):
    """`docs/selftest/selftest.json`: a made-up case and what is expected of it."""

    about: str = "a made-up case: random ellipsoids, nothing of any patient"
    """What the images are."""
    images: dict[str, str]
    """File of each channel in `images/`, by its key in inference.json."""
    mask: str
    """File of the labels that are expected, on the grid of the first channel."""
    attempt: int
    """Number that the case was drawn by."""
    voxels: dict[str, int]
    """Voxels of each label; of objects those of all."""
    weights_sha256: str
    """Of the weights that found them."""
    sha256: dict[str, str]
    """Of each file, by its path from here."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a network found in a made-up case.

    Attributes:
        attempt: number of the case.
        images: of it.
        mask: that was found.
        counts: voxels of each label.
    """

    attempt: int
    images: Mapping[str, Volume]
    mask: Mask
    counts: dict[str, int]

    @property
    def score(self) -> tuple[int, int]:
        """Labels that were found, and how many voxels the least of them has, up to enough."""
        found = [count for count in self.counts.values() if count]
        filled = sum(found) > MOST * self.mask.voxels.size
        return (0 if filled else len(found), min([ENOUGH, *found]))


def write_selftest(folder: Path, tries: int = TRIES) -> SelfTest:
    """Look for a made-up case on which a bundle finds something, and write it with these labels into the bundle.

    An older self-test is replaced. The network computes in torch, in float32.

    Args:
        folder: a trained bundle, whose parts are data.
        tries: cases that are drawn at most.

    Returns:
        What was written.

    Raises:
        BundleError: nothing was found in any of the cases, or the bundle can't predict.
    """
    bundle = open_any_bundle(folder)
    with open_predictor(bundle, computing=PLAIN) as predictor, TemporaryDirectory() as place:
        best = _look_for_case(predictor, Path(place), tries)
        if best is None:
            found = f"the network finds nothing in {tries} made-up cases"
            raise BundleError(folder, found, "train it for longer, or leave the self-test out", code="bundle-selftest")
        return _write(folder / PLACE, predictor, best)


def renew_selftest(folder: Path) -> None:
    """Write the self-test of a bundle whose training has just ended; an older one, of other weights, goes in any case.

    None is written, and a line says why, where held-out cases say that masks mean little or nothing is found.

    Args:
        folder: the bundle.
    """
    shutil.rmtree(folder / PLACE, ignore_errors=True)
    try:
        training = open_bundle(folder).trained()
        if not _is_good(training.validation_dice):
            LOGGER.debug("%s: no self-test, since its masks mean little", folder)
            return
        write_selftest(folder, AFTER_TRAINING)
    except MedunetError as error:
        LOGGER.info("no self-test was written: %s", error)


def _is_good(dice: float | tuple[float | None, ...] | None) -> bool:
    scores = [score for score in (dice if isinstance(dice, tuple) else [dice]) if score is not None]
    return bool(scores) and sum(scores) / len(scores) >= FOUND_LITTLE


def _look_for_case(predictor: Predictor, place: Path, tries: int) -> _Found | None:
    best: _Found | None = None
    for attempt in track(range(tries), "cases tried for the self-test", tries):
        images = draw_case(predictor.recipe, attempt)
        mask = _predict(predictor, images, place / str(attempt))
        found = _Found(attempt, images, mask, count_labels(mask))
        if found.score[0] and (best is None or found.score > best.score):
            best = found
        if best is not None and best.score == (len(best.counts), ENOUGH):
            break
    return best


def _predict(predictor: Predictor, images: Mapping[str, Volume], folder: Path) -> Mask:
    folder.mkdir()
    names = _name_images(predictor.recipe.inputs, predictor.recipe.task.unit)
    paths = {key: volume.save(folder / names[key]) for key, volume in images.items()}
    return predict_scan(predictor, Scan("case", {key: find_image(path) for key, path in paths.items()}))


def _name_images(keys: tuple[str, ...], unit: str) -> dict[str, str]:
    """Names as MONAI alone finds the files of a case by."""
    ending = ".png" if unit == "px" else ".nii.gz"
    return {key: f"case_{key}{ending}" if len(keys) > 1 else f"case{ending}" for key in keys}


def count_labels(mask: Mask) -> dict[str, int]:
    """Voxels of each label or region of a mask, by its name; of objects those of all."""
    if mask.kind == "instances":
        return {mask.table.labels[0].name: int(np.count_nonzero(mask.voxels))}
    return {label.name: int((mask.voxels == label.value).sum()) for label in mask.table.labels}


def _write(folder: Path, predictor: Predictor, found: _Found) -> SelfTest:
    recipe = predictor.recipe
    names = _name_images(recipe.inputs, recipe.task.unit)
    mask = "mask.png" if recipe.task.unit == "px" else "mask.nii.gz"
    if folder.is_dir():
        shutil.rmtree(folder)
    with whole_folder(folder) as part:
        (part / "images").mkdir()
        for key, volume in found.images.items():
            volume.save(part / "images" / names[key])
        found.mask.save(part / mask)
        files = sorted(path for path in part.rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in files)
        if size > LARGEST:
            raise BundleError(folder, f"the made-up case takes {size / 1e6:.1f} MB", "this is a fault of medunet")
        record = SelfTest(
            images=names,
            mask=mask,
            attempt=found.attempt,
            voxels=found.counts,
            weights_sha256=predictor.weights_sha256,
            sha256={path.relative_to(part).as_posix(): hash_file(path) for path in files},
        )
        write_record(part / RECORD, record)
    LOGGER.info("self-test: made-up case %d, %s", found.attempt, found.counts)
    return record


@dataclass(frozen=True, slots=True)
class Case:
    """A self-test that was read.

    Attributes:
        folder: `docs/selftest` of the bundle.
        record: its selftest.json.
        mask: the labels that are expected.
    """

    folder: Path
    record: SelfTest
    mask: Mask

    def scan(self) -> Scan:
        """The made-up scan, to be predicted."""
        return Scan("case", {key: find_image(self.images / name) for key, name in self.record.images.items()})

    @property
    def images(self) -> Path:
        """Folder of the images."""
        return self.folder / "images"


def read_selftest(folder: Path, predictor: Predictor) -> Case:
    """Read the self-test of a bundle, every file by its hash.

    Args:
        folder: the bundle.
        predictor: of it.

    Raises:
        MissingInputError: there is none.
        RecordError: its selftest.json can't be.
        BundleError: a file of it is another one than was written, or it is of other weights.
    """
    place = folder / PLACE
    record = read_record(place / RECORD, SelfTest)
    for name, wanted in record.sha256.items():
        path = place / name
        if ".." in Path(name).parts or not path.is_file() or hash_file(path) != wanted:
            found = "it is missing, or not the file that the self-test was written with"
            raise BundleError(path, found, "restore it from a copy", code="bundle-selftest")
    if record.weights_sha256 != predictor.weights_sha256:
        found = f"it is of other weights ({record.weights_sha256[:12]}…) than the bundle has"
        remedy = "restore the weights, or write it anew with medunet.write_selftest"
        raise BundleError(place / RECORD, found, remedy, code="bundle-selftest")
    task = predictor.recipe.task
    image = find_image(place / "images" / record.images[predictor.recipe.inputs[0]])
    return Case(place, record, read_mask(place / record.mask, read_image(image).grid, task.labels))


def compare_masks(mask: Mask, expected: Mask) -> dict[str, float]:
    """Dice of each label that either has, by its name; of objects that of the foreground.

    Raises:
        GeometryError: they lie on different grids.
    """
    check_same_grid(mask.grid, expected.grid, "the mask", "the one of the self-test")
    if expected.kind == "instances":
        pairs = {expected.table.labels[0].name: (mask.voxels > 0, expected.voxels > 0)}
    else:
        labels = expected.table.labels
        pairs = {label.name: (mask.voxels == label.value, expected.voxels == label.value) for label in labels}
    return {name: _find_dice(first, second) for name, (first, second) in pairs.items() if first.any() or second.any()}


def _find_dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    return float(2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second)))
