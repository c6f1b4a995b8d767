"""A child process that measures cases, one at a time, and writes what it found into the store."""

import os
import traceback
from pathlib import Path

from medunet.children.supervise import Answer, Record, serve
from medunet.cohort import Case, Cohort, unpack_series
from medunet.errors import InputError, MedunetError
from medunet.machine import measure_peak_memory
from medunet.measuring.measures import measure_case
from medunet.measuring.store import Store, hash_case, stamp_case, write_entry


def answer(job: Record, _: bytes) -> Answer:
    """Measure a case, unless the store knows its content.

    Args:
        job: `cohort` that holds the one case, its `series` as of `pack_series`, and the `store`.

    Returns:
        Peak memory of this process in bytes as `peak`; or the `error` that a user can mend, as its kind, words and
        code; or the `failure` of this program.
    """
    try:
        cohort = Cohort.model_validate(job["cohort"])
        put_case(cohort, unpack_series(cohort.cases[0], job["series"]), Store(Path(job["store"])))
    except MedunetError as error:
        words = error.subject, error.found, error.remedy, error.expected
        return {"error": [type(error).__name__, *words, error.code]}, b""
    # Whoever asked shall see it, since this process has no screen.
    except Exception:
        return {"failure": traceback.format_exc()}, b""
    return {"peak": measure_peak_memory()}, b""


def put_case(cohort: Cohort, case: Case, store: Store) -> None:
    """Measure a case into the store, unless that knows its content.

    Raises:
        InputError: its files changed meanwhile.
        MedunetError: they can't be read.
    """
    stamp, content = stamp_case(cohort, case), hash_case(cohort, case)
    if not store.name(content).is_file():
        measured = measure_case(cohort, case)
        if stamp_case(cohort, case) != stamp:
            raise InputError(
                f"case {case.id}", "its files changed while they were read", "measure it again", code="files-changed"
            )
        write_entry(store.name(content), measured)
    store.link(stamp, content)


if __name__ == "__main__":
    serve(answer, {"process": os.getpid()})
