"""Files, functions and parameter lists stay small; everything public is annotated and documented."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted([*(ROOT / "medunet").rglob("*.py"), *(ROOT / "workflows").rglob("*.py")])
Function = ast.FunctionDef | ast.AsyncFunctionDef


def find_functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 400
    if path.name != "__init__.py" or text:
        assert ast.get_docstring(tree), "the module has no docstring"
    for function in find_functions(tree):
        assert function.end_lineno - function.lineno < 50, f"{function.name} is too long"
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        counted = [item for item in arguments if item.arg not in ("self", "cls")]
        # The options of a public verb have names.
        most = 8 if path.parent.name == "api" else 7
        assert len(counted) <= most, f"{function.name} has {len(counted)} parameters"
        assert all(item.annotation for item in counted), f"{function.name} lacks annotations"
        assert function.returns is not None, f"{function.name} lacks a return annotation"
    public = [node for node in tree.body if isinstance(node, Function | ast.ClassDef)]
    for node in public:
        if not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
