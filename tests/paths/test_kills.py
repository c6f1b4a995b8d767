"""A run that is killed anywhere and resumed ends with the weights of one that wasn't."""

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from plans import pin_schedule

from medunet.records import read_json

EPOCHS, STEPS = 6, 2
SECONDS = 300


def start(bundle: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "medunet", "train", str(bundle)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(bundle: Path) -> dict[str, torch.Tensor]:
    if not is_finished(bundle):
        run = start(bundle)
        output, _ = run.communicate(timeout=SECONDS)
        assert run.returncode == 0, output
    assert read_json(bundle / "configs" / "metadata.json")["training"]["epochs"] == EPOCHS
    state: dict[str, torch.Tensor] = torch.load(bundle / "models" / "model.pt", weights_only=True)
    return state


def is_finished(bundle: Path) -> bool:
    return (bundle / "work" / "fold0" / "finished").exists()


def kill_later(bundle: Path, seconds: float) -> bool:
    """Kill a run some time after its start; whether it was still running."""
    run = start(bundle)
    time.sleep(seconds)
    return _kill(run)


def kill_in_write(bundle: Path) -> bool:
    """Kill a run while it writes a checkpoint; whether a half-written one is left."""
    run = start(bundle)
    folder = bundle / "work" / "fold0"
    pattern = f".part-{run.pid}-checkpoint-*.pt"
    deadline = time.monotonic() + SECONDS
    while run.poll() is None and not any(folder.glob(pattern)) and time.monotonic() < deadline:
        time.sleep(0.001)
    return _kill(run) and any(folder.glob(pattern))


def _kill(run: subprocess.Popen[str]) -> bool:
    alive = run.poll() is None
    run.kill()
    run.communicate()
    return alive


def kill_and_finish(untrained: Path, target: Path, kills: int, in_write: int, draw: random.Random) -> None:
    """Kill one run so many times, some of them inside a write, and compare what it ends with."""
    pin_schedule(untrained, EPOCHS, STEPS)
    started = time.monotonic()
    straight = finish(Path(shutil.copytree(untrained, target / "straight")))
    seconds = time.monotonic() - started
    done = written = runs = 0
    while done < kills:
        runs += 1
        bundle = Path(shutil.copytree(untrained, target / f"killed-{runs}"))
        for _ in range(3):
            inside = written < in_write
            killed = kill_in_write(bundle) if inside else kill_later(bundle, seconds * draw.uniform(0.3, 1))
            if not killed or is_finished(bundle):
                seconds *= 0.8  # this machine is faster than it was when the straight run was timed
                break
            done += 1
            written += inside
        resumed = finish(bundle)
        assert all(torch.equal(straight[key], resumed[key]) for key in straight)
        assert not list((bundle / "work" / "fold0").glob(".part-*"))
        assert runs < 2 * kills


def test_three_kills(untrained: Path, tmp_path: Path) -> None:
    kill_and_finish(untrained, tmp_path, 3, 1, random.Random(0))  # noqa: S311


@pytest.mark.slow
def test_thirty_kills(untrained: Path, tmp_path: Path) -> None:
    kill_and_finish(untrained, tmp_path, 30, 5, random.Random(1))  # noqa: S311
