"""Three stages that work at once on scans which follow each other: one is read, one predicted, one written."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from medunet.inference.ledger import POLL_S, Stopped
from medunet.progress import ProgressSink, find_sink, showing

T = TypeVar("T")
R = TypeVar("R")
END = object()


@dataclass(frozen=True, slots=True)
class Stages(Generic[T, R]):
    """What is done with each item; what a stage gives goes to the next one. None of them raises an error.

    Attributes:
        read: takes an item.
        compute: takes what was read.
        write: takes what was computed, and gives the result.
        stopped: set where nobody wants the results any more.
    """

    read: Callable[[T], Any]
    compute: Callable[[Any], Any]
    write: Callable[[Any], R]
    stopped: threading.Event = field(default_factory=threading.Event)


def run_stages(items: Iterable[T], stages: Stages[T, R]) -> Generator[R, None, None]:
    """Run items through all stages, each of them in a thread of its own.

    The next item is read while one is computed, and the one before is written. No stage begins with another one before
    the next stage has taken the last; so at most one item waits between two. Nothing is computed further than one item
    ahead of what was taken from here. Warnings and progress of the stages reach those who listen where the generator
    is made to run.

    Args:
        items: in the order of the results.
        stages: what is done with each.

    Yields:
        The results, in order, each as soon as it is there. Where it is closed before, the stages stop.
    """
    line = _Line(stages)
    threads = [
        threading.Thread(target=copy_context().run, args=(work,), daemon=True)
        for work in (lambda: line.read_all(items), line.compute_all, line.write_all)
    ]
    for thread in threads:
        thread.start()
    try:
        while (result := line.results.get()) is not END:
            yield result
            line.turns.release()
        if line.fault is not None:
            raise line.fault
    finally:
        line.stop()
        for thread in threads:
            thread.join()


class _Line(Generic[T, R]):
    """What the threads share."""

    def __init__(self, stages: Stages[T, R]) -> None:
        self._stages = stages
        self._stopped = stages.stopped
        self._read, self._computed = _Handover(self._stopped), _Handover(self._stopped)
        self.results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.turns = threading.Semaphore(2)
        self.fault: BaseException | None = None

    def stop(self) -> None:
        """Let all threads end."""
        self._stopped.set()

    def read_all(self, items: Iterable[T]) -> None:
        """Read each item, and hand it over."""
        with self._watching():
            for item in items:
                self._read.put(self._stages.read(item))
                self._check()
        self._read.put(END)

    def compute_all(self) -> None:
        """Compute what was read, and hand it over."""
        with self._watching(), showing(_Stopping(find_sink(), self._check)):
            while (thing := self._read.take()) is not END:
                while not self.turns.acquire(timeout=POLL_S):
                    self._check()
                done = self._stages.compute(thing)
                del thing
                self._computed.put(done)
                del done
                self._check()
        self._computed.put(END)

    def write_all(self) -> None:
        """Write what was computed, and give the results."""
        with self._watching():
            while (thing := self._computed.take()) is not END:
                self.results.put(self._stages.write(thing))
                del thing
                self._check()
        self.results.put(END)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """End all threads where one of them fails."""
        try:
            yield
        except Stopped:
            pass
        except BaseException as error:
            self.fault = error
            self.stop()


class _Handover:
    """A place for one thing between two threads: who puts it there waits until it was taken, or all has stopped."""

    def __init__(self, stopped: threading.Event) -> None:
        self._things: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._taken = threading.Semaphore(0)
        self._stopped = stopped

    def put(self, thing: Any) -> None:
        self._things.put(thing)
        del thing
        while not self._taken.acquire(timeout=POLL_S) and not self._stopped.is_set():
            pass

    def take(self) -> Any:
        while True:
            try:
                thing = self._things.get(timeout=POLL_S)
            except queue.Empty:
                if self._stopped.is_set():
                    return END
                continue
            self._taken.release()
            return thing


class _Stopping:
    """Shows progress as another sink does, and ends the work where nobody wants it any more."""

    def __init__(self, sink: ProgressSink, check: Callable[[], None]) -> None:
        self._sink, self._check = sink, check

    def update(self, what: str, done: int, total: int, note: str) -> None:
        self._check()
        self._sink.update(what, done, total, note)
