"""The tutorial, as somebody types it: every block of commands and of Python runs, in its order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
IMAGE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def run(kind: str, text: str, folder: Path) -> str:
    """Run a block; what it prints to standard output is returned."""
    command = [sys.executable, "-c", text] if kind == "python" else ["bash", "-ec", text]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PATH": tools})
    # A scan that lacks a slice is what this block is about.
    assert done.returncode == (2 if "check tutorial/broken" in text else 0), f"{text}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def test_pictures_are_there() -> None:
    places = [ROOT / "docs" / place for place in IMAGE.findall(TEXT)]
    assert len(places) >= 3
    assert all(place.stat().st_size > 1000 for place in places)


@pytest.mark.slow
def test_every_block_runs_and_shows_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "workflows").symlink_to(ROOT / "workflows")
    said = ""
    for kind, text in BLOCK.findall(TEXT):
        if kind and "make setup" not in text:
            command = text
            said = run(kind, text.replace("--budget 5m", "--budget 1m"), tmp_path)
        elif not kind and "check" in command:
            assert all(line in said for line in text.splitlines())
    tutorial = tmp_path / "tutorial"
    assert (tutorial / "slice.png").stat().st_size > 1000
    assert len(list((tutorial / "masks").glob("*.seg.dcm"))) == 3
    assert list((tutorial / "monai").rglob("*.nii.gz"))
