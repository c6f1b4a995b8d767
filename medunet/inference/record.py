"""The record beside a prediction: what was read, with what it was predicted, what came of it.

It also tells whether the same was predicted before: then the files that it names stay as they are.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from medunet.bundle import Recipe
from medunet.confidence import Confidence
from medunet.errors import MedunetError
from medunet.files import hash_file
from medunet.inference.box import Box
from medunet.inference.computing import Computed
from medunet.inference.scans import Scan
from medunet.inference.status import Analysed, find_status
from medunet.labels import Mask
from medunet.reading import Image
from medunet.records import Record, read_record
from medunet.runs import RunRecord, record_run

UNDECISIVE = (
    "name",
    "version",
    "task",
    "extent_mm",
    "values",
    "peak_gib",
    "entry",
    "notes",
    "doubts",
    "evaluated",
    "seen",
)
"""Of a recipe, what decides no mask; the task is written in its own way."""


class ImageRecord(Record):
    """One channel of a scan, as it was read."""

    path: str
    """File, or folder of the series."""
    series_uid: str = ""
    """SeriesInstanceUID; empty where the file is no DICOM."""
    sha256: str
    """SHA-256 of the file; of a series that of the sorted hashes of its files, a line each."""


class FileRecord(Record):
    """One file that was written."""

    file: str
    """Name in the folder of the record."""
    sha256: str
    """SHA-256 of the file."""
    variant: str = ""
    """By which options it was written otherwise than usual; files of another variant are made anew."""


class PredictionRecord(RunRecord):
    """What was predicted of one scan; `inputs` has the hash of each image by its path."""

    scan: str
    """Name of the scan, with which the names of its files begin."""
    date: str
    """When it was written: ISO 8601, UTC."""
    bundle: str
    """Name of the bundle."""
    bundle_version: str
    """Version of the bundle."""
    weights: dict[str, str]
    """SHA-256 of the files of weights, by name."""
    recipe_sha256: str
    """SHA-256 of everything else by which the bundle predicts: chain, network, window, decision, labels."""
    box: str = ""
    """The part that the prediction was restricted to, as `--box` has it; empty for the whole scan."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Probability from which on a label or region is taken, by its name, as `--threshold` has it."""
    temperature: float = 1.0
    """By which logits were divided before probabilities, scores and thresholds; no mask depends on it otherwise."""
    keep_largest: tuple[str, ...] = ()
    """Labels or regions of which only the largest part was kept."""
    smallest: float = 0.0
    """Size below which parts were left out, in mL; in pixels where the scan has no physical size."""
    computed: Computed | None = None
    """By which backend and how precisely; None of versions that didn't say."""
    images: dict[str, ImageRecord]
    """What was read of each channel, by its name."""
    status: Analysed
    """`segmented`, or `nothing found`."""
    volumes: dict[str, float]
    """Volume of each label or region by its name, in mL; in pixels where the scan has no physical size."""
    objects: int | None = None
    """How many there are, where labels number objects."""
    warnings: tuple[str, ...] = ()
    """What makes the result doubtful: how the scan differs from those of training, or its channels from each other."""
    confidence: Confidence | None = None
    """How far the masks can be relied on; none in records of earlier versions."""
    outputs: dict[str, FileRecord]
    """What was written, by format."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides what is predicted of a scan.

    Attributes:
        weights: SHA-256 of the files of weights, by name.
        recipe_sha256: of all else by which the bundle predicts.
        box: the part that it is restricted to, as in `PredictionRecord`.
        images: of the scan, by channel.
        computed: by which backend and how precisely.
    """

    weights: Mapping[str, str]
    recipe_sha256: str
    box: str
    images: Mapping[str, ImageRecord]
    computed: Computed

    def compare(self, record: PredictionRecord) -> str:
        """What was different when a record was made, in words; empty where nothing was."""
        # The same file is model.pt of a run and model_fold1.pt of an ensemble.
        if sorted(self.weights.values()) != sorted(record.weights.values()):
            return "by other weights"
        if (self.recipe_sha256, self.box) != (record.recipe_sha256, record.box):
            return "with other options"
        if self.computed != record.computed:
            return record.computed.describe() if record.computed else "by an earlier version, which didn't say how"
        before = {name: image.sha256 for name, image in record.images.items()}
        return "" if before == {name: image.sha256 for name, image in self.images.items()} else "of another scan"


