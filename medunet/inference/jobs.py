"""Predict any number of scans: one after the other, past those that are refused, and on where it was stopped.

A *job* is one scan that is predicted by one recipe into one set of files. What comes of it is a `Prediction` or a
`Refusal`; both are given as soon as they are there, and hold no voxels, so that thousands of scans take the memory of
one. Files that the same weights, recipe, options and scan have made already stay as they are.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from medunet.bundle import Recipe
from medunet.confidence import Confidence
from medunet.errors import MedunetError, ResourceError, name_fault
from medunet.geometry import Grid, Unit
from medunet.inference.box import Box
from medunet.inference.inputs import Input
from medunet.inference.maker import Maker
from medunet.inference.memory import NOTHING_SAID, Means, Provision, provide
from medunet.inference.outputs import (
    Outputs,
    check_formats,
    find_earlier,
    is_whole,
    list_missing,
    write_outputs,
)
from medunet.inference.predict import predict_scan
from medunet.inference.probabilities import ProbabilityMaps
from medunet.inference.record import Identity, PredictionRecord, Status, find_record, find_status, identify
from medunet.inference.scans import Scan
from medunet.labels import LabelTable, Mask
from medunet.measures import Measures
from medunet.reading import ReadOptions, find_image, read_volume
from medunet.records import read_record
from medunet.writing import Algorithm, Format, Probabilities, Result

LOGGER = logging.getLogger(__name__)
Places = Mapping[str, tuple[str, ReadOptions]]
"""Where each channel of a scan lies and how it is read, by name, without its headers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall become of each scan.

    Attributes:
        formats: of the files.
        folder: in which they are written; without one nothing is.
        box: in the patient, to which predictions are restricted.
        empty: a format that may be left out is written where nothing was found, too.
        overwrite: files that something else has made are replaced.
        means: memory and scratch that a job may take.
    """

    formats: tuple[Format, ...]
    folder: Path | None = None
    box: Box | None = None
    empty: bool = True
    overwrite: bool = False
    means: Means = NOTHING_SAID


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
    status: Status
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
        """What became of the scan, with the code of the error: `refused: CODE`."""
        return f"refused: {self.error.code}"


def run_jobs(inputs: Sequence[Input], wanted: Wanted, maker: Maker) -> Iterator[Prediction | Refusal]:
    """Predict scans, one after the other.

    Args:
        inputs: from `list_inputs`.
        wanted: what shall become of each.
        maker: what predicts.

    Yields:
        What came of each input, in their order, as soon as it is there.
    """
    for doubt in maker.recipe.doubts:
        LOGGER.warning("%s: %s", maker.recipe.name, doubt)
    if len(inputs) > 1 or maker.recipe.peak_gib:
        foreseen = maker.recipe.peak_gib
        memory = f", {foreseen:.2f} GiB of memory at most for a scan like those of training" if foreseen else ""
        LOGGER.info("%d scan%s to predict%s", len(inputs), "" if len(inputs) == 1 else "s", memory)
    for item in inputs:
        yield _run_job(item, wanted, maker)


def _run_job(item: Input, wanted: Wanted, maker: Maker) -> Prediction | Refusal:
    try:
        return predict_found(item.source, replace(item.find(), id=item.id), wanted, maker)
    except MedunetError as error:
        return Refusal(item.id, item.source, error)
    # One scan on which a library, or we, fail in a way that nobody foresaw doesn't cost the others of a long night.
    except Exception as error:
        LOGGER.debug("%s failed", item.id, exc_info=True)
        found, remedy = f"a fault of the program ended it ({name_fault(error)})", "report it with what --verbose says"
        return Refusal(item.id, item.source, ResourceError(item.source, found, remedy, code="program-fault"))


def predict_found(source: str, scan: Scan, wanted: Wanted, maker: Maker) -> Prediction:
    """Predict one scan, unless its files are there already.

    Args:
        source: the input, as it was given.
        scan: that it turned out to be.
        wanted: what shall become of it.
        maker: what predicts.

    Raises:
        OutputExistsError: a file is there that something else has made.
        MedunetError: the scan can't be read or written.
    """
    started = time.monotonic()
    if wanted.folder is None:
        places = _place_channels(scan, maker.recipe)
        with provide(maker.load(), scan, wanted.box, wanted.means) as way:
            mask = predict_scan(maker.load(), scan, wanted.box, provision=way)
            return _show(source, scan, mask, places, started)
    job = plan_job(source, scan, wanted, maker)
    if job.earlier:
        return finish_job(job, None)
    if not job.outputs.likely and (recalled := _recall_mask(job)):
        return finish_job(job, recalled)
    with provide(maker.load(), scan, wanted.box, wanted.means) as way:
        if job.outputs.likely:
            return _predict_likely(job, wanted.box, way)
        mask = predict_scan(maker.load(), scan, wanted.box, provision=way)
        with way.settling():
            return finish_job(job, mask, way=way)


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


def plan_job(source: str, scan: Scan, wanted: Wanted, maker: Maker) -> Job:
    """Check that a scan can be written, and whether it was predicted before.

    Raises:
        ValueError: no folder is wanted.
        OutputExistsError: a file is there that something else has made.
        MedunetError: the scan can't be written in a format.
    """
    if wanted.folder is None:
        raise ValueError("a job has files")
    started = time.monotonic()
    outputs = Outputs(wanted.folder, scan.id, wanted.formats, wanted.empty)
    check_formats(outputs, maker.recipe, scan)
    identity = identify(maker.recipe, maker.weights, scan, wanted.box, maker.computed)
    earlier = find_earlier(outputs, identity, overwrite=wanted.overwrite)
    whole = earlier if earlier is not None and not list_missing(outputs, earlier) else None
    return Job(source, scan, maker, outputs, identity, whole, started)


def _predict_likely(job: Job, box: Box | None, way: Provision) -> Prediction:
    """Predict a scan of which the probabilities are written, too."""
    recipe = job.maker.recipe
    with ProbabilityMaps(job.outputs.folder, recipe.name_outputs(), recipe.decision) as maps:
        mask = predict_scan(job.maker.load(), job.scan, box, maps, way)
        if box is not None:
            maps.clear(box.clear_outside(replace(mask, voxels=np.ones_like(mask.voxels))).voxels == 0)
        with way.settling():
            return finish_job(job, mask, maps.finish(), way)


def _recall_mask(job: Job) -> Mask | None:
    """The mask of an earlier prediction with the same identity, where it is there and nothing needs the network."""
    record = find_record(job.outputs.record)
    if record is None or job.identity.compare(record) or job.outputs.likely:
        return None
    reference = job.scan.reference
    for row in job.outputs.formats:
        path = job.outputs.files[row.name]
        # What may be left out doesn't tell objects apart.
        if row.read and not row.optional and is_whole(path, record):
            grid = read_volume(reference.series or reference.path, reference.options).grid
            return replace(
                row.read(path, grid, job.maker.recipe.task.labels),
                notes=record.notes,
                warnings=record.warnings,
                confidence=record.confidence,
            )
    return None


def finish_job(
    job: Job, mask: Mask | None, probabilities: Probabilities | None = None, way: Provision | None = None
) -> Prediction:
    """Write what was predicted.

    Args:
        job: from `plan_job`.
        mask: labels on the scan's grid; None where the files are there already.
        probabilities: where a format holds them.
        way: that it was predicted, with the images as they were read.

    Raises:
        ResourceError: the disk is full, or what was read back differs.
    """
    if mask is None:
        if job.earlier is None:
            raise ValueError("nothing was predicted")
        path, options = job.scan.reference.path, job.scan.reference.options
        return _take(job, job.earlier, 0.0, lambda: read_volume(path, options).grid)
    channels = dict(zip(job.maker.recipe.task.channels, job.scan.images.values(), strict=True))
    task, way = job.maker.recipe.task, way or Provision(0, 0)
    read = {
        name: way.volumes[key] for key, name in zip(task.image_keys(), task.channels, strict=True) if key in way.volumes
    }
    result = Result(mask, job.scan.reference, job.maker.algorithm, channels, probabilities, job.scan.id, read, way.room)
    record = write_outputs(job.outputs, job.maker.recipe, job.identity, result, job.started)
    grid = mask.grid
    return _take(job, record, time.monotonic() - job.started, lambda: grid)


def _show(source: str, scan: Scan, mask: Mask, places: Places, started: float) -> Prediction:
    """A prediction that isn't written, so that it is kept in memory."""
    return Prediction(
        id=scan.id,
        source=source,
        status=find_status(mask),
        files={},
        volumes=mask.volumes_ml(),
        unit=mask.grid.unit,
        objects=len(mask.find_sizes()) if mask.kind == "instances" else None,
        seconds=time.monotonic() - started,
        kept=False,
        warnings=mask.warnings,
        confidence=mask.confidence,
        _read=lambda: mask,
        _measure=lambda: _measure(mask, places),
    )


def _take(job: Job, record: PredictionRecord, seconds: float, find_grid: Callable[[], Grid]) -> Prediction:
    """A prediction that lies in files.

    It doesn't hold the scan, whose headers would stay in memory for as long as somebody keeps what came of it.
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
