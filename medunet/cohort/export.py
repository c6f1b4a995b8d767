"""Write a cohort in the layout of nnU-Net or of the Medical Segmentation Decathlon."""

import csv
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medunet.cohort.cases import Case, Cohort, check_ids, limit_folds
from medunet.cohort.contoured import NAME as CONTOURED
from medunet.cohort.datasets import IGNORE, NAME, name_channels
from medunet.cohort.lists import TABLE, guess_modality
from medunet.cohort.opening import read_channel, read_label
from medunet.errors import InputError, LabelError
from medunet.files import whole_folder
from medunet.findings import warn
from medunet.geometry import Affine, Grid, check_same_pixels, measure_displacement
from medunet.labels import LabelTable, Mask
from medunet.progress import track
from medunet.reading import Volume, read_mask, read_volume
from medunet.records import suggest, write_json
from medunet.writing import write_grey, write_image, write_nifti, write_picture

LOGGER = logging.getLogger(__name__)
Voxels = npt.NDArray[np.generic]
Resample = Callable[[Voxels, Affine, Grid], npt.NDArray[np.float32]]
"""Brings an image (C, I, J, K) from the grid of an affine to another one."""
LAYOUTS = ("nnunet", "msd")
TITLES = {"CT": "CT", "PT": "PET", "US": "US"}
"""DICOM modality to what both layouts call it."""
SCHEMES = ("ct", "nonorm", "zscore", "rescale_to_0_1", "rgb_to_0_1")
"""Channel names by which nnU-Net chooses how to normalise; all others get z-scores. Source: nnU-Net 2.8.1,
preprocessing/normalization/map_channel_name_to_normalization.py."""
FOLDER = re.compile(r"Dataset\d{3}_.+")
"""How nnU-Net wants a dataset to be called."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A case as it was written.

    Attributes:
        case: what it was.
        known: values of the labels that somebody looked for.
        titles: of its components.
        units: of their values, "px" at least for pictures; "" where a file names none.
        images: its files, relative to the dataset.
        label: likewise, "" where it has none.
        grid: of all of them.
    """

    case: Case
    known: tuple[int, ...]
    titles: tuple[str, ...]
    units: tuple[str, ...]
    images: tuple[str, ...]
    label: str
    grid: Grid


def export_cohort(cohort: Cohort, folder: Path, layout: str, resample: Resample) -> None:
    """Write a cohort as a new folder, whole or not at all.

    Images and labels lie on the grid of the first channel, to which channels on other grids are resampled. nnU-Net
    has a file for each component of each channel, the Decathlon one file with all of them. Images without a label
    go to `imagesTs`. A table, `cases.csv`, names the patient and the files of each case, and `splits_final.json`
    holds the folds, if the cohort has some.

    Args:
        cohort: with absolute paths.
        folder: to be made.
        layout: of `LAYOUTS`.
        resample: brings a channel to the grid of the first.

    Raises:
        OutputExistsError: the folder exists.
        InputError: the layout is unknown or can't hold such a cohort, or cases differ in components or units.
        LabelError: no case has a label, or a label's name means something else in the layout.
        MedunetError: a case can't be read.
    """
    _check_layout(cohort, layout, folder)
    cohort = limit_folds(cohort, str(folder))
    with whole_folder(folder) as part:
        for place in ("imagesTr", "imagesTs", "labelsTr"):
            (part / place).mkdir()
        written: list[_Written] = []
        for case in track(cohort.cases, "writing cases", len(cohort.cases)):
            written.append(_write_case(cohort, case, part, layout, resample))
            _check_alike(written[-1], written[0])
        labelled, bare = ([item for item in written if bool(item.label) == wanted] for wanted in (True, False))
        describe = _describe_nnunet if layout == "nnunet" else _describe_decathlon
        write_json(part / NAME, describe(cohort, labelled, bare))
        _write_table(part / TABLE, written)
        if cohort.folds:
            write_json(part / "splits_final.json", _make_splits(cohort.folds, labelled))
        if cohort.missing is not None or any(len(item.known) < len(cohort.labels.labels) for item in labelled):
            write_json(part / CONTOURED, _list_contoured(cohort.labels, labelled))
        if not bare:
            (part / "imagesTs").rmdir()
    if layout == "nnunet" and not FOLDER.fullmatch(folder.name):
        LOGGER.info("nnU-Net looks for it in its nnUNet_raw, called like Dataset001_%s", folder.name)


