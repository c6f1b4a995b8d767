"""Examples in docstrings run, in a folder with a made-up scan, so that they can't become untrue."""

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from dicoms import make_grid, write_series

ROOT = Path(__file__).parents[2]
PROMPT = ">>> "
MODULES = sorted(path for path in (ROOT / "medunet").rglob("*.py") if PROMPT in path.read_text(encoding="utf-8"))
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `scans/CT`."""
    folder = tmp_path_factory.mktemp("examples")
    write_series(folder / "scans" / "CT", make_grid("axial"))
    return folder


def find_examples(path: Path) -> Iterator[tuple[str, int, str]]:
    """Name, line and docstring of everything with an example."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Documented) and PROMPT in (text := ast.get_docstring(node) or ""):
            yield getattr(node, "name", path.stem), getattr(node, "lineno", 0), text


def test_there_are_examples_of_reading() -> None:
    names = {name for path in MODULES for name, _, _ in find_examples(path)}
    assert {"VolumeReader", "read_volume"} <= names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_run(path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    said: list[str] = []
    for name, line, text in find_examples(path):
        assert "SKIP" not in text, f"an example of {name} doesn't run"
        test = doctest.DocTestParser().get_doctest(text, {**vars(module)}, name, str(path), line)
        result = doctest.DocTestRunner().run(test, out=said.append)
        assert result.attempted
        assert not result.failed, "".join(said)
