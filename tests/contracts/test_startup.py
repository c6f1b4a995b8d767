"""Importing medunet and asking for help load no torch and answer at once."""

import resource
import subprocess
import sys

HEAVY = ("torch", "monai", "ignite", "SimpleITK", "nibabel", "pydicom", "scipy")


def list_loaded(names: str) -> set[str]:
    """Modules that a fresh process has loaded after it imported some."""
    code = f"import sys, {names}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_help_and_import_load_nothing_heavy() -> None:
    loaded = list_loaded("medunet, medunet.cli")
    assert not set(HEAVY) & loaded
    assert "medunet.cli" in loaded
    assert "medunet.testing" not in loaded


def test_made_up_scans_load_no_network() -> None:
    loaded = list_loaded("medunet.testing.phantoms, medunet.testing.faults")
    assert "pydicom" in loaded
    assert not {"torch", "monai", "ignite"} & loaded


def test_errors_and_names_are_there_at_once() -> None:
    code = "import sys, medunet; medunet.MedunetError, medunet.__version__, dir(medunet); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {*HEAVY, "numpy", "pydantic", "typer"} & set(loaded)


def test_help_answers_in_under_a_third_of_a_second() -> None:
    """In seconds of the processor, which other work on the machine doesn't lengthen."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-m", "medunet", "--help"], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert all(f" {verb} " in done.stdout for verb in ("check", "init", "plan", "train", "predict", "evaluate"))
    assert min(seconds) < 0.3