def _check_alike(item: _Written, first: _Written) -> None:
    """Check that two cases have the same components in the same units; files that name no unit are believed."""
    named = [pair for pair in zip(item.units, first.units, strict=False) if all(pair)]
    if (item.titles, item.grid.unit) != (first.titles, first.grid.unit) or any(own != other for own, other in named):
        raise InputError(
            f"case {item.case.id}",
            f"its images are {_list_images(item)}",
            "make all cases alike, or leave it out",
            f"{_list_images(first)}, as of {first.case.id}",
            code="components-differ",
        )


def _list_images(item: _Written) -> str:
    pairs = zip(item.titles, item.units, strict=True)
    return ", ".join(f"{title} in {unit}" if unit else title for title, unit in pairs)


def _check_layout(cohort: Cohort, layout: str, folder: Path) -> None:
    if layout not in LAYOUTS:
        raise InputError(
            f"--format {layout}", "there is no such layout", suggest(layout, list(LAYOUTS)), code="option-wrong"
        )
    check_ids(cohort.cases, str(folder))
    if all(case.label is None for case in cohort.cases):
        raise LabelError(folder, "none of its cases has a label", "add labels", code="label-missing")
    if layout == "msd" and not cohort.labels.is_plain:
        found = "its labels have regions or a value to ignore, which it can't hold"
        raise InputError(f"--format {layout}", found, "choose nnunet", code="format-unfit")
    for name in (region.name for region in cohort.labels.structures):
        if name in ("background", IGNORE) or name.isdecimal():
            found = "its name means something else in a dataset.json"
            raise LabelError(f"the label '{name}'", found, "rename it", code="format-unfit")
    kinds = {guess_modality(_make_title(name, cohort)) for name in cohort.channels}
    if layout == "msd" and len(kinds) > 1:
        raise InputError(
            f"--format {layout}",
            f"its channels are {', '.join(sorted(kinds))}, which would share one file",
            "choose nnunet, or one of them with --channels",
            code="format-unfit",
        )


def _make_title(channel: str, cohort: Cohort) -> str:
    """What a channel is called in a dataset.json: CT exactly if it is in HU, since nnU-Net clips such a one."""
    modality = cohort.modalities[channel]
    title = TITLES.get(modality, channel)
    mistaken = title.casefold() in SCHEMES or guess_modality(title) not in ("MR", modality)
    return f"{modality} {title}" if mistaken and modality not in TITLES else title


def _write_case(cohort: Cohort, case: Case, part: Path, layout: str, resample: Resample) -> _Written:
    reference = read_channel(case, cohort.channels[0])
    grid = reference.grid
    ending = ".nii.gz" if grid.unit == "mm" else ".png"
    if layout == "msd" and ending == ".png":
        raise InputError(
            f"case {case.id}", "it is a picture, and the Decathlon has NIfTI only", "choose nnunet", code="format-unfit"
        )
    volumes = [reference, *(_match(read_channel(case, name), case, grid, resample) for name in cohort.channels[1:])]
    components = [
        (_make_title(name, cohort), volume.source.units or grid.unit * (grid.unit == "px"), voxels[None])
        for name, volume in zip(cohort.channels, volumes, strict=True)
        for voxels in volume.voxels
    ]
    titles, units, images = zip(*components, strict=True)
    stem = f"{'imagesTr' if case.label else 'imagesTs'}/{case.id}"
    if layout == "nnunet":
        files = {f"{stem}_{n:04d}{ending}": voxels for n, voxels in enumerate(images)}
    else:
        files = {stem + ending: _join(images)}
    for name, voxels in files.items():
        _write_voxels(voxels, grid, part / name)
    label = f"labelsTr/{case.id}{ending}" if case.label else ""
    known: tuple[int, ...] = ()
    if label:
        mask = _close_gap(read_label(cohort, case, grid).join_objects())
        known = tuple(item.value for item in mask.table.labels if item.value not in mask.unknown)
        write = write_nifti if ending == ".nii.gz" else write_picture
        write(mask, part / label, lambda path, _: read_mask(path, grid, mask.table))
    else:
        warn("label-missing", case.id, "it has no label, so its images go to imagesTs")
    return _Written(case, known, titles, units, tuple(files), label, grid)


def _close_gap(mask: Mask) -> Mask:
    """nnU-Net wants the value to ignore right above those of the labels."""
    table = mask.table
    if table.ignore is None:
        return mask
    table = table.model_copy(update={"ignore": len(table.labels) + 1})
    voxels = np.where(mask.voxels == mask.table.ignore, np.array(table.ignore, mask.voxels.dtype), mask.voxels)
    return replace(mask, voxels=voxels, table=table)


