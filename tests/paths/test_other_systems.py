"""What works where the system lacks what Windows lacks: checking, planning and predicting, in fresh interpreters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK
from plans import make_tiny_bundle, pin_schedule

import medunet

# Loaded by Python itself as it starts, so that the child processes of a command lack the same.
HIDE = """
import os, select, signal, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource"):
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Refuse())
for module, names in (
    (os, ("sysconf", "sched_getaffinity", "sched_setaffinity", "fork", "forkpty")),
    (select, ("poll", "epoll")),
    (signal, ("SIGXCPU", "pthread_sigmask")),
):
    for name in names:
        delattr(module, name)
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Environment of an interpreter that lacks it all."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(HIDE)
    root = str(Path(medunet.__file__).parents[1])
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "hidden"), root])}


def run(environment: dict[str, str], *arguments: object) -> str:
    command = [sys.executable, "-m", "medunet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_system_lacks_it(elsewhere: dict[str, str]) -> None:
    code = "import os, medunet.children.supervise; print(hasattr(os, 'fork')); import resource"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=elsewhere)
    assert done.stdout == "False\n"
    assert "No module named 'resource'" in done.stderr


def test_scans_are_checked_and_a_cohort_is_planned(
    elsewhere: dict[str, str], cohort_folder: Path, tmp_path: Path
) -> None:
    scan = min(cohort_folder.iterdir()) / "CT"
    assert "0 errors" in run(elsewhere, "check", scan)
    SimpleITK.WriteImage(SimpleITK.Image(4, 5, 6, SimpleITK.sitkInt16), tmp_path / "a.nrrd")  # read by a child
    assert "read as an image of 4 × 5 × 6 voxels" in run(elsewhere, "check", tmp_path / "a.nrrd")
    assert "nothing is written" in run(elsewhere, "plan", cohort_folder, "--budget", "30s")


def test_a_bundle_predicts(elsewhere: dict[str, str], tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", "abcd")
    pin_schedule(bundle, 1, 2)
    medunet.train(bundle)
    out = tmp_path / "masks"
    assert "a_ct.nii.gz: lesion" in run(elsewhere, "predict", bundle, f"{bundle}.scans/a_ct.nii.gz", "-o", out)
    assert (out / "a_ct.nii.gz").is_file()
