"""Importing medunet and asking for help load no torch and answer at once."""

import subprocess
import sys
import time

HEAVY = ("torch", "monai", "ignite", "SimpleITK", "nibabel", "pydicom", "scipy")


def test_help_and_import_load_nothing_heavy() -> None:
    code = "import sys, medunet, medunet.cli; print(*[name for name in sys.modules if '.' not in name])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(HEAVY) & set(loaded)


def test_help_answers_in_under_a_third_of_a_second() -> None:
    seconds = []
    for _ in range(7):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "medunet", "--help"], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - started)
    assert all(f" {verb} " in done.stdout for verb in ("check", "init", "plan", "train", "predict", "evaluate"))
    assert min(seconds) < 0.3
