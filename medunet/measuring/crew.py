"""Child processes that measure several cases at a time."""

import logging
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from medunet import errors
from medunet.children.crew import Crew
from medunet.children.supervise import Record, WorkerError
from medunet.cohort import Case, Cohort, list_case_files, pack_series
from medunet.errors import MedunetError, ResourceError
from medunet.machine import count_cores, find_ram
from medunet.measuring.store import Store, stamp_case
from medunet.progress import track

LOGGER = logging.getLogger(__name__)
LONGEST = 24 * 3600.0
"""Seconds that one case may take."""
COMPRESSED = 4
"""Times that voxels are larger than their file where it is compressed."""
BASE_GIB = 0.12
"""GiB of a process before it reads anything."""
COPIES = 6.0
"""Times the bytes of the voxels of a case that a process takes to read and measure them."""


def measure_missing(cohort: Cohort, store: Store, ram_gib: float | None = None) -> int:
    """Measure into the store what it doesn't hold yet; whatever ends this early, measured cases stay measured.

    Args:
        cohort: its cases.
        store: to fill.
        ram_gib: for all processes together; half of the machine's if not given.

    Returns:
        Peak memory of the largest process in bytes, 0 where nothing had to be measured.

    Raises:
        MedunetError: as of `measure_case`, for the first such case.
        ResourceError: a process died.
    """
    missing = [case for case in cohort.cases if not _is_measured(cohort, case, store)]
    if not missing:
        return 0
    # Where a script was started by its path, its children find medunet beside it only by this.
    home = str(Path(errors.__file__).parents[1])
    crew = Crew([sys.executable, "-m", "medunet.measuring.worker"], count_workers(missing, ram_gib), [home])
    try:
        futures = [(case, crew.submit(_make_job(cohort, case, store), seconds=LONGEST)) for case in missing]
        return max(track((_take_peak(*pair) for pair in futures), "measuring cases", len(futures)))
    finally:
        crew.close()


def _is_measured(cohort: Cohort, case: Case, store: Store) -> bool:
    """Whether the store holds a case; one that can't be found is refused when its turn comes."""
    try:
        return store.find(stamp_case(cohort, case)) is not None
    except MedunetError:
        return False


def _make_job(cohort: Cohort, case: Case, store: Store) -> Record:
    alone = cohort.model_copy(update={"cases": (case,), "folds": None})
    return {
        "cohort": alone.model_dump(mode="json"),
        "series": pack_series(case),
        "store": str(store.folder.resolve()),
    }


def _take_peak(case: Case, future: "Future[tuple[Record, bytearray]]") -> int:
    try:
        record, _ = future.result()
    except WorkerError as error:
        raise ResourceError(
            f"case {case.id}", f"measuring it ended early ({error})", "give it more memory, or leave the case out"
        ) from None
    return _take_answer(record)


def _take_answer(record: Record) -> int:
    if "error" in record:
        kind, *words, code = record["error"]
        raise getattr(errors, kind)(*words, code=code)
    if "failure" in record:
        raise RuntimeError(record["failure"])
    return int(record["peak"])


def count_workers(cases: Sequence[Case], ram_gib: float | None = None) -> int:
    """Processes that measure at the same time: one for a core and a case, and no more than fit the memory."""
    half = find_ram() / 2**31
    largest = max(estimate_bytes(case) for case in cases)
    fitting = int((ram_gib or half) / predict_measuring(largest))
    return max(1, min(count_cores(), len(cases), fitting))


def estimate_bytes(case: Case) -> int:
    """Bytes of the voxels of a case, judged by its files before they are read; 0 where they can't be found."""
    try:
        files = {file for _, found in list_case_files(case) for file in found}
    except MedunetError:
        return 0
    return sum(file.stat().st_size * (COMPRESSED if file.suffix in (".gz", ".png") else 1) for file in files)


def predict_measuring(voxel_bytes: int) -> float:
    """GiB that a process takes to measure a case whose voxels take so many bytes as they are read."""
    return BASE_GIB + COPIES * voxel_bytes / 2**30
