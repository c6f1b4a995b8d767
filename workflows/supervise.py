"""Runs a doubtful function in a child process, one job at a time: a crash or a hang costs that job alone."""

import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

START_SECONDS = 300
"""What a child may need to import its libraries on a busy machine."""


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
        self._process: subprocess.Popen[str] | None = None
        self.greeting = ""

    def start(self) -> str:
        """Start the child, if it isn't running; returns what it said first.

        Raises:
            WorkerError: it can't start.
        """
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the caller's own
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=self._environment,
            )
            self.greeting = self._listen(START_SECONDS)
        return self.greeting

    def ask(self, job: str, seconds: float) -> str:
        """Give the child one job, a line of text.

        Returns:
            Its answer, a line of text.

        Raises:
            WorkerError: it died or took longer than `seconds`.
        """
        self.start()
        process = self._process
        if process is None or process.stdin is None:
            raise WorkerError("it is not running")
        try:
            process.stdin.write(job + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._lose() from None
        return self._listen(seconds)

    def _listen(self, seconds: float) -> str:
        process = self._process
        if process is None or process.stdout is None:
            raise WorkerError("it is not running")
        if not select.select([process.stdout], [], [], seconds)[0]:
            self.stop()
            raise WorkerError(f"no answer within {seconds:g} s")
        line = process.stdout.readline()
        if not line:
            raise self._lose()
        return line.rstrip("\n")

    def _lose(self) -> WorkerError:
        code = self._process.wait() if self._process else 0
        self.stop()
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


def serve(answer: Callable[[str], str], greeting: str = "ready") -> None:
    """Answer jobs from standard input until it ends; what libraries print goes to standard error.

    Args:
        answer: from the line of a job to the line of its answer.
        greeting: said first, once everything is imported.
    """
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        print(greeting, file=out, flush=True)
        for line in sys.stdin:
            print(answer(line.rstrip("\n")), file=out, flush=True)
