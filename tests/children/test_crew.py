import sys
import time

import pytest

from medunet.children.crew import Crew
from medunet.children.supervise import WorkerError

CHILD = """
import os, sys, time
from medunet.children.supervise import serve

def answer(job, content):
    if job.get("die"):
        os._exit(3)
    time.sleep(job.get("seconds", 0))
    return {"process": os.getpid(), "said": job.get("say"), "threads": os.environ["OMP_NUM_THREADS"]}, content[::-1]

serve(answer, {})
"""


def make_crew(count: int) -> Crew:
    return Crew([sys.executable, "-c", CHILD], count)


def test_jobs_are_done_at_the_same_time_and_answers_belong_to_their_jobs() -> None:
    crew = make_crew(2)
    try:
        futures = [crew.submit({"say": n, "seconds": 0.3}, b"ab", seconds=60, most=2) for n in range(4)]
        answers = [future.result() for future in futures]
        assert [record["said"] for record, _ in answers] == [0, 1, 2, 3]
        assert all(content == b"ba" for _, content in answers)
        assert len({record["process"] for record, _ in answers}) == 2
        assert {record["threads"] for record, _ in answers} == {"1"}
    finally:
        crew.close()


def test_a_child_that_dies_costs_its_own_job_alone() -> None:
    crew = make_crew(1)
    try:
        lost, kept = crew.submit({"die": True}, seconds=60), crew.submit({"say": "on"}, seconds=60)
        with pytest.raises(WorkerError, match="exit code 3"):
            lost.result()
        assert kept.result()[0]["said"] == "on"
    finally:
        crew.close()


def test_closing_ends_children_at_work_and_forgets_jobs_that_wait() -> None:
    crew = make_crew(1)
    crew.submit({}, seconds=60).result()
    first, second = (crew.submit({"seconds": 60}, seconds=120) for _ in range(2))
    while not first.running():
        time.sleep(0.01)
    started = time.monotonic()
    crew.close()
    with pytest.raises(WorkerError):
        first.result(30)
    assert second.cancelled()
    assert time.monotonic() - started < 30
