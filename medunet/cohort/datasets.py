"""Cases of folders that a `dataset.json` describes: the Medical Segmentation Decathlon's and nnU-Net's raw ones."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medunet.cohort.cases import Case, Channel, Cohort, LabelSource, check_ids
from medunet.cohort.lists import ONE_LABEL, TABLE, guess_modality, read_patients
from medunet.cohort.patients import group_cases
from medunet.errors import InputError, MissingInputError, RecordError, independent
from medunet.labels import LabelTable
from medunet.reading.volume import IMAGES
from medunet.records import check_record, read_json

NAME = "dataset.json"
ENDINGS = (".nii.gz", *(ending for ending in IMAGES if ending not in (".nii.gz", ".png")))
"""Of volumes that would be left out without a word where a dataset holds others than its `file_ending` says."""
IGNORE = "ignore"
"""Label of voxels that nobody looked at, by nnU-Net's convention."""


def read_dataset(folder: Path) -> Cohort:
    """Read the training cases of a folder with a `dataset.json`.

    Both layouts are known: the Decathlon's (`modality`, labels by number, `training` lists the files) and nnU-Net's
    (`channel_names`, labels by name, `file_ending`, `imagesTr/<case>_0000<ending>`; files of volumes that end otherwise
    are taken, too). Neither names patients: a `cases.csv` beside it does, else names of cases that differ only in
    their end, else each case is a patient.

    Raises:
        RecordError: a key is missing or says what isn't possible here.
        MissingInputError: a listed file isn't there, or there is no case.
    """
    path = folder / NAME
    content = read_json(path)
    if not isinstance(content, dict):
        raise RecordError(path, "it is no JSON object", "take the dataset's own file", code="list-wrong")
    names, modalities = _read_channels(path, content)
    labels = read_labels(path, content)
    if content.get("training"):
        names, modalities = _join_channels(path, names, modalities)
        cases = _list_decathlon(path, content["training"], names[0])
    else:
        cases = _find_nnunet(path, str(content.get("file_ending", ".nii.gz")), names)
    check_ids(cases, str(path))
    cohort = Cohort(channels=names, modalities=modalities, labels=labels, cases=cases)
    if not (folder / TABLE).is_file():
        return group_cases(cohort)
    patients = read_patients(folder / TABLE, [case.id for case in cases])
    named = tuple(case.model_copy(update={"patient": patients[case.id]}) for case in cases)
    return cohort.model_copy(update={"cases": named})


def read_unlabelled(folder: Path, images: str) -> Cohort:
    """Read the cases of one folder of images of a dataset, whose labels don't matter.

    Args:
        folder: with a `dataset.json`, as of `read_dataset`.
        images: name of the folder in it: `imagesTs`, or `imagesTr`.

    Returns:
        A case for each name, with those of its channels that lie there.

    Raises:
        RecordError: a key is missing or says what isn't possible here.
    """
    path = folder / NAME
    content = read_json(path)
    if not isinstance(content, dict):
        raise RecordError(path, "it is no JSON object", "take the dataset's own file", code="list-wrong")
    names, modalities = _read_channels(path, content)
    if content.get("training"):
        names, modalities = _join_channels(path, names, modalities)
    found: dict[str, dict[str, Channel]] = {}
    for stem, files in sorted(list_files(folder / images, str(content.get("file_ending", ENDINGS[0]))).items()):
        match = re.fullmatch(r"(.+)_(\d{4})", stem)
        if content.get("training"):
            found[stem] = {names[0]: Channel(path=str(files[0]))}
        elif match and int(match[2]) < len(names):
            found.setdefault(match[1], {})[names[int(match[2])]] = Channel(path=str(files[0]))
    cases = tuple(Case(id=name, patient=name, channels=channels) for name, channels in found.items())
    return Cohort(channels=names, modalities=modalities, labels=ONE_LABEL, cases=cases)


def _read_channels(path: Path, content: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, str]]:
    given = content.get("channel_names", content.get("modality"))
    if not isinstance(given, dict) or not given:
        raise RecordError(
            path, "it names no channels", "add modality or channel_names, such as {'0': 'CT'}", code="list-wrong"
        )
    titles = [str(given[key]) for key in sorted(given, key=lambda key: int(key) if str(key).isdigit() else 0)]
    names = name_channels(titles)
    return names, {name: guess_modality(title) for name, title in zip(names, titles, strict=True)}


def name_channels(titles: list[str]) -> tuple[str, ...]:
    """Names of channels, each its own, from what a dataset calls them."""
    names = [re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "image" for title in titles]
    return tuple(name if names.count(name) == 1 else f"{name}_{n}" for n, name in enumerate(names))


def read_labels(path: Path, content: Mapping[str, Any]) -> LabelTable:
    """Labels by number (Decathlon) or by name, regions and what is to be ignored (nnU-Net); 0 is background.

    Args:
        path: of the file, which errors name.
        content: holds them as `labels`, and perhaps `regions_class_order`.

    Raises:
        RecordError: they aren't 1, 2, … with a background, or regions have no order.
    """
    by_name = _number_labels(path, content.get("labels"))
    ignored = by_name.pop(IGNORE, None)
    background = [name for name, values in by_name.items() if values == (0,)]
    structures = {name: values for name, values in by_name.items() if name not in background}
    found = sorted({value for values in structures.values() for value in values})
    if ignored and (len(ignored) > 1 or ignored[0] <= max(found, default=0)):
        raise RecordError(
            path, f"its label '{IGNORE}' is not the last", "give it the highest value, one only", code="list-wrong"
        )
    regions = any(len(values) > 1 for values in structures.values())
    twice = not regions and len(found) < len(structures)
    if len(background) != 1 or not found or found != list(range(1, len(found) + 1)) or twice:
        listed = ", ".join(str(value) for values in structures.values() for value in values) or "none"
        said = f"its label values besides background are {listed}"
        example = ",".join(f"{value}={number}" for number, value in enumerate(found[:3], 1) if value != number)
        stored = f', and say with --label-values "{example}" what the label maps hold' if example else ""
        raise RecordError(path, said, f"number labels 1, 2, … with background 0{stored}", code="list-wrong")
    own = {values[0]: name for name, values in structures.items() if len(values) == 1}
    table = LabelTable.from_names([own.get(value, f"label {value}") for value in found]).model_dump(mode="json")
    if regions:
        table["regions"] = _order_regions(path, structures, content.get("regions_class_order"))
    return check_record({**table, "ignore": ignored and ignored[0]}, LabelTable, str(path), "list-wrong")