def _match(volume: Volume, case: Case, grid: Grid, resample: Resample) -> Volume:
    """A channel on the grid of the first."""
    check_same_pixels(volume.grid, grid, volume.source.path, "the first channel")
    if measure_displacement(volume.grid, grid) <= grid.limits.accepted:
        return volume
    LOGGER.info("%s: %s is resampled to the grid of the first channel", case.id, volume.source.path)
    return replace(volume, voxels=resample(volume.voxels, volume.grid.affine, grid), grid=grid)


def _join(images: Sequence[Voxels]) -> Voxels:
    joined = np.concatenate(images)
    return joined.astype(np.float32, copy=False) if joined.dtype.kind == "f" else joined


def _write_voxels(voxels: Voxels, grid: Grid, path: Path) -> None:
    if grid.unit == "px":
        write_grey(voxels[0], path, lambda part: read_volume(part).voxels[0])
    else:
        write_image(voxels, grid, path, _read_back)


def _read_back(path: Path) -> tuple[Voxels, Grid]:
    volume = read_volume(path)
    return volume.voxels, volume.grid


def _describe_nnunet(cohort: Cohort, labelled: list[_Written], _: list[_Written]) -> dict[str, Any]:
    first = labelled[0]
    content: dict[str, Any] = {
        "channel_names": {str(n): title for n, title in enumerate(first.titles)},
        **_describe_labels(cohort.labels),
        "numTraining": len(labelled),
        "file_ending": ".nii.gz" if first.grid.unit == "mm" else ".png",
    }
    if not all(item.grid.is_orthogonal() for item in labelled):
        # nnU-Net's first choice, ITK, refuses sheared grids.
        content["overwrite_image_reader_writer"] = "NibabelIO"
    return content


def _describe_labels(table: LabelTable) -> dict[str, Any]:
    labels: dict[str, Any] = {"background": 0}
    if table.regions:
        labels |= {region.name: list(region.values) for region in table.regions}
    else:
        labels |= {label.name: label.value for label in table.labels}
    if table.ignore is not None:
        labels[IGNORE] = len(table.labels) + 1
    order = {"regions_class_order": [region.value for region in table.regions]} if table.regions else {}
    return {"labels": labels, **order}


def _describe_decathlon(cohort: Cohort, labelled: list[_Written], bare: list[_Written]) -> dict[str, Any]:
    titles = labelled[0].titles
    return {
        "name": "cohort",
        "description": "",
        "reference": "",
        "licence": "",
        "release": "",
        "tensorImageSize": "3D" if len(titles) == 1 else "4D",
        "modality": {str(n): title for n, title in enumerate(titles)},
        "labels": {"0": "background"} | {str(label.value): label.name for label in cohort.labels.labels},
        "numTraining": len(labelled),
        "numTest": len(bare),
        "training": [{"image": f"./{item.images[0]}", "label": f"./{item.label}"} for item in labelled],
        "test": [f"./{item.images[0]}" for item in bare],
    }


def _write_table(path: Path, written: list[_Written]) -> None:
    titles, images = written[0].titles, written[0].images
    names = name_channels(list(titles)) if len(images) == len(titles) else ("image",)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["id", "patient", *names, "label"])
        table.writerows([item.case.id, item.case.patient, *item.images, item.label] for item in written)


def _list_contoured(table: LabelTable, labelled: list[_Written]) -> dict[str, list[str]]:
    """The labels that somebody looked for in each case, as a dataset.json calls them; a warning where some aren't."""
    own = {region.values[0]: region.name for region in table.structures if len(region.values) == 1}
    partial = [item.case.id for item in labelled if len(item.known) < len(table.labels)]
    if partial:
        found = f"nobody looked for all labels in {len(partial)} of {len(labelled)} cases, which only {CONTOURED} says"
        warn("label-unsaid", "cohort", found, "other programs take what wasn't looked for as background")
    return {item.case.id: [own.get(value, f"label {value}") for value in item.known] for item in labelled}


def _make_splits(folds: tuple[tuple[str, ...], ...], labelled: list[_Written]) -> list[dict[str, list[str]]]:
    """nnU-Net's form: the cases of each fold that are trained on and held out."""
    return [
        {
            key: [item.case.id for item in labelled if (item.case.patient in fold) == held_out]
            for key, held_out in (("train", False), ("val", True))
        }
        for fold in folds
    ]
