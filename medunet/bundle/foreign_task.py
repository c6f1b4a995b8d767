"""What a bundle from elsewhere segments, by its metadata.json: channels, modalities, names of labels."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medunet.bundle.foreign_steps import Chain
from medunet.bundle.parts import Decision
from medunet.errors import BundleError
from medunet.geometry import Unit
from medunet.labels import LabelTable
from medunet.task import Task

SEGMENTS = ("segmentation", "labels", "label", "mask")
"""What MONAI's metadata calls the output of a segmentation."""
OTHER_TASKS = re.compile(r"classif|detect|synthes|generat|registration|landmark|regress", re.IGNORECASE)
MODALITIES = {"MRI": "MR", "PET": "PT", "MAMMOGRAM": "MG", "ULTRASOUND": "US"}
"""What metadata calls a modality, and DICOM calls it."""
LONGEST_NAME = 64
Entry = Mapping[str, Any]


def check_segments(metadata: Entry, path: Path) -> None:
    """Refuse a bundle that does something else.

    Raises:
        BundleError: its output is no segmentation.
    """
    output, task = _find_entry(metadata, "outputs", "pred"), str(metadata.get("task") or metadata.get("name") or "")
    kind = str(output.get("format", "")).lower()
    if kind not in SEGMENTS or (OTHER_TASKS.search(task) and "segment" not in task.lower()):
        what = f"'{task}', its output {output.get('format')!r}" if output else f"'{task}', without an output 'pred'"
        raise BundleError(path, f"the bundle isn't for segmentation ({what})", "run it with monai.bundle")


def count_channels(metadata: Entry, chain: Chain) -> int:
    """Files that a scan consists of: of a chain with one key several where MONAI would stack a list of them."""
    if len(chain.keys) > 1 or chain.first:
        return len(chain.keys)
    return max(_count(_find_entry(metadata, "inputs", "image")), 1)


def make_task(metadata: Entry, chain: Chain, unit: Unit, decision: Decision | None, names: Mapping[int, str]) -> Task:
    """The task of a bundle from elsewhere.

    Args:
        metadata: its metadata.json.
        chain: that loads its images.
        unit: of the grids.
        decision: how outputs become labels; None where MONAI's postprocessing does that.
        names: of labels, by value, where that is so.
    """
    image = _find_entry(metadata, "inputs", "image")
    count = count_channels(metadata, chain)
    modality = "OT" if unit == "px" else _find_modality(image)
    if len(chain.keys) > 1:
        channels = chain.keys
    elif count > 1:
        channels = _name_channels(_read_names(image), count)
    else:
        channels = (modality.lower() if unit == "mm" else "picture",)
    components = {} if len(channels) > 1 or _count(image) < 2 else {channels[0]: _count(image)}
    hounsfield = modality == "CT" and image.get("format") == "hounsfield"
    return Task(
        channels=channels,
        modalities=dict.fromkeys(channels, modality),
        labels=make_labels(names if decision is None else name_values(metadata, decision)),
        unit=unit,
        components=components,
        units=dict.fromkeys(channels, "HU") if hounsfield else {},
    )


def name_outputs(metadata: Entry) -> dict[int, str]:
    """Names of the network's outputs, by their number, where metadata says some."""
    return _read_names(_find_entry(metadata, "outputs", "pred"))


def name_values(metadata: Entry, decision: Decision) -> dict[int, str]:
    """Names of label values."""
    outputs = name_outputs(metadata)
    if decision.kind == "threshold":
        names = {1: outputs.get(0) if len(outputs) < 2 else outputs.get(1)}
    else:
        names = {value: outputs.get(value) for value in decision.values if value}
    for step in decision.steps:
        if step["_target_"] == "MapLabelValued":
            pairs = dict(zip(step.get("orig_labels", ()), step.get("target_labels", ()), strict=False))
            names = {int(pairs.get(value, value)): name for value, name in names.items()}
    return {value: name or f"label {value}" for value, name in names.items() if value > 0}


def make_labels(names: Mapping[int, str]) -> LabelTable:
    """A table of labels; values between that have no name are called by their number."""
    taken: list[str] = []
    for value in range(1, max(names, default=1) + 1):
        name = " ".join(names.get(value, f"label {value}").split())[:LONGEST_NAME] or f"label {value}"
        taken.append(f"{name[: LONGEST_NAME - 6]} {value}" if name in taken else name)
    return LabelTable.from_names(taken)


def count_axes(metadata: Entry) -> int:
    """Spatial axes of the network's input, 0 where metadata doesn't say."""
    shape = _find_entry(metadata, "inputs", "image").get("spatial_shape")
    return len(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else 0


def count_outputs(metadata: Entry) -> int:
    """Outputs of the network, 0 where metadata doesn't say."""
    return _count(_find_entry(metadata, "outputs", "pred"))


def _find_entry(metadata: Entry, side: str, name: str) -> Entry:
    value: Any = metadata
    for key in ("network_data_format", side, name):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _find_modality(image: Entry) -> str:
    """DICOM's name of a modality, which has two letters; OT where metadata says none."""
    said = str(image.get("modality") or "").upper()
    found = MODALITIES.get(said, said)
    return found if len(found) == 2 else "CT" if image.get("format") == "hounsfield" else "OT"


def _count(entry: Entry) -> int:
    count = entry.get("num_channels")
    return count if isinstance(count, int) else 0


def _read_names(entry: Entry) -> dict[int, str]:
    names = entry.get("channel_def")
    if not isinstance(names, Mapping):
        return {}
    return {int(key): str(name) for key, name in names.items() if str(key).isdecimal()}


def _name_channels(names: Mapping[int, str], count: int) -> tuple[str, ...]:
    words = [re.sub(r"\W+", "_", names.get(number, "")).strip("_") for number in range(count)]
    apart = len(set(words)) == count and "image" not in words and all(words)
    return tuple(words) if apart else tuple(f"channel{number}" for number in range(count))
