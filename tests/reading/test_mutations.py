"""Damaged files are refused or read: no traceback, no hang, no crash, no gibibyte."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mutations
import numpy as np
import pytest
from mutations import Seed, make_seeds

from medunet.children.supervise import Worker, WorkerError
from medunet.testing.faults import damage

SECONDS = 10
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are those of Linux")


@contextmanager
def start_reader() -> Iterator[Worker]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    worker = Worker([sys.executable, mutations.__file__], {"PYTHONPATH": path})
    try:
        yield worker
    finally:
        worker.stop()


def ask(worker: Worker, seed: Seed, content: bytes) -> str:
    seed.path.write_bytes(content)
    try:
        return str(worker.ask({"way": seed.way, "place": str(seed.reads)}, seconds=SECONDS)[0]["came"])
    except WorkerError as error:
        return str(error)


def read_damaged(count: int, seed: int, folder: Path) -> dict[str, str]:
    """Damage and read `count` files; what went wrong, by kind and number, from which a file can be made again."""
    seeds = make_seeds(folder)
    wrong = {}
    with start_reader() as worker:
        for number in range(count):
            sound = seeds[number % len(seeds)]
            came = ask(worker, sound, damage(sound.content, np.random.default_rng((seed, number))))
            sound.path.write_bytes(sound.content)
            if came != "refused" and not came.startswith("read "):
                wrong[f"{sound.name} {number}"] = came
    return wrong


def test_200_damaged_files(tmp_path: Path) -> None:
    assert read_damaged(200, 0, tmp_path) == {}


@pytest.mark.slow
def test_2000_damaged_files(tmp_path: Path) -> None:
    assert read_damaged(2000, 1, tmp_path) == {}


def test_a_file_that_is_cut_is_refused_or_read_as_it_was(tmp_path: Path) -> None:
    """Cut anywhere, its last bytes included: what is missing must show."""
    wrong, unread = {}, set()
    with start_reader() as worker:
        for seed in make_seeds(tmp_path):
            sound = ask(worker, seed, seed.content)
            if not sound.startswith("read "):
                unread.add(seed.name)
            size = len(seed.content)
            for cut in {*np.linspace(1, size - 1, 20, dtype=int).tolist(), *(size - n for n in (1, 2, 3, 8, 12, 40))}:
                came = ask(worker, seed, seed.content[:cut])
                seed.path.write_bytes(seed.content)
                if came not in ("refused", sound):
                    wrong[f"{seed.name} cut to {cut} of {size} bytes"] = came
    assert not wrong
    assert unread <= {"enhanced"}
