"""What comes of a job: a prediction, which lies in files or in memory, or a refusal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from medunet.bundle import Recipe
from medunet.confidence import Confidence
from medunet.errors import MedunetError
from medunet.geometry import Grid, Unit
from medunet.inference.maker import Maker
from medunet.inference.outputs import Outputs
from medunet.inference.record import Identity, PredictionRecord
from medunet.inference.scans import Scan
from medunet.inference.status import Analysed, find_refusal, find_status
from medunet.labels import LabelTable, Mask
from medunet.measures import Measures
from medunet.reading import ReadOptions, find_image
from medunet.records import read_record
from medunet.writing import Algorithm, Format, Result

Places = Mapping[str, tuple[str, ReadOptions]]
"""Where each channel of a scan lies and how it is read, by name, without its headers."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A scan that is to be predicted into files.

    Attributes:
        source: the input, as it was given.
        scan: that it turned out to be.
        maker: what predicts.
        outputs: where, and in which formats.
        identity: what decides the prediction.
        earlier: the record of the prediction, where all files are there already.
        started: `time.monotonic()` when it began.
    """

    source: str
    scan: Scan
    maker: Maker
    outputs: Outputs
    identity: Identity
    earlier: PredictionRecord | None
    started: float


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What was predicted of one scan.

    Attributes:
        id: name of the scan, with which the names of its files begin.
        source: the input, as it was given.
        status: whether anything was found.
        files: what there is, by format.
        volumes: of each label or region, in mL; in pixels where the scan has no physical size.
        unit: of the scan's grid, "mm" or "px".
        objects: how many there are, where labels number objects.
        seconds: from reading to writing; 0 where the files were there.
        kept: the files were there already, made by the same weights and options of the same scan.
        warnings: what makes the mask doubtful, in words.
        confidence: how far the mask can be relied on, a structure and in all; none where an earlier version made it.
    """

    id: str
    source: str
    status: Analysed
    files: dict[str, Path]
    volumes: dict[str, float]
    unit: Unit
    objects: int | None
    seconds: float
    kept: bool
    warnings: tuple[str, ...]
    confidence: Confidence | None
    _read: Callable[[], Mask] = field(repr=False)
    _measure: Callable[[], Measures] = field(repr=False)

    @property
    def path(self) -> Path | None:
        """The first file, None where none was written."""
        return next(iter(self.files.values()), None)

    @property
    def mask(self) -> Mask:
        """Labels on the scan's grid; read from the files where there are any."""
        return self._read()

    @property
    def measures(self) -> Measures:
        """Volumes, lesions and values within: from the file, else measured now, for which the scan is read again."""
        return self._measure()


@dataclass(frozen=True, slots=True, eq=False)
class Refusal:
    """A scan that wasn't predicted.

    Attributes:
        id: name of the scan.
        source: the input, as it was given.
        error: why.
    """

    id: str
    source: str
    error: MedunetError

    @property
    def status(self) -> str:
        """What became of the scan, with the code of the error: `nothing matched: CODE` or `refused: CODE`."""
        return f"{find_refusal(self.error)}: {self.error.code}"


def show_mask(source: str, scan: Scan, mask: Mask, recipe: Recipe, seconds: float) -> Prediction:
    """A prediction that isn't written, so that it is kept in memory.

    Args:
        source: the input, as it was given.
        scan: that it turned out to be.
        mask: that was predicted.
        recipe: by which.
        seconds: that it took.
    """
    places = _place_channels(scan, recipe)
    return Prediction(
        id=scan.id,
        source=source,
        status=find_status(mask),
        files={},
        volumes=mask.volumes_ml(),
        unit=mask.grid.unit,
        objects=len(mask.find_sizes()) if mask.kind == "instances" else None,
        seconds=seconds,
        kept=False,
        warnings=mask.warnings,
        confidence=mask.confidence,
        _read=lambda: mask,
        _measure=lambda: _measure(mask, places),
    )


def take_files(job: Job, record: PredictionRecord, seconds: float, find_grid: Callable[[], Grid]) -> Prediction:
    """A prediction that lies in files.

    It doesn't hold the scan, whose headers would stay in memory for as long as somebody keeps what came of it.

    Args:
        job: of the scan.
        record: of its files.
        seconds: that they took.
        find_grid: gives the grid of the scan's first channel.
    """
    rows, task = job.outputs.list_wanted(record.status), job.maker.recipe.task
    files = {row.name: job.outputs.files[row.name] for row in rows}
    masks = [(row, files[row.name]) for row in rows]
    places, written = _place_channels(job.scan, job.maker.recipe), files.get("measures")

    def read() -> Mask:
        return replace(_read_mask(find_grid(), masks, task.labels), confidence=record.confidence)

    return Prediction(
        id=job.scan.id,
        source=job.source,
        status=record.status,
        files=files,
        volumes=record.volumes,
        unit=task.unit,
        objects=record.objects,
        seconds=seconds,
        kept=job.earlier is not None,
        warnings=record.warnings,
        confidence=record.confidence,
        _read=read,
        _measure=lambda: read_record(written, Measures) if written else _measure(read(), places),
    )


def _place_channels(scan: Scan, recipe: Recipe) -> Places:
    images = zip(recipe.task.channels, scan.images.values(), strict=True)
    return {name: (image.path, image.options) for name, image in images}


def _measure(mask: Mask, places: Places) -> Measures:
    """Measure a mask; its scan is found and read again."""
    images = {name: find_image(path, options) for name, (path, options) in places.items()}
    return Result(mask, next(iter(images.values())), Algorithm("", "", ""), images).measures


def _read_mask(grid: Grid, files: Sequence[tuple[Format, Path]], table: LabelTable) -> Mask:
    """The mask that lies in the first of the files; where there is none, nothing was found."""
    for row, path in files:
        if row.read:
            return row.read(path, grid, table)
    return Mask("instances" if table.objects else "classes", np.zeros(grid.shape, np.uint8), grid, table)