def identify(recipe: Recipe, weights: Mapping[str, str], scan: Scan, box: Box | None, computed: Computed) -> Identity:
    """Read all files of a scan once to tell what decides its prediction.

    Args:
        recipe: by which it is predicted.
        weights: SHA-256 of the files of weights, by name.
        scan: to be predicted.
        box: to which the prediction is restricted.
        computed: by which backend and how precisely.

    Raises:
        MedunetError: a file is gone.
    """
    names = zip(recipe.task.channels, scan.images.values(), strict=True)
    images = {name: _describe(image) for name, image in names}
    return Identity(dict(weights), hash_recipe(recipe), box.describe() if box else "", images, computed)


def _describe(image: Image) -> ImageRecord:
    # How it is read decides, too: another phase, another rescale.
    how = image.options.model_dump_json(exclude_defaults=True, exclude={"series"})
    if image.series is None:
        digest = hash_file(Path(image.path))
    else:
        lines = "".join(f"{hash_file(Path(file))}\n" for file in sorted(image.series.files))
        digest = hashlib.sha256(lines.encode()).hexdigest()
    if how != "{}":
        digest = hashlib.sha256(f"{digest} {how}".encode()).hexdigest()
    return ImageRecord(path=image.path, series_uid=image.series.uid if image.series else "", sha256=digest)


def hash_recipe(recipe: Recipe) -> str:
    """SHA-256 of what decides a mask in a recipe: not its name, nor what it was foreseen to take."""
    decisive = {name: value for name, value in _list_set(recipe) if name not in UNDECISIVE}
    if recipe.trusted:
        # What was evaluated has no text of its own that stays the same.
        decisive |= {"preprocessing": None, "network": None}
    decisive["task"] = recipe.task.model_dump(mode="json")
    if not recipe.task.sides:  # all axes may be mirrored then, as before there were sides
        decisive["task"].pop("sides")
        decisive.pop("mirrored", None)
    return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()


def _list_set(value: Any) -> Iterator[tuple[str, Any]]:
    """Fields of a dataclass that aren't what they are where nobody says: so a new one leaves hashes as they are."""
    every = ((field, getattr(value, field.name)) for field in fields(value))
    kept = ((field.name, item) for field, item in every if field.default is MISSING or item != field.default)
    return ((name, dict(_list_set(item)) if is_dataclass(item) else item) for name, item in kept)


def find_record(path: Path) -> PredictionRecord | None:
    """The record of an earlier prediction, None where there is none that can be read."""
    try:
        return read_record(path, PredictionRecord)
    except MedunetError:
        return None


def make_record(
    scan: str, recipe: Recipe, identity: Identity, mask: Mask, outputs: Mapping[str, FileRecord], started: float
) -> PredictionRecord:
    """Describe a prediction that ends now.

    Args:
        scan: name of the scan.
        recipe: by which it was predicted.
        identity: what decided it.
        mask: what was predicted.
        outputs: what was written, by format.
        started: `time.monotonic()` when it began.
    """
    inputs = {image.path: image.sha256 for image in identity.images.values()}
    run = record_run("predict", inputs, started, mask.notes, recipe.peak_gib)
    return PredictionRecord(
        **run.model_dump(),
        scan=scan,
        date=datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
        bundle=recipe.name,
        bundle_version=recipe.version,
        weights=dict(identity.weights),
        recipe_sha256=identity.recipe_sha256,
        box=identity.box,
        **_describe_decision(recipe),
        computed=identity.computed,
        images=dict(identity.images),
        status=find_status(mask),
        volumes={name: round(volume, 3) for name, volume in mask.volumes_ml().items()},
        objects=len(mask.find_sizes()) if mask.kind == "instances" else None,
        warnings=mask.warnings,
        confidence=mask.confidence,
        outputs=dict(outputs),
    )


def _describe_decision(recipe: Recipe) -> dict[str, Any]:
    """The fields of a record that say what was decided otherwise than by the network alone."""
    task, kept = recipe.task, {value for group in recipe.cleaning.keep_largest for value in group}
    given = zip(recipe.name_outputs(), recipe.decision.thresholds, strict=False)
    return {
        "thresholds": {name: value for name, value in given if value is not None},
        "temperature": recipe.decision.temperature,
        "keep_largest": tuple(region.name for region in task.labels.structures if kept & {*region.values}),
        "smallest": recipe.cleaning.smallest,
    }
