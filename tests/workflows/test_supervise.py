import sys
from pathlib import Path

import pytest
import supervise
from supervise import Worker, WorkerError

CHILD = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from supervise import serve

def answer(job):
    print("noise of a library")
    if job == "die":
        os.kill(os.getpid(), 11)
    if job == "sleep":
        time.sleep(60)
    return job.upper()

serve(answer, "hello")
"""


def test_a_crash_and_a_hang_cost_one_job_each() -> None:
    worker = Worker([sys.executable, "-c", CHILD, str(Path(supervise.__file__).parent)])
    try:
        assert worker.start() == "hello"
        assert worker.ask("a", 30) == "A"
        with pytest.raises(WorkerError, match="signal 11"):
            worker.ask("die", 30)
        assert worker.ask("b", 30) == "B"
        with pytest.raises(WorkerError, match=r"within 0\.2 s"):
            worker.ask("sleep", 0.2)
        assert worker.ask("c", 30) == "C"
    finally:
        worker.stop()


def test_a_child_that_can_not_start_is_told() -> None:
    with pytest.raises(WorkerError, match="exit code 3"):
        Worker([sys.executable, "-c", "raise SystemExit(3)"]).start()
