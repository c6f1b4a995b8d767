"""Run programs in the environment of MONAI Deploy."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-deploy" / "bin" / "python"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_program() -> Run:
    """Runs a program with MONAI Deploy's options for input, output and model; skips without its environment."""
    if not PYTHON.exists():
        pytest.skip("make deploy-env brings the environment of MONAI Deploy")

    def run(program: Path, source: Path, output: Path, bundle: Path, *more: str) -> subprocess.CompletedProcess[str]:
        command = [PYTHON, program, "-i", source, "-o", output, "-m", bundle, *more]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture(scope="session")
def application() -> Path:
    """The one-file runner."""
    return ROOT / "workflows" / "deploy_app.py"
