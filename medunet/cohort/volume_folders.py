"""Find the cases of a folder of volumes: `images/` and `labels/` of NIfTI, NRRD or MHA with equal names."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medunet.cohort.cases import Case, Channel, Cohort, LabelSource
from medunet.cohort.contoured import NAME as CONTOURED
from medunet.cohort.datasets import ENDINGS, choose_file, list_files, read_labels
from medunet.cohort.lists import guess_modality
from medunet.cohort.patients import group_cases
from medunet.cohort.picture_folders import name_labels
from medunet.errors import InputError, LabelError, independent
from medunet.labels import LabelTable
from medunet.progress import track
from medunet.reading import read_placed_map
from medunet.records import read_json

LOGGER = logging.getLogger(__name__)
NAMES = "labels.json"
"""File beside both folders that names the values of label maps."""
NUMBERED = re.compile(r"(.+)_(\d{4})")
"""Name of a case and the number of a channel, as nnU-Net writes them."""
ONE = "image"
"""What the only channel is called that nobody named."""


def hold_volumes(folder: Path) -> bool:
    """Whether a folder holds `images/` with volumes, and `labels/`."""
    images = folder / "images"
    return (folder / "labels").is_dir() and images.is_dir() and bool(list_files(images, ENDINGS[0]))


def find_volumes(folder: Path, channels: tuple[str, ...] | None = None, *, objects: bool = False) -> Cohort:
    """Find the volumes of `images/` and the label maps of the same names in `labels/`.

    Each volume is a case, of its own patient where its name doesn't say more; or each channel of a case is a file,
    `NAME_0000`, `NAME_0001` and so on. Labels are named by `labels.json` ({"liver": 1}), or by `labels` in the
    `contoured.json` beside both folders; else they are "label 1", "label 2", …

    Args:
        folder: holds both folders.
        channels: names of the channels, like "ct", by which their modality is known; "image" if none are given.
        objects: label maps number objects.

    Raises:
        InputError: two files have one name, a case lacks a channel, or there are other channels than were named.
        LabelError: a label map has no volume, or there is none.
        RecordError: the file of names is wrong.
    """
    images, labels = _list_channels(folder / "images"), _list_maps(folder / "labels")
    for name, path in labels.items():
        with independent():
            if name not in images:
                found = "no volume in images has its name"
                raise LabelError(path, found, "name them alike or take it away", code="name-twice")
    count = max(map(len, images.values()))
    for name, files in images.items():
        with independent():
            if len(files) < count:
                found = f"it has {len(files)} of {count} channels"
                raise InputError(f"case {name}", found, "add the others, or leave it out", code="channel-missing")
    names = _name_channels(folder, count, channels)
    cases = [
        Case(
            id=name,
            patient=name,
            channels={channel: Channel(path=str(path)) for channel, path in zip(names, files, strict=True)},
            label=LabelSource(path=str(labels[name])) if name in labels else None,
        )
        for name, files in images.items()
    ]
    modalities = {name: "OT" if channels is None else guess_modality(name) for name in names}
    table = LabelTable.from_names(["object"], objects=True) if objects else _name_labels(folder, labels)
    return group_cases(Cohort(channels=names, modalities=modalities, labels=table, cases=tuple(cases)))


def _list_volumes(folder: Path) -> dict[str, Path]:
    return {stem: choose_file(files) for stem, files in list_files(folder, ENDINGS[0]).items()}


def _list_channels(folder: Path) -> dict[str, list[Path]]:
    """Files of each case, in the order of their numbers."""
    files = _list_volumes(folder)
    numbered = {stem: NUMBERED.fullmatch(stem) for stem in files}
    if not all(numbered.values()):
        return {stem: [path] for stem, path in files.items()}
    grouped: dict[str, list[Path]] = {}
    for stem, match in sorted(numbered.items()):
        if match is not None:
            grouped.setdefault(match[1], []).append(files[stem])
    return grouped


def _list_maps(folder: Path) -> dict[str, Path]:
    found = _list_volumes(folder)
    if not found:
        remedy = "add label maps named like their volumes"
        raise LabelError(folder, "it holds no label map", remedy, code="path-missing")
    return found


def _name_channels(folder: Path, count: int, given: tuple[str, ...] | None) -> tuple[str, ...]:
    if given is None:
        LOGGER.info("the scans of %s have no modality: where it is CT or PET, name it, as with --channels ct", folder)
        return (ONE,) if count == 1 else tuple(f"{ONE}_{number}" for number in range(count))
    if len(given) != count:
        found = f"its cases have {count} channel{'' if count == 1 else 's'}"
        raise InputError(folder, found, f"name each, not {', '.join(given)}", code="channel-missing")
    return given


def _name_labels(folder: Path, labels: Mapping[str, Path]) -> LabelTable:
    """The labels by a file of names, else by the largest value of all label maps."""
    for path in (folder / NAMES, folder / CONTOURED):
        content = read_json(path) if path.is_file() else None
        named = content.get("labels", content if path.name == NAMES else None) if isinstance(content, dict) else None
        if isinstance(named, dict):
            return read_labels(path, {"labels": {"background": 0, **named}})
    largest, name = 0, ""
    for label, path in track(labels.items(), "reading labels", len(labels)):
        with independent():
            largest, name = max((largest, name), (int(np.max(read_placed_map(path)[0], initial=0)), label))
    return name_labels(largest, name)
