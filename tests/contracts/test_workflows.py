"""Workflows run by their path, from any folder: a script finds what it shares with those of other folders."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SHARED = {path.stem for path in WORKFLOWS.glob("*.py")}
SCRIPTS = sorted(path for path in WORKFLOWS.rglob("*.py") if '__name__ == "__main__"' in path.read_text())
PATH = "sys.path.append(str(Path(__file__).parents[1]))"


def find_imports(path: Path) -> set[str]:
    """First parts of the names of imported modules."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in names}


def test_names_are_used_once() -> None:
    """They share one namespace, in which tests and scripts look."""
    names = [path.stem for path in WORKFLOWS.rglob("*.py")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_what_it_imports(path: Path) -> None:
    here = {other.stem for other in path.parent.glob("*.py")}
    others = {other.stem for other in WORKFLOWS.rglob("*.py")} - here
    used = find_imports(path) & others
    assert used <= SHARED, "a folder imports from another one"
    assert (PATH in path.read_text()) == (bool(used) and path.parent != WORKFLOWS)


def test_modules_beside_scripts_need_no_other_folder() -> None:
    for path in WORKFLOWS.glob("*/*.py"):
        if path not in SCRIPTS:
            assert not find_imports(path) & SHARED, path


@pytest.mark.parametrize("name", ["phantom_cohort", "peers/compare_readers", "claims/overlapping_discs"])
def test_scripts_answer_from_another_folder(name: str, tmp_path: Path) -> None:
    command = [sys.executable, WORKFLOWS / f"{name}.py", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
