"""A crew of child processes that do jobs of one kind at the same time, each watched by a thread of its own."""

import os
import queue
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from medunet.children.supervise import Content, Record, Worker

SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1")
"""Libraries with threads of their own would take a core, and memory, for each of them."""


class Crew:
    """Children that call `supervise.serve`; each is started when it gets its first job.

    Args:
        command: that starts a child.
        count: children at most.
        path: folders in which a child looks for modules beside those of this process.
    """

    def __init__(self, command: Sequence[str], count: int, path: Sequence[str] = ()) -> None:
        search = os.pathsep.join([*path, *filter(None, sys.path)])
        environment = SINGLE | {"PYTHONSAFEPATH": "1", "PYTHONPATH": search}
        self._workers = [Worker(command, environment) for _ in range(count)]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(count, "medunet-crew")

    def submit(
        self, job: Record, content: Content = b"", *, seconds: float, most: int = 0
    ) -> Future[tuple[Record, bytearray]]:
        """Give a job to the next child that is idle; arguments, answer and errors as of `Worker.ask`.

        A job whose child dies or takes too long raises a `WorkerError`; the next one gets a fresh child.
        """
        return self._threads.submit(self._ask, job, content, seconds, most)

    def _ask(self, job: Record, content: Content, seconds: float, most: int) -> tuple[Record, bytearray]:
        worker = self._idle.get()
        try:
            return worker.ask(job, content, seconds=seconds, most=most)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the children, also those that are at work, and forget the jobs that wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.stop()
