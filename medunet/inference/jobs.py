"""Predict any number of scans: in order, past those that are refused, and on where it was stopped.

A *job* is one scan that is predicted by one recipe into one set of files. What comes of it is a `Prediction` or a
`Refusal`; both are given as soon as they are there, and hold no voxels, so that thousands of scans take the memory of
three: while one is predicted the next is read and the last one written. Files that the same weights, recipe, options
and scan have made already stay as they are.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medunet.errors import MedunetError, ResourceError, name_fault
from medunet.inference.box import Box
from medunet.inference.inputs import Input
from medunet.inference.ledger import Ledger
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
from medunet.inference.pipeline import Stages, run_stages
from medunet.inference.predict import Prepared, predict_prepared, prepare_scan
from medunet.inference.probabilities import ProbabilityMaps
from medunet.inference.record import find_record, identify
from medunet.inference.results import Job, Prediction, Refusal, show_mask, take_files
from medunet.inference.scans import Scan
from medunet.labels import Mask
from medunet.reading import read_volume
from medunet.writing import Format, Probabilities, Result

LOGGER = logging.getLogger(__name__)


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
    if len(inputs) == 1:
        yield _finish(_follow(_begin(inputs[0], wanted, maker, Ledger()), _compute))
        return
    stopped = threading.Event()
    ledger = Ledger(stopped)
    stages: Stages[Input, Prediction | Refusal] = Stages(
        read=lambda item: _begin(item, wanted, maker, ledger),
        compute=lambda work: _follow(work, _compute),
        write=_finish,
        stopped=stopped,
    )
    yield from run_stages(inputs, stages)


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
    work = _Work(source, scan, maker)
    with work.held:
        _read(work, wanted, Ledger())
        _compute(work)
        return _write(work)


@dataclass(slots=True, eq=False)
class _Work:
    """A scan on its way from its files to those of its mask.

    Attributes:
        source: the input, as it was given.
        scan: that it turned out to be.
        maker: what predicts.
        job: what is to be written; None where nothing is.
        seconds: that were spent on it, without waiting for others.
        way: how it fits the memory.
        prepared: as the network takes it; None where it isn't needed, or not any more.
        mask: that was predicted, now or before.
        done: what came of it.
        held: memory and scratch files, until it is done.
    """

    source: str
    scan: Scan
    maker: Maker
    job: Job | None = None
    seconds: float = 0.0
    way: Provision | None = None
    prepared: Prepared | None = None
    mask: Mask | None = None
    done: Prediction | None = None
    held: ExitStack = field(default_factory=ExitStack)

    def follow(self, do: Callable[[], Any]) -> "_Work | Refusal":
        """Do the next part; where it can't be done, or waits no more, what is held is given up."""
        try:
            do()
        except MedunetError as error:
            return self._refuse(error)
        # One scan on which a library, or we, fail in a way that nobody foresaw doesn't cost the others of a long night.
        except Exception as error:
            return self._refuse(_name_fault(self.source, self.scan.id, error))
        except BaseException:
            self.held.close()
            raise
        return self

    def _refuse(self, error: MedunetError) -> Refusal:
        self.held.close()
        return Refusal(self.scan.id, self.source, error)


def _begin(item: Input, wanted: Wanted, maker: Maker, ledger: Ledger) -> _Work | Refusal:
    try:
        work = _Work(item.source, replace(item.find(), id=item.id), maker)
    except MedunetError as error:
        return Refusal(item.id, item.source, error)
    except Exception as error:
        return Refusal(item.id, item.source, _name_fault(item.source, item.id, error))
    return work.follow(lambda: _read(work, wanted, ledger))


def _follow(work: _Work | Refusal, do: Callable[[_Work], None]) -> _Work | Refusal:
    """The next part of a job, unless it was refused."""
    return work if isinstance(work, Refusal) else work.follow(lambda: do(work))


def _finish(work: _Work | Refusal) -> Prediction | Refusal:
    """The last part of a job, unless it was refused."""
    made: list[Prediction] = []
    work = _follow(work, lambda work: made.append(_write(work)))
    if isinstance(work, Refusal):
        return work
    work.held.close()
    return made[0]


def _name_fault(source: str, name: str, error: Exception) -> ResourceError:
    LOGGER.debug("%s failed", name, exc_info=True)
    found, remedy = f"a fault of the program ended it ({name_fault(error)})", "report it with what --verbose says"
    return ResourceError(source, found, remedy, code="program-fault")


def _read(work: _Work, wanted: Wanted, ledger: Ledger) -> None:
    """Read and prepare a scan as soon as the memory is there, unless that isn't needed."""
    started = time.monotonic()
    maker, scan = work.maker, work.scan
    work.job = None if wanted.folder is None else plan_job(work.source, scan, wanted, maker)
    if work.job is None or not work.job.earlier:
        work.mask = None if work.job is None else _recall_mask(work.job)
        if work.mask is None:
            way = work.way = work.held.enter_context(provide(maker.load(), scan, wanted.box, wanted.means, ledger))
            started += ledger.waited
            work.prepared = prepare_scan(maker.recipe, scan, wanted.box, way)
    work.seconds = time.monotonic() - started


def _compute(work: _Work) -> None:
    """Predict a scan; what was prepared of it is given up."""
    scan, work.prepared = work.prepared, None
    if scan is None or work.way is None:
        return
    started = time.monotonic() - work.seconds
    if work.job is not None and work.job.outputs.likely:
        work.done = _predict_likely(replace(work.job, started=started), scan, work.way)
    else:
        work.mask = predict_prepared(work.maker.load(), scan, way=work.way)
    work.seconds = time.monotonic() - started


def _write(work: _Work) -> Prediction:
    """Write what was predicted."""
    if work.done is not None:
        return work.done
    if work.job is not None:
        job = replace(work.job, started=time.monotonic() - work.seconds)
        if work.way is None:
            return finish_job(job, work.mask)
        with work.way.settling():
            return finish_job(job, work.mask, way=work.way)
    if work.mask is None:
        raise ValueError("nothing was predicted")
    return show_mask(work.source, work.scan, work.mask, work.maker.recipe, work.seconds)


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


def _predict_likely(job: Job, scan: Prepared, way: Provision) -> Prediction:
    """Predict a scan of which the probabilities are written, too."""
    recipe = job.maker.recipe
    with ProbabilityMaps(job.outputs.folder, recipe.name_outputs(), recipe.decision) as maps:
        mask = predict_prepared(job.maker.load(), scan, maps, way)
        if scan.box is not None:
            for part, outside in scan.box.find_outside(mask.grid):
                maps.clear(outside, part)
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
        return take_files(job, job.earlier, 0.0, lambda: read_volume(path, options).grid)
    recipe, way = job.maker.recipe, way or Provision(0, 0)
    channels = dict(zip(recipe.task.channels, job.scan.images.values(), strict=True))
    keys = zip(recipe.task.image_keys(), channels, strict=True)
    read = {name: way.volumes[key] for key, name in keys if key in way.volumes}
    recipe = replace(recipe, peak_gib=way.peak / 2**30) if way.peak else recipe
    result = Result(mask, job.scan.reference, job.maker.algorithm, channels, probabilities, job.scan.id, read, way.room)
    record = write_outputs(job.outputs, recipe, job.identity, result, job.started)
    grid = mask.grid
    return take_files(job, record, time.monotonic() - job.started, lambda: grid)
