"""Run the whole path on a machine with a CUDA GPU in 15 minutes, and tabulate what it took beside what was foreseen.

    python workflows/gpu.py OUT [--minutes 15] [--budget 2] [--vram 16] [--device cpu] [--quick] [--write]

Made-up patients, a plan within so much memory of a GPU, training in half precision, by one process and by torchrun's,
prediction by torch and by compiled torch, in float32 and fast, each beside the CPU's mask. Each step is a process of
its own with a limit of time, and what it measured lies in OUT/gpu.json as soon as it ends. `--write` puts the table
into docs/concepts/memory.md. `--device cpu --quick` runs the same code here on little data.
"""

import argparse
import multiprocessing
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command import finish
from gpu_steps import STEPS, UNLIKE, Facts, Setup, Step

from medunet.errors import InputError
from medunet.files import check_free
from medunet.records import write_json

PAGE = Path(__file__).parents[1] / "docs" / "concepts" / "memory.md"
BEGIN, END = "<!-- measured on a GPU -->\n", "<!-- end of what was measured on a GPU -->"
HEAD = "| step | foreseen GiB | taken GiB | seconds of the step | what came of it |\n|---|---|---|---|---|\n"
LEAST = 10.0
"""Seconds that must be left for a step to begin."""
FULL: dict[str, Any] = {"shape": (224, 176, 112), "spacing": (1.6, 1.6, 2.0), "patients": 6, "compiler": "inductor"}
QUICK: dict[str, Any] = {"shape": (40, 32, 16), "spacing": (9.0, 9.0, 13.0), "patients": 3, "compiler": "eager"}
WORDS = {
    "device": "{}",
    "memory_gib": "{} GiB",
    "cuda": "CUDA {}",
    "torch": "torch {}",
    "patients": "{} patients",
    "shape": "of {} voxels",
    "patch": "patch {}",
    "features": "features {}",
    "batch": "batch {}",
    "given_gib": "of {} GiB",
    "processes": "{} process(es)",
    "over": "over {}",
    "steps": "{} steps",
    "seconds_a_step": "{} s a step",
    "dice": "Dice {:.3f}",
    "precision": "{}",
    "seconds_first": "{} s at first",
    "seconds_second": "then {} s",
    UNLIKE: "{} " + UNLIKE,
    "refused_two": "two processes on one GPU refused: {}",
}
"""What is told of a step, in this order."""


def run_steps(setup: Setup, device: str, minutes: float) -> dict[str, Facts]:
    """Run all steps, and write after each what there is of them."""
    deadline = time.monotonic() + 60 * minutes
    done: dict[str, Facts] = {}
    for name, step in STEPS.items():
        lacking = [other for other in step.needs if done[other]["status"] != "done"]
        left = deadline - time.monotonic()
        if lacking:
            done[name] = {"status": f"left out: without {lacking[0]}"}
        elif left < LEAST:
            done[name] = {"status": "left out: the time is over"}
        else:
            done[name] = run_step(step, setup, device, min(step.seconds, left))
        write_json(setup.out / "gpu.json", done)
        print(f"{name}: {describe(done[name])}", flush=True)
        if name == "machine":
            check_device(done[name], device)
    return done


def run_step(step: Step, setup: Setup, device: str, limit: float) -> Facts:
    """Run a step in a process, which with all that it started is killed when its time is over.

    What this process has imported is there at once in that one; no GPU has been touched here.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(step, setup, device, sender))
    started = time.monotonic()
    process.start()
    sender.close()
    facts: Facts = {"status": f"stopped after {limit:.0f} s"}
    if receiver.poll(limit):
        try:
            facts = receiver.recv()
        except EOFError:
            facts = {"status": "failed: its process died"}
        process.join(LEAST)
    if process.is_alive():
        os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
    return {**facts, "seconds": round(time.monotonic() - started, 1)}


def _work(step: Step, setup: Setup, device: str, sender: Any) -> None:
    """What the process of a step does."""
    os.setsid()
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        sender.send({"status": "done", **step.run(setup)})
    except Exception as error:
        # Whatever it is, the other steps go on, and it is told.
        (setup.out / "errors.txt").open("a", encoding="utf-8").write(traceback.format_exc())
        sender.send({"status": f"failed: {type(error).__name__}: {error}".splitlines()[0][:200]})


def check_device(machine: Facts, device: str) -> None:
    """Refuse to measure a CPU where a GPU was meant.

    Raises:
        InputError: there is no GPU.
    """
    if device == "cuda" and machine.get("device", "cpu") == "cpu":
        raise InputError("--device cuda", "torch finds no GPU here", "give --device cpu", code="option-wrong")


def describe(facts: Facts) -> str:
    """What a step came to, in words."""
    told = [words.format(facts[key]) for key, words in WORDS.items() if facts.get(key) is not None]
    return ", ".join([*([] if facts["status"] == "done" else [facts["status"]]), *told])


def tabulate(done: Mapping[str, Facts]) -> str:
    """The table in Markdown, a row a step."""
    rows = []
    for name, facts in done.items():
        numbers = [facts.get("foreseen_gib"), facts.get("taken_gib"), facts.get("seconds")]
        cells = [name, *("" if value is None else f"{value:g}" for value in numbers), describe(facts)]
        rows.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


def fill_page(page: str, table: str) -> str:
    """A page with the table between its markers.

    Raises:
        ValueError: it has no place for it.
    """
    place = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not place.search(page):
        raise ValueError("the page has no place for the table")
    return place.sub(lambda _: BEGIN + table + END, page)


def run(arguments: argparse.Namespace) -> None:
    """Run all steps and tell what they came to."""
    if arguments.write and (arguments.device == "cpu" or arguments.quick):
        raise InputError("--write", "the page is about GPUs and real sizes", "leave it out", code="option-wrong")
    check_free(arguments.out)
    arguments.out.mkdir(parents=True)
    sizes = QUICK if arguments.quick else FULL
    setup = Setup(out=arguments.out, minutes=arguments.budget, vram_gib=arguments.vram, **sizes)
    done = run_steps(setup, arguments.device, arguments.minutes)
    table = tabulate(done)
    print(f"\n{table}\nwhat was measured: {arguments.out / 'gpu.json'}")
    if arguments.write:
        PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--minutes", type=float, default=15, help="after which no step goes on")
    parser.add_argument("--budget", type=float, default=2, help="minutes of each training")
    parser.add_argument("--vram", type=float, default=16, help="GiB of a GPU that the plan may take")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="little data, and nothing compiled to machine code")
    parser.add_argument("--write", action="store_true", help="put the table into docs/concepts/memory.md")
    arguments = parser.parse_args()
    return finish("gpu", lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