def _number_labels(path: Path, given: Any) -> dict[str, tuple[int, ...]]:
    if not isinstance(given, dict):
        raise RecordError(
            path, "it has no labels", "add them, such as {'background': 0, 'tumor': 1}", code="list-wrong"
        )
    by_name = {}
    for key, value in given.items():
        number, name = (key, value) if str(key).isdigit() else (value, key)
        values = number if isinstance(number, list) else [number]
        if not values or not all(str(item).isdigit() for item in values):
            found = f"its label '{name}' is {number}"
            raise RecordError(path, found, "give its value, or those of a region as a list", code="list-wrong")
        by_name[str(name)] = tuple(int(item) for item in values)
    return by_name


def _order_regions(path: Path, regions: dict[str, tuple[int, ...]], order: Any) -> list[dict[str, Any]]:
    """Regions with the value that each gets in a label map, where later ones overwrite earlier ones."""
    if not isinstance(order, list) or len(order) != len(regions):
        raise RecordError(
            path,
            f"its regions_class_order is {order}",
            "add the value that each region gets in a label map, in the order of the regions",
            expected=f"{len(regions)} values",
            code="list-wrong",
        )
    return [
        {"name": name, "values": values, "value": value}
        for (name, values), value in zip(regions.items(), order, strict=True)
    ]


def _join_channels(
    path: Path, names: tuple[str, ...], modalities: dict[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The Decathlon keeps all channels of a case in one file, so they are components of one channel."""
    if len(names) == 1:
        return names, modalities
    kinds = set(modalities.values())
    if len(kinds) > 1:
        raise RecordError(
            path,
            f"its images hold {', '.join(sorted(kinds))} in one file",
            "split them into <case>_0000.nii.gz, <case>_0001.nii.gz, … as nnU-Net does",
            code="list-wrong",
        )
    return ("image",), {"image": kinds.pop()}


def _list_decathlon(path: Path, listed: Any, name: str) -> tuple[Case, ...]:
    cases = []
    for item in listed:
        with independent():
            if not isinstance(item, Mapping) or not {"image", "label"} <= set(item):
                raise RecordError(
                    path, f"its training list holds {item!r}", "give image and label of each case", code="list-wrong"
                )
            image, label = (_locate(path, str(item[key])) for key in ("image", "label"))
            cases.append(_make_case(re.sub(r"(\.nii)?\.[^.]+$", "", image.name), {name: image}, label))
    return tuple(cases)


def _find_nnunet(path: Path, ending: str, names: tuple[str, ...]) -> tuple[Case, ...]:
    labels, images = (list_files(path.parent / name, ending) for name in ("labelsTr", "imagesTr"))
    if not any(label.name.endswith(ending) for found in labels.values() for label in found):
        raise MissingInputError(
            path.parent / "labelsTr", f"it holds no *{ending}", "correct file_ending or add labels", code="path-missing"
        )
    cases = []
    for name, label in sorted(labels.items()):
        with independent():
            wanted = {channel: f"{name}_{number:04d}" for number, channel in enumerate(names)}
            found = {
                channel: choose_file(images[stem]) if stem in images else _locate(path, f"imagesTr/{stem}{ending}")
                for channel, stem in wanted.items()
            }
            cases.append(_make_case(name, found, choose_file(label)))
    return tuple(cases)


def list_files(folder: Path, ending: str) -> dict[str, list[Path]]:
    """Files of a folder by their names without an ending; such that end otherwise than the dataset says, too."""
    found: dict[str, list[Path]] = {}
    endings = dict.fromkeys((ending, *ENDINGS))
    for item in sorted(folder.iterdir()) if folder.is_dir() else []:
        own = next((end for end in endings if item.name.lower().endswith(end.lower())), None)
        if own is not None and not item.name.startswith("."):
            found.setdefault(item.name[: -len(own)], []).append(item.absolute())
    return found


def choose_file(files: list[Path]) -> Path:
    """The only file of a name.

    Raises:
        InputError: two have it.
    """
    if len(files) > 1:
        found = f"{files[0].name} has the same name and another ending"
        raise InputError(files[1], found, "take one of them away", code="name-twice")
    return files[0]


def _locate(path: Path, relative: str) -> Path:
    found = path.parent / relative
    if not found.is_file():
        raise MissingInputError(
            found, f"{path.name} names it, but it isn't there", "add it or correct the list", code="path-missing"
        )
    return found.absolute()


def _make_case(name: str, images: dict[str, Path], label: Path) -> Case:
    channels = {channel: Channel(path=str(image)) for channel, image in images.items()}
    return Case(id=name, patient=name, channels=channels, label=LabelSource(path=str(label.absolute())))
