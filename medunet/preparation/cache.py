"""Prepared cases on disk: each is resampled and normalised once, and read by memory map from then on."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data import MetaTensor

from medunet.cohort import Case, Cohort, hash_image, read_label, stamp_files
from medunet.errors import MedunetError
from medunet.files import whole_folder
from medunet.findings import warn
from medunet.geometry import Grid
from medunet.labels import Mask
from medunet.objects import BORDER, make_border_target
from medunet.preparation.chain import find_images, find_source_grid, run_chain
from medunet.preparation.resample import resample_numbers, resample_planes
from medunet.progress import track
from medunet.reading import LabelOptions
from medunet.records import read_json, write_json

LOGGER = logging.getLogger(__name__)
FORM = 2
"""What an entry holds; those of another form are made anew under another name."""
CENTRES = 4_000
"""Positions kept of each label, from which patches are drawn."""


@dataclass(frozen=True, slots=True)
class PreparedCase:
    """One case as the network sees it, in a folder of the cache.

    Attributes:
        id: the case.
        folder: holds image.npy, affine.npy, label.npy, centres.npy and hashes.json, and of a partial case unknown.json.
        teaching: file of what a teacher tells of it, if there is one.
    """

    id: str
    folder: Path
    teaching: Path | None = None

    def image(self) -> npt.NDArray[np.float32]:
        """(C, I, J, K), memory-mapped, float32."""
        return np.load(self.folder / "image.npy", mmap_mode="r")

    def label(self) -> npt.NDArray[np.uint8]:
        """(I, J, K), memory-mapped: what the network learns, label values or interior and border of objects."""
        return np.load(self.folder / "label.npy", mmap_mode="r")

    def centres(self) -> npt.NDArray[np.int32]:
        """(N, 4): label value and voxel index of foreground voxels, at most `CENTRES` of each label.

        Where some voxels are to be ignored, those that aren't stand there likewise, with the value 0.
        """
        return np.load(self.folder / "centres.npy")

    def hashes(self) -> list[str]:
        """Hash of each channel as it was read, of `medunet.cohort.hash_image`."""
        found: list[str] = read_json(self.folder / "hashes.json")
        return found

    def grid(self) -> Grid:
        """Where its voxels lie."""
        return Grid(self.label().shape, np.load(self.folder / "affine.npy"))

    def told(self) -> npt.NDArray[np.uint8]:
        """(N, I, J, K), memory-mapped: 255 times the probabilities of a teacher; N is 0 without one."""
        if self.teaching is None:
            return np.zeros((0, 1, 1, 1), np.uint8)
        return np.load(self.teaching, mmap_mode="r")

    def unknown(self) -> tuple[int, ...]:
        """Values of labels that nobody looked for."""
        path = self.folder / "unknown.json"
        return tuple(read_json(path)) if path.is_file() else ()

    def check(self) -> None:
        """Check that all is there, without reading the voxels.

        Raises:
            ValueError, EOFError, OSError, MedunetError: a file was cut short or is missing.
        """
        if (self.folder / "affine.npy").exists():  # entries of earlier versions have none
            self.grid()
        if self.image().shape[1:] != self.label().shape or self.centres().shape[1:] != (4,) or not self.hashes():
            raise ValueError("its parts don't fit each other")


def prepare_cases(
    cohort: Cohort, cases: Sequence[Case], steps: Sequence[dict[str, Any]], cache: Path, border: int = 0
) -> list[PreparedCase]:
    """Prepare cases, those that are in the cache already for free.

    Args:
        cohort: the labels.
        cases: which cases.
        steps: the preprocessing chain of the bundle.
        cache: folder of the cache; an entry's name depends on the case, its files' sizes and dates, the chain and
            the border.
        border: of objects, in voxels of the network's grid; 0 where the network learns the labels themselves.
    """
    return [prepare_case(cohort, case, steps, cache, border) for case in track(cases, "preparing cases", len(cases))]


def prepare_case(
    cohort: Cohort, case: Case, steps: Sequence[dict[str, Any]], cache: Path, border: int = 0
) -> PreparedCase:
    """Prepare one case, unless the cache holds it whole; arguments as of `prepare_cases`.

    Raises:
        MedunetError: the case can't be read.
    """
    prepared = PreparedCase(case.id, cache / _name_entry(cohort, case, steps, border))
    if prepared.folder.is_dir():
        try:
            prepared.check()
        except (ValueError, EOFError, OSError, MedunetError) as error:
            LOGGER.debug("%s is damaged", prepared.folder, exc_info=True)
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            warn("file-damaged", prepared.folder, f"the prepared case is damaged ({said})", "it is prepared anew")
            shutil.rmtree(prepared.folder)
        else:
            return prepared
    hashes: list[str] = []
    image = run_chain(steps, find_images(case, cohort.channels), look=partial(_hash_images, hashes))
    source = find_source_grid(image)
    grid = Grid(tuple(image.shape[1:]), np.asarray(image.affine), source.unit)
    mask = _read_label(cohort, case, source)
    if border:
        label = make_border_target(resample_numbers(mask.voxels, source.affine, grid), border)
    else:
        label = _resample_classes(mask.join_objects(), grid)
    with whole_folder(prepared.folder) as part:
        np.save(part / "image.npy", np.ascontiguousarray(image.as_tensor().numpy(), dtype=np.float32))
        np.save(part / "affine.npy", grid.affine)
        np.save(part / "label.npy", label)
        write_json(part / "hashes.json", hashes)
        if mask.unknown:
            # Of objects neither interior nor border is known where their label isn't.
            write_json(part / "unknown.json", [*range(1, BORDER + 1)] if border else mask.unknown)
        count = BORDER if border else len(cohort.labels.labels)
        np.save(part / "centres.npy", _find_centres(label, count, cohort.labels.ignore))
    return prepared


def _hash_images(hashes: list[str], images: Mapping[str, MetaTensor]) -> None:
    hashes.extend(hash_image(image.numpy(), np.asarray(image.affine)) for image in images.values())


def _read_label(cohort: Cohort, case: Case, grid: Grid) -> Mask:
    """The labels of a case; all are unknown of one that has none, and says that nobody looked for any."""
    if case.label is not None or case.contoured != ():
        return read_label(cohort, case, grid)
    voxels = np.zeros(grid.shape, np.uint8)
    unknown = tuple(label.value for label in cohort.labels.labels)
    return Mask(kind="classes", voxels=voxels, grid=grid, table=cohort.labels, unknown=unknown)


def _resample_classes(mask: Mask, grid: Grid) -> npt.NDArray[np.uint8]:
    """Label values on another grid, (I, J, K); what nobody looked at competes like a label."""
    values = np.array([0, *(label.value for label in mask.table.labels)], dtype=np.uint8)
    if mask.table.ignore is not None:
        values = np.append(values, np.uint8(mask.table.ignore))
    # Plane by plane: all classes at once are 4 bytes each for a voxel.
    planes = (torch.from_numpy((plane == values[:, None, None]).astype(np.float32)) for plane in mask.voxels)
    return values[resample_planes(planes, mask.grid, grid)]


def _find_centres(label: npt.NDArray[np.uint8], count: int, ignore: int | None) -> npt.NDArray[np.int32]:
    wanted = {value: label == value for value in range(1, count + 1)}
    if ignore is not None and (unseen := label == ignore).any():
        wanted[0] = ~unseen
    found = []
    for value, where in wanted.items():
        indices = np.argwhere(where)
        if len(indices) > CENTRES:
            indices = indices[np.random.default_rng(value).choice(len(indices), CENTRES, replace=False)]
        found.append(np.column_stack([np.full(len(indices), value), indices]))
    return np.concatenate(found).astype(np.int32)


def _name_entry(cohort: Cohort, case: Case, steps: Sequence[dict[str, Any]], border: int) -> str:
    # Entries that were made before cases could say what is contoured keep their names.
    said = case.model_dump(mode="json", exclude={"contoured"} if case.contoured is None else None)
    what = [FORM, said, list(steps), stamp_files(case), *([border] if border else [])]
    if cohort.missing == "unknown":
        what.append(cohort.missing)
    if cohort.label_options != LabelOptions() or cohort.labels.regions:
        regions = [region.model_dump(mode="json") for region in cohort.labels.regions]
        what.append([cohort.label_options.model_dump(mode="json"), regions])
    content = json.dumps(what, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:24]
