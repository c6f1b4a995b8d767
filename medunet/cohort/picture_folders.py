"""Find the cases of a folder of pictures: `images/` and `labels/` of PNG with equal names."""

import logging
import os
from pathlib import Path

import numpy as np

from medunet.cohort.cases import Case, Channel, Cohort, LabelSource
from medunet.cohort.patients import group_cases
from medunet.errors import InputError, LabelError, independent
from medunet.findings import warn
from medunet.labels import LabelTable
from medunet.progress import track
from medunet.reading import read_indices

LOGGER = logging.getLogger(__name__)
ENDING = ".png"
UNREADABLE = (".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
"""Pictures that would be left out without a word."""
CLASSES = 32
"""Label maps with a larger value number objects: no set of classes is so large."""


def hold_pictures(folder: Path) -> bool:
    """Whether a folder holds `images/` with pictures, and `labels/`."""
    images = folder / "images"
    endings = {path.suffix.lower() for path in images.iterdir()} if images.is_dir() else set()
    return (folder / "labels").is_dir() and not endings.isdisjoint((ENDING, *UNREADABLE))


def find_pictures(folder: Path, *, objects: bool = False) -> Cohort:
    """Find the pictures of `images/` and the label maps of the same names in `labels/`.

    Each picture is a case, of its own patient where its name doesn't say more. Label values are 1, 2, … for classes;
    they number the objects of one label where `objects` says so or where one is above 32.

    Args:
        folder: holds both folders.
        objects: label maps number objects.

    Raises:
        InputError: a picture is no PNG, or two have one name.
        LabelError: a label map has no picture, or there is none.
    """
    images, labels = (_list_pictures(folder / name) for name in ("images", "labels"))
    for name, path in labels.items():
        with independent():
            if name not in images:
                raise LabelError(
                    path, "no picture in images has its name", "name them alike or take it away", code="name-twice"
                )
    if not labels:
        raise LabelError(
            folder / "labels", "it holds no PNG", "add label maps named like their pictures", code="path-missing"
        )
    cases = [
        Case(
            id=name,
            patient=name,
            channels={"image": Channel(path=os.path.abspath(path))},
            label=LabelSource(path=os.path.abspath(labels[name])) if name in labels else None,
        )
        for name, path in images.items()
    ]
    table = LabelTable.from_names(["object"], objects=True) if objects else _find_labels(labels)
    return group_cases(Cohort(channels=("image",), modalities={"image": "OT"}, labels=table, cases=tuple(cases)))


def _list_pictures(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        ending = path.suffix.lower()
        with independent():
            if ending in UNREADABLE:
                raise InputError(path, "it is no PNG", "convert it, or take it away", code="not-an-image")
            if ending == ENDING:
                if path.stem in found:
                    raise InputError(
                        path, f"{found[path.stem].name} has the same name", "rename one of them", code="name-twice"
                    )
                found[path.stem] = path
    return found


def _find_labels(labels: dict[str, Path]) -> LabelTable:
    name, largest = "", 0
    for label, path in track(labels.items(), "reading labels", len(labels)):
        with independent():
            largest, name = max((largest, name), (int(np.max(read_indices(path)[0])), label))
    return name_labels(largest, name)


def name_labels(largest: int, name: str) -> LabelTable:
    """Classes or objects, by the largest value of all label maps.

    Args:
        largest: that value.
        name: of the case that has it.
    """
    if largest > CLASSES:
        LOGGER.info("label values up to %d (%s) number objects: together they are one label, 'object'", largest, name)
        return LabelTable.from_names(["object"], objects=True)
    if largest > 1:
        found = f"its label values up to {largest} are taken as classes"
        warn("label-values", name, found, "if they number objects, add --objects")
        return LabelTable.from_names([f"label {value}" for value in range(1, largest + 1)])
    return LabelTable.from_names(["object"])
