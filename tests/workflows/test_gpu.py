import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from gpu import BEGIN, END, PAGE, describe, fill_page, main, run_step, tabulate
from gpu_steps import STEPS, UNLIKE, Facts, Setup, Step


def run(monkeypatch: pytest.MonkeyPatch, *options: object) -> int:
    monkeypatch.setattr(sys, "argv", ["gpu.py", *map(str, options)])
    return main()


def run_afresh(out: Path, *left_out: str) -> str:
    """What the workflow says in a process of its own, since torch that has computed here doesn't survive a fork."""
    script = "import sys, gpu; [gpu.STEPS.pop(name) for name in sys.argv[6:]]; del sys.argv[6:]; sys.exit(gpu.main())"
    command = [sys.executable, "-c", script, out, "--device", "cpu", "--quick", "--budget=0.05", *left_out]
    workflows = str(Path(__file__).parents[2] / "workflows")
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, "PYTHONPATH": workflows},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path, (24, 20, 10), (14.0, 14.0, 20.0), 2, 0.05, 16.0, "eager")


def assert_measured(out: Path, names: list[str]) -> dict[str, Facts]:
    """What every step on the CPU must come to."""
    done: dict[str, Facts] = json.loads((out / "gpu.json").read_text())
    assert [name for name, facts in done.items() if facts["status"] == "done"] == names, done
    assert done["machine"]["device"] == "cpu"
    assert 0 < done["train"]["taken_gib"] < 3 * done["train"]["foreseen_gib"]
    reference = done["predict on the CPU"]
    for name in ("predict", "predict, compiled"):
        assert done[name][UNLIKE] == 0, name
        assert done[name]["found_ml"] == reference["found_ml"]
        assert done[name]["precision"] == "float32"
    voxels = np.load(out / "reference.npy").size
    for name in ("predict, fast", "predict, compiled and fast"):
        assert done[name][UNLIKE] < 0.5 * voxels
        assert done[name]["taken_gib"] > 0
    return done


def test_the_whole_path_runs_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but two processes of torchrun, which take half of the time."""
    said = run_afresh(tmp_path / "out", "train by torchrun")
    done = assert_measured(tmp_path / "out", [name for name in STEPS if name != "train by torchrun"])
    assert tabulate(done) in said
    assert f"| train | {done['train']['foreseen_gib']:g} |" in said
    assert run(monkeypatch, tmp_path / "out", "--device", "cpu", "--quick") == 2


@pytest.mark.slow
def test_the_whole_path_runs_on_a_cpu_with_two_processes(tmp_path: Path) -> None:
    run_afresh(tmp_path / "out")
    ranks = assert_measured(tmp_path / "out", list(STEPS))["train by torchrun"]
    assert (ranks["processes"], ranks["over"]) == (2, "gloo")
    assert ranks["steps"] > 0


def test_a_step_that_takes_too_long_is_killed_with_all_that_it_started(setup: Setup) -> None:
    note = setup.out / "child"

    def start_and_wait(given: Setup) -> Facts:
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        note.write_text(str(child))
        time.sleep(60)
        return {}

    facts = run_step(Step(start_and_wait, 1), setup, "cpu", 1.0)
    assert facts["status"] == "stopped after 1 s"
    assert facts["seconds"] < 20
    child = int(note.read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and is_running(child):
        time.sleep(0.05)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    """Whether a process is there, and isn't only remembered."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_fails_or_dies_is_told_and_leaves_the_rest(setup: Setup) -> None:
    def fail(_: Setup) -> Facts:
        raise ValueError("this is odd\nand long")

    def die(_: Setup) -> Facts:
        os._exit(3)

    assert run_step(Step(fail, 5), setup, "cpu", 5)["status"] == "failed: ValueError: this is odd"
    assert "this is odd" in (setup.out / "errors.txt").read_text()
    assert run_step(Step(die, 5), setup, "cpu", 5)["status"] == "failed: its process died"


def test_what_came_before_lies_there_when_the_time_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {
        "machine": Step(lambda _: {"device": "cpu"}, 5),
        "train": Step(lambda _: (_ for _ in ()).throw(ValueError("no")), 5, ("machine",)),
        "predict": Step(lambda _: {}, 5, ("train",)),
    }
    monkeypatch.setattr("gpu.STEPS", steps)
    assert run(monkeypatch, tmp_path / "out", "--device", "cpu", "--quick", "--minutes", 0.5) == 0
    done = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert done["machine"]["status"] == "done"
    assert done["predict"] == {"status": "left out: without train"}
    assert run(monkeypatch, tmp_path / "short", "--device", "cpu", "--quick", "--minutes", 0) == 0
    done = json.loads((tmp_path / "short" / "gpu.json").read_text())
    assert done["machine"] == {"status": "left out: the time is over"}
    assert "left out: the time is over" in capsys.readouterr().out


def test_a_cpu_is_not_measured_for_a_gpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu.STEPS", {"machine": Step(lambda _: {"device": "cpu"}, 5)})
    assert run(monkeypatch, tmp_path / "out", "--quick") == 2
    assert "torch finds no GPU here" in capsys.readouterr().err
    assert run(monkeypatch, tmp_path / "other", "--device", "cpu", "--write") == 2
    assert not (tmp_path / "other").exists()


def test_the_table_has_its_place_in_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    done = {"train": {"status": "done", "steps": 7, "foreseen_gib": 3.25, "taken_gib": 3.5, "seconds": 12.0}}
    filled = fill_page(page, tabulate(done))
    assert "| train | 3.25 | 3.5 | 12 | 7 steps |\n" in filled
    assert filled.count(BEGIN) == filled.count(END) == 1
    assert fill_page(filled, tabulate(done)) == filled
    with pytest.raises(ValueError, match="no place"):
        fill_page("nothing", "")
    assert describe({"status": "stopped after 9 s"}) == "stopped after 9 s"
