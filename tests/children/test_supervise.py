import sys

import pytest

from medunet.children.supervise import Worker, WorkerError

CHILD = """
import os, time
from medunet.children.supervise import limit_process, serve

def answer(job, content):
    print("noise of a library")
    if job["do"] == "die":
        os.kill(os.getpid(), 11)
    if job["do"] == "sleep":
        time.sleep(60)
    if job["do"] == "limit":
        limit_process(1 << 26, 1)
        try:
            bytes(1 << 27)
        except MemoryError:
            while True:
                pass
    return {"done": job["do"]}, content[::-1]

serve(answer, {"ready": True})
"""


def test_what_a_child_does_costs_one_job_each() -> None:
    worker = Worker([sys.executable, "-c", CHILD])
    try:
        assert worker.start() == {"ready": True}
        content = bytes(range(256)) * 10_000
        assert worker.ask({"do": "a"}, content, seconds=60, most=len(content)) == ({"done": "a"}, content[::-1])
        for job, seconds, words in (
            ("die", 60, "signal 11"),
            ("sleep", 0.2, r"within 0\.2 s"),
            ("b", 60, "its answer has"),
        ):
            with pytest.raises(WorkerError, match=words):
                worker.ask({"do": job}, b"abc", seconds=seconds, most=2)
            assert worker.ask({"do": "c"}, seconds=60)[0] == {"done": "c"}
    finally:
        worker.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are those of Linux")
def test_a_child_limits_its_memory_and_its_time() -> None:
    worker = Worker([sys.executable, "-c", CHILD])
    try:
        with pytest.raises(WorkerError, match="more time than it may"):
            worker.ask({"do": "limit"}, seconds=120)
    finally:
        worker.stop()


def test_a_child_that_can_not_start_is_told() -> None:
    with pytest.raises(WorkerError, match="exit code 3"):
        Worker([sys.executable, "-c", "raise SystemExit(3)"]).start()
    with pytest.raises(WorkerError, match="can't be started"):
        Worker(["no such program"]).start()


def test_a_child_that_does_not_listen_is_ended() -> None:
    deaf = "import sys, time; sys.stdout.buffer.write(bytes([2]) + bytes(11) + b'{}'); sys.stdout.flush()"
    worker = Worker([sys.executable, "-c", f"{deaf}; time.sleep(60)"])
    assert worker.start() == {}
    with pytest.raises(WorkerError, match=r"within 0\.5 s"):
        worker.ask({}, bytes(1 << 24), seconds=0.5)
