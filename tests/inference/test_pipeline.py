import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from medunet.inference.ledger import Stopped
from medunet.inference.pipeline import Stages, run_stages
from medunet.progress import report

WHO: ContextVar[str] = ContextVar("who", default="nobody")
SECONDS = 20.0
"""After which a thread that waits for another one has waited in vain."""


def keep(thing: Any) -> Any:
    return thing


def make_stages(
    read: Callable[[int], Any] = keep, compute: Callable[[Any], Any] = keep, write: Callable[[Any], Any] = keep
) -> Stages[int, Any]:
    return Stages(read=read, compute=compute, write=write)


def test_results_keep_their_order_and_each_stage_its_context() -> None:
    WHO.set("me")
    seen = set()

    def write(item: int) -> int:
        seen.add(WHO.get())
        time.sleep(0.02 * (item % 2))
        return item * 10

    stages = make_stages(read=lambda item: seen.add(WHO.get()) or item, write=write)
    assert list(run_stages(range(6), stages)) == [0, 10, 20, 30, 40, 50]
    assert seen == {"me"}
    assert list(run_stages([], stages)) == []


def test_the_next_is_read_and_the_last_written_while_one_is_computed() -> None:
    """Item 1 is computed until 2 is read and 0 written, which would wait for ever one after the other."""
    read, written = threading.Event(), threading.Event()

    def read_one(item: int) -> int:
        if item == 2:
            read.set()
        return item

    def compute(item: int) -> tuple[int, bool]:
        return item, item != 1 or (read.wait(SECONDS) and written.wait(SECONDS))

    def write(done: tuple[int, bool]) -> tuple[int, bool]:
        if done[0] == 0:
            written.set()
        return done

    assert list(run_stages(range(3), make_stages(read_one, compute, write))) == [(0, True), (1, True), (2, True)]


def test_never_more_than_one_is_ahead() -> None:
    lock, read, computed, most = threading.Lock(), [0], [0], [0]

    def read_one(item: int) -> int:
        with lock:
            read[0] += 1
            most[0] = max(most[0], read[0] - computed[0])
        return item

    def compute(item: int) -> int:
        time.sleep(0.01)
        with lock:
            computed[0] += 1
        return item

    results = run_stages(range(8), make_stages(read_one, compute))
    assert next(results) == 0
    time.sleep(0.5)
    # Nobody takes the second: it and no other was computed beside the first.
    assert computed[0] <= 2
    assert list(results) == list(range(1, 8))
    # One that is computed, one that was read for it, one that is being read.
    assert most[0] <= 3


def test_who_wants_no_more_stops_all_stages() -> None:
    begun, ended = threading.Event(), threading.Event()

    def compute(item: int) -> int:
        if item == 0:
            return item
        begun.set()
        try:
            for step in range(10_000):
                report("long", step, 10_000)
                time.sleep(0.005)
        except Stopped:
            ended.set()
            raise
        return item

    before = threading.active_count()
    results = run_stages(range(5), make_stages(compute=compute))
    assert next(results) == 0
    assert begun.wait(SECONDS)
    results.close()
    assert ended.is_set()
    assert threading.active_count() == before


@pytest.mark.parametrize("stage", ["read", "compute", "write"])
def test_a_fault_of_a_stage_is_raised_where_results_are_taken(stage: str) -> None:
    def fail(item: int) -> int:
        if item == 1:
            raise ZeroDivisionError(stage)
        return item

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match=stage):
        list(run_stages(range(4), make_stages(**{stage: fail})))
    assert threading.active_count() == before
