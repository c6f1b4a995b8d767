"""Runs doubtful work in a child process, one job at a time: a crash or a hang costs that job alone.

A message is a JSON record and bytes beside it; what a child says is data and never run. Nothing is imported here
but the standard library, so that a child starts fast, also in an environment where only that is.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO

from medunet.machine import find_module

START_SECONDS = 300
"""What a child may need to import its libraries on a busy machine."""
MOST_WORDS = 1 << 20
"""Bytes of a record."""
PIPE_BYTES = 1 << 20
"""What a pipe holds where the system lets it: one slice, so that neither side waits within it."""
SIZES = Struct("<IQ")
"""Before each message: bytes of its record, and beside it."""
Record = dict[str, Any]
Content = bytes | bytearray | memoryview
Answer = tuple[Record, Content]


class WorkerError(Exception):
    """The child died or took too long; the next job gets a fresh one."""


class Worker:
    """A child that calls `serve`, started when it is needed.

    Args:
        command: that starts it.
        environment: variables to add.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._greeting: Record = {}

    def start(self) -> Record:
        """Start the child, if it isn't running; returns what it said first.

        Raises:
            WorkerError: it can't start.
        """
        if self._process is None:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the command is the caller's own
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,
                    env=self._environment,
                )
            except OSError as error:
                raise WorkerError(f"it can't be started: {error}") from None
            for stream in (self._process.stdin, self._process.stdout):
                _widen(stream)
            with self._within(START_SECONDS):
                self._greeting, _ = self._listen(0)
        return self._greeting

    def ask(self, job: Record, content: Content = b"", *, seconds: float, most: int = 0) -> tuple[Record, bytearray]:
        """Give the child one job.

        Args:
            job: the record.
            content: bytes beside it.
            seconds: that the answer may take by the clock on the wall.
            most: bytes that the answer may have beside its record.

        Returns:
            The record of its answer, and the bytes beside it.

        Raises:
            WorkerError: it died, took too long or said too much.
        """
        self.start()
        process = self._process
        if process is None or process.stdin is None:
            raise WorkerError("it is not running")
        with self._within(seconds):
            try:
                _send(process.stdin, job, content)
            except OSError:
                raise self._lose() from None
            return self._listen(most)

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """End the child when the block takes longer, which ends what the block waits for.

        A timer does so on every system; Windows can't wait for a pipe and a clock at once.
        """
        process, turn = self._process, threading.Lock()
        is_over = is_late = False

        def end() -> None:
            nonlocal is_late
            with turn:
                if process is not None and not is_over:
                    is_late = True
                    process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except WorkerError:
            if not is_late:
                raise
        finally:
            timer.cancel()
            with turn:
                is_over = True
        if is_late:
            self.stop()
            raise WorkerError(f"no answer within {seconds:g} s")

    def _listen(self, most: int) -> tuple[Record, bytearray]:
        words, size = SIZES.unpack(self._receive(SIZES.size))
        if words > MOST_WORDS or size > most:
            self.stop()
            raise WorkerError(f"its answer has {words + size} bytes")
        try:
            record: Record = json.loads(self._receive(words))
        except ValueError:
            self.stop()
            raise WorkerError("its answer makes no sense") from None
        return record, self._receive(size)

    def _receive(self, size: int) -> bytearray:
        process = self._process
        if process is None or process.stdout is None:
            raise WorkerError("it is not running")
        buffer = bytearray(size)
        left = memoryview(buffer)
        while left:
            count = process.stdout.readinto(left)  # type: ignore[attr-defined]
            if not count:
                raise self._lose()
            left = left[count:]
        return buffer

    def _lose(self) -> WorkerError:
        code = 0
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(1)
        self.stop()
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            return WorkerError("it took more time than it may")
        return WorkerError(f"it died with {f'signal {-code}' if code < 0 else f'exit code {code}'}")

    def stop(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None


def serve(answer: Callable[[Record, bytes], Answer], greeting: Record) -> None:
    """Answer jobs from standard input until it ends; what libraries print goes to standard error.

    Args:
        answer: from a job to its answer, both a record and bytes.
        greeting: said first, once everything is imported.
    """
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        os.dup2(2, 1)
        _send(out, greeting, b"")
        while len(sizes := sys.stdin.buffer.read(SIZES.size)) == SIZES.size:
            words, size = SIZES.unpack(sizes)
            job = json.loads(sys.stdin.buffer.read(words))
            _send(out, *answer(job, sys.stdin.buffer.read(size)))


def limit_process(memory: int, seconds: float = math.inf) -> None:
    """Limit what this process may take from now on, as far as the system can (memory: Linux; nothing: Windows).

    Args:
        memory: bytes beyond what it has.
        seconds: of the processor, after which the system ends it.
    """
    resource = find_module("resource")
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(FileNotFoundError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _lower(resource, resource.RLIMIT_AS, pages * resource.getpagesize() + memory)
    if seconds < math.inf:
        _lower(resource, resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _lower(resource: Any, kind: int, limit: int) -> None:
    most = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _send(stream: BinaryIO | Any, record: Record, content: Content) -> None:
    words = json.dumps(record).encode()
    for part in (SIZES.pack(len(words), len(content)) + words, content):
        left = memoryview(part)
        while left:
            left = left[stream.write(left) :]


def _widen(stream: Any) -> None:
    """Let a pipe hold a slice; where the system doesn't allow it, it only is slower."""
    fcntl = find_module("fcntl")
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
